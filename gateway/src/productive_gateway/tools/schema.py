"""JSON Schemas of arguments and answers, as short as possible.

A model reads the tool list in every conversation. So titles that only repeat a name are removed,
and so is "or null": no answer contains null, and a null argument counts as omitted.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a tool's arguments."""
    return _object(_tidy(model.model_json_schema(mode="validation")))


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a tool's answer, which is either the answer or an `error`.

    Some clients check the answers of failed calls too, hence the second form.
    """
    schema = _object(_tidy(model.model_json_schema(mode="serialization")))
    required = schema.pop("required", [])
    schema["properties"]["error"] = {
        "type": "object",
        "properties": {
            "code": {"type": "string"},
            "message": {"type": "string"},
            "fix": {"type": "string"},
        },
        "required": ["code", "message", "fix"],
    }
    schema["anyOf"] = [{"required": required}, {"required": ["error"]}]
    return schema


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    schema.setdefault("properties", {})
    return schema


def _tidy(node: Any) -> Any:
    if isinstance(node, list):
        return [_tidy(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    node = _without_null(node)
    # The description of a whole model is its docstring, which is for developers.
    skipped = {"description"} if "properties" in node else set()
    kept = {k: v for k, v in node.items() if k not in skipped and not _noise(k, v)}
    return {
        key: {name: _tidy(value) for name, value in entry.items()}
        if key in {"properties", "$defs"}
        else _tidy(entry)
        for key, entry in kept.items()
    }


def _noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    forms = node.get("anyOf")
    if not isinstance(forms, list):
        return node
    kept = [form for form in forms if form != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**kept[0], **rest} if len(kept) == 1 else {**rest, "anyOf": kept}
