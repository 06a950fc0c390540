"""The table of the Worker's tools names only tools and parameters that exist."""

from __future__ import annotations

import re
from pathlib import Path

from productive_gateway.tools.registry import TOOLS

PAGE = Path(__file__).resolve().parents[2] / "docs/migration.md"


def test_every_tool_in_the_right_column_exists() -> None:
    section = PAGE.read_text().partition("## What became of the Worker's tools")[2]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", section.partition("\n## ")[0], re.MULTILINE)
    assert len(rows) > 20
    parameters = {name for tool in TOOLS for name in tool.arguments.model_fields}
    known = {tool.name for tool in TOOLS} | parameters
    named = {
        word.partition("=")[0]
        for _, here in rows[1:]
        for word in re.findall(r"`([a-z_]+(?:=[^`]*)?)`", here)
    }
    assert named <= known, named - known
    assert {"log_time", "get_task", "kinds", "report"} <= named
