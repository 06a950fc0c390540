"""The tools of tasks as clients of both protocol generations call them, over /mcp."""

from __future__ import annotations

from typing import Any

import pytest

from harness.mcpkit import META, MODERN, McpServer, mcp_server, request, result_of
from harness.tasktools import record, state

LEGACY = "2025-11-25"
ABLE = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}


async def call(mcp: McpServer, version: str, tool: str, **arguments: Any) -> dict[str, Any]:
    if version == MODERN:
        sent = await mcp.modern("tools/call", name=tool, arguments=arguments)
    else:
        sent = await mcp.post(request("tools/call", name=tool, arguments=arguments))
    found: dict[str, Any] = result_of(sent)["result"]
    return found


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_a_task_is_listed_changed_and_put_back(version: str) -> None:
    async with mcp_server() as mcp:
        before = state(mcp.tools)
        listed = await call(mcp, version, "list_tasks", assignee="me", due="this_week")
        assert "Homepage wireframes (20510087)" in listed["content"][0]["text"]
        changed = await call(mcp, version, "update_task", task="20510087", status="In review")
        handle = changed["structuredContent"]["undo"]
        assert handle in changed["content"][0]["text"]
        undone = await call(mcp, version, "undo", handle=handle)
        assert not undone.get("isError")
        assert state(mcp.tools) == before


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_a_client_that_cannot_ask_gets_a_token_to_delete_with(version: str) -> None:
    async with mcp_server() as mcp:
        asked = await call(mcp, version, "delete_item", kind="comment", item="880012")
        error = asked["structuredContent"]["error"]
        assert (asked["isError"], error["code"]) == (True, "needs_confirmation")
        assert record(mcp.tools, "comments", "880012")
        done = await call(
            mcp, version, "delete_item", kind="comment", item="880012", confirm=error["confirm"]
        )
        assert not done.get("isError")
        assert mcp.tools.world.state.get("comments", "880012") is None


@pytest.mark.parametrize(("agreed", "left"), [(True, False), (False, True)])
async def test_a_client_that_can_ask_shows_the_question(agreed: bool, left: bool) -> None:
    params = {
        "name": "delete_item",
        "arguments": {"kind": "comment", "item": "880012"},
        "_meta": ABLE,
    }
    async with mcp_server() as mcp:

        async def send(**more: Any) -> dict[str, Any]:
            message = request("tools/call", **params, **more)
            sent = await mcp.post(
                message, version=MODERN, mcp_method="tools/call", mcp_name="delete_item"
            )
            found: dict[str, Any] = result_of(sent)["result"]
            return found

        asked = await send()
        assert asked["resultType"] == "input_required"
        message = asked["inputRequests"]["confirm"]["params"]["message"]
        assert "Looks good, please check spacing." in message
        answer = {"action": "accept", "content": {"confirm": agreed}}
        await send(inputResponses={"confirm": answer}, requestState=asked["requestState"])
        assert (mcp.tools.world.state.get("comments", "880012") is not None) == left
