"""Writes the page of the tools and their schema snapshots into the source tree."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from productive_dev.tooldocs.page import tools_page
from productive_dev.tooldocs.snapshot import snapshot_of
from productive_gateway.tools.registry import TOOLS

PAGE: Final = Path("docs/tools.md")
SCHEMAS: Final = Path("tests/unit/gateway/tools/schemas")


async def write_tool_docs(root: Path) -> None:
    """Write both; a snapshot whose tool is gone is removed.

    Args:
        root: of the source tree.
    """
    (root / PAGE).write_text(await tools_page(TOOLS), encoding="utf-8")
    folder = root / SCHEMAS
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.json"):
        if file.stem not in {tool.name for tool in TOOLS}:
            file.unlink()
    for tool in TOOLS:
        (folder / f"{tool.name}.json").write_text(snapshot_of(tool), encoding="utf-8")
