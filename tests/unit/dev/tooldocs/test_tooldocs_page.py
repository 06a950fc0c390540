from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from productive_dev.tooldocs.example import example_answer
from productive_dev.tooldocs.page import tools_page
from productive_dev.tooldocs.write import PAGE, SCHEMAS, write_tool_docs
from productive_gateway.tools.core.list_people import list_people
from productive_gateway.tools.kit.declare import Example, Tool
from productive_gateway.tools.registry import TOOLS

ROOT = Path(__file__).parents[4]


async def test_committed_page_is_current() -> None:
    assert (ROOT / PAGE).read_text() == await tools_page(TOOLS), "run make docs"


async def test_every_tool_has_a_section_with_its_example() -> None:
    page = (ROOT / PAGE).read_text()
    for tool in TOOLS:
        section = page.partition(f"\n### {tool.name}\n")[2].partition("\n### ")[0]
        assert tool.example.question in section
        assert json.dumps(dict(tool.example.arguments), ensure_ascii=False) in section
        assert tool.description in section
        assert f"at most {tool.cost.reads} request" in section
        assert "went wrong" not in section


async def test_sealed_values_are_not_in_an_example() -> None:
    first = await example_answer(paged())
    assert first.endswith("ask again with cursor …")
    assert first == await example_answer(paged())


async def test_files_are_written_anew_and_those_of_former_tools_removed(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / SCHEMAS).mkdir(parents=True)
    (tmp_path / SCHEMAS / "former_tool.json").write_text("{}")
    await write_tool_docs(tmp_path)
    assert (tmp_path / PAGE).read_text() == (ROOT / PAGE).read_text()
    names = {file.name for file in (tmp_path / SCHEMAS).iterdir()}
    assert names == {f"{tool.name}.json" for tool in TOOLS}


def paged() -> Tool:
    example = Example("Who works here?", {"limit": 2})
    return replace(list_people, example=example)
