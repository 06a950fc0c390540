"""Schema snapshots: one file a tool, so that a change of what models see is seen in a review."""

from __future__ import annotations

import json

from productive_gateway.mcp.server import listed
from productive_gateway.tools.kit.declare import Tool


def snapshot_of(tool: Tool) -> str:
    """Return a tool as tools/list shows it, with its toolset and cost."""
    shown = listed(tool).model_dump(mode="json", by_alias=True, exclude_none=True)
    cost = {"reads": tool.cost.reads, "writes": tool.cost.writes}
    about = {"toolset": tool.toolset, "cost": cost, "tool": shown}
    return json.dumps(about, ensure_ascii=False, indent=2) + "\n"
