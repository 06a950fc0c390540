"""What models see of each tool is committed: `make docs` writes it anew after a change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from productive_dev.tooldocs.snapshot import snapshot_of
from productive_dev.tooldocs.write import SCHEMAS
from productive_gateway.tools.kit.declare import Tool
from productive_gateway.tools.registry import TOOLS

FOLDER = Path(__file__).parents[4] / SCHEMAS
FORBIDDEN = frozenset({"$defs", "$ref", "anyOf", "oneOf", "allOf"})
"""What several clients drop or refuse."""


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_schema_is_the_committed_one(tool: Tool) -> None:
    assert (FOLDER / f"{tool.name}.json").read_text() == snapshot_of(tool), "run make docs"


def test_every_snapshot_is_of_a_tool() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == {tool.name for tool in TOOLS}


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_schemas_are_flat(tool: Tool) -> None:
    for node in (*nodes(tool.input_schema), *nodes(tool.output_schema)):
        assert FORBIDDEN.isdisjoint(node)
        assert not isinstance(node.get("type"), list)


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)
