"""JSON Schema of a tool's arguments, flat and as short as possible.

A model reads the tool list in every conversation, and several clients drop or refuse a schema with
references, type arrays or alternatives. So definitions are written where they are used, "or null"
is removed (a null argument counts as left out), and so is what only repeats a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

_NOISE: Final = frozenset({"title", "maxLength", "minLength"})
"""What a model does not need to know; a text that is too long is refused with a message."""


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a tool's arguments."""
    schema = model.model_json_schema(mode="validation")
    flat: dict[str, Any] = _flat(schema, schema.get("$defs", {}))
    flat.setdefault("properties", {})
    return flat


def _flat(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_flat(entry, definitions) for entry in node]
    if not isinstance(node, dict):
        return node
    node = _without_null(node)
    if "$ref" in node:
        found = definitions[node["$ref"].rpartition("/")[2]]
        node = {**found, **{key: value for key, value in node.items() if key != "$ref"}}
    # The description of a whole model is its docstring, which is for developers.
    dropped = _NOISE | {"$defs"} | ({"description"} if "properties" in node else set())
    return {
        key: {name: _flat(value, definitions) for name, value in entry.items()}
        if key == "properties"
        else _flat(entry, definitions)
        for key, entry in node.items()
        if key not in dropped and not (key == "default" and entry is None)
    }


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    forms = node.get("anyOf")
    if not isinstance(forms, list):
        return node
    kept = [form for form in forms if form != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**kept[0], **rest} if len(kept) == 1 else {**rest, "anyOf": kept}
