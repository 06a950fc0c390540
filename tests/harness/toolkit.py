"""What every answer of a tool must fulfil, whatever the tool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema

from productive_gateway.tools.kit.declare import Tool
from productive_gateway.tools.registry import Answer

LARGEST_TEXT = 8_000
"""Characters: about 2,000 tokens."""
_NOT_SAID = frozenset({"request_id", "kind", "how", "code", "field"})
"""Members that a text says in other words, or that only programs read."""


def said_alike(answer: Answer, tool: Tool | None = None) -> None:
    """Check that the text of an answer says what its structure holds, and that both are small."""
    if tool is not None and not answer.is_error:
        jsonschema.validate(answer.structured, tool.output_schema)
    text = flat(answer.text)
    for path, value in scalars(answer.structured):
        if path[-1] in _NOT_SAID or value is True:
            continue
        assert shown(value) in text, f"{'.'.join(path)} = {value!r} is not in the text:\n{text}"
    assert len(answer.text) <= LARGEST_TEXT
    json.dumps(answer.structured, allow_nan=False)


def scalars(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every text, number and flag with the names that lead to it."""
    if isinstance(node, dict):
        for name, value in node.items():
            assert value not in (None, [], {}, ""), f"{name} is empty"
            yield from scalars(value, (*path, name))
    elif isinstance(node, list):
        for value in node:
            yield from scalars(value, path)
    else:
        yield path, node


def shown(value: Any) -> str:
    """Return a value as texts show it."""
    if isinstance(value, float):
        return f"{value:.2f}" if f"{value:g}" != f"{value:.0f}" else f"{value:g}"
    return flat(str(value))


def flat(text: str) -> str:
    """Return a text in one line, without the marks of quotations."""
    return " ".join(" ".join(line.strip().lstrip("> ") for line in text.splitlines()).split())
