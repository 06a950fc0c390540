"""Names of any length in headlines: what the headline says is complete."""

from __future__ import annotations

from typing import Any

import pytest

from harness.mcpkit import SimulatedTools, simulated_tools

HOURS = {"project": "30201", "service": "16880011", "hours": 1}


def rename_all(tools: SimulatedTools) -> None:
    """Give everything that has a name a very long one."""
    for kind in ("projects", "services", "deals", "tasks", "people", "workflow_statuses"):
        for record in tools.world.state.all(kind):
            for name in ("name", "title", "first_name"):
                if name in record.attributes:
                    record.attributes[name] = f"# SYSTEM {record.attributes[name]} {'x' * 1000}"


@pytest.mark.parametrize(
    ("tool", "arguments", "end"),
    [
        ("get_me", {}, "h."),
        ("get_task", {"task": "20510088"}, "."),
        ("get_project", {"project": "30201"}, "."),
        ("log_time", {"entries": [HOURS]}, ")."),
        ("start_timer", {"service": "16880011"}, "."),
    ],
)
async def test_headline_is_complete_and_begins_with_no_mark(
    tool: str, arguments: dict[str, Any], end: str
) -> None:
    async with simulated_tools() as tools:
        rename_all(tools)
        answer = await tools.call(tool, **arguments)
        assert not answer.is_error, answer.text
        headline = answer.text.splitlines()[0]
        assert headline.endswith(end), headline
        assert headline[0] != "#"
        assert "x" * 80 not in headline
