"""The tool that CONTRIBUTING.md shows, added to a toolset of its own and called."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from harness.mcpkit import simulated_tools
from harness.toolkit import said_alike
from productive_gateway.tools.kit.declare import BadTool
from productive_gateway.tools.registry import tools_of

GUIDE = Path(__file__).resolve().parents[4] / "CONTRIBUTING.md"


@pytest.fixture
def toolset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package for tools."""
    folder = tmp_path / "new_toolset"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("new_toolset")]:
        del sys.modules[name]
    return folder


def shown() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(code)


async def test_tool_of_the_guide_works_as_it_is_written(toolset: Path) -> None:
    assert len(shown().strip().splitlines()) <= 40
    (toolset / "list_teams.py").write_text(shown())
    tools = tools_of(import_module("new_toolset"))
    assert [(tool.name, tool.toolset) for tool in tools] == [("list_teams", "new_toolset")]
    async with simulated_tools(tools=tools) as simulated:
        answer = await simulated.call("list_teams", limit=2)
        said_alike(answer, tools[0])
        assert answer.text.startswith("2 of 3 teams.\n- Delivery (2203)\n- Design (2201)")
        rest = await simulated.call("list_teams", limit=2, cursor=answer.structured["next_cursor"])
        assert [team["name"] for team in rest.structured["teams"]] == ["Development"]
        assert "next_cursor" not in rest.structured


async def test_module_whose_tool_has_another_name_does_not_load(toolset: Path) -> None:
    (toolset / "teams.py").write_text(shown())
    with pytest.raises(BadTool):
        tools_of(import_module("new_toolset"))
