"""Progress of calls that write several things, with a client that asked for it and without."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.mcpkit import mcp_server, request
from harness.mcpsocket import MODES, Mode, connected, served
from harness.revisions import OLDER, REVISIONS, answered, ask, call, frames
from productive_dev.simulator.faults import Fault

PROGRESS = "notifications/progress"
TASKS = [
    {"title": f"Task {number}", "project": "Website care", "todos": ["Look", "Write"]}
    for number in range(3)
]
SEVERAL = {"tasks": TASKS}
ENTRIES = {
    "entries": [{"project": "relaunch", "service": "design", "hours": hours} for hours in (1, 2, 3)]
}


def reported(messages: list[dict[str, Any]], token: Any) -> list[float]:
    told = [one["params"] for one in messages if one.get("method") == PROGRESS]
    assert all(one["progressToken"] == token for one in told)
    assert all(one["message"] for one in told)
    assert all(0 <= one["progress"] <= one["total"] for one in told)
    return [one["progress"] for one in told]


@pytest.mark.parametrize(("mode", "version"), MODES)
async def test_sdk_client_hears_of_the_progress_of_several_tasks(mode: Mode, version: str) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with served() as (_, url), asyncio.timeout(20), connected(url, mode) as client:
        assert client.protocol_version == version
        made = await client.call_tool("create_tasks", SEVERAL, progress_callback=hear)
        assert not made.is_error, made.content
        assert [one["ok"] for one in made.structured_content["results"]] == [True] * 3
        assert [one[:2] for one in told] == [(0, 9), (3, 9)]
        assert all(one[2] for one in told)
        told.clear()
        assert not (await client.call_tool("get_me", {}, progress_callback=hear)).is_error
        assert told == []


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("token", ["text", 7])
async def test_reports_carry_the_token_grow_and_come_before_the_result(
    revision: str, token: Any
) -> None:
    async with mcp_server() as mcp:
        params = {"_meta": {"progressToken": token}}
        response = await call(mcp, revision, "create_tasks", SEVERAL, params=params)
        assert response.headers["content-type"].startswith("text/event-stream")
        messages = frames(response)
        assert reported(messages, token) == [0, 3]
        assert [("result" in one) for one in messages] == [False, False, True]


@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_single_write_after_a_refused_bulk_request_is_reported(revision: str) -> None:
    async with mcp_server() as mcp:
        mcp.tools.world.faults.put([Fault(method="POST", path="/time_entries", status=422)])
        params = {"_meta": {"progressToken": "t"}}
        response = await call(mcp, revision, "log_time", ENTRIES, params=params)
        assert reported(frames(response), "t") == [0, 1, 2]
        results = frames(response)[-1]["result"]["structuredContent"]["results"]
        assert all(one["ok"] for one in results)
        assert len(mcp.tools.requests("POST")) == 4


async def test_undoing_several_things_is_reported() -> None:
    async with mcp_server() as mcp:
        made = answered(await call(mcp, OLDER[-1], "log_time", ENTRIES))
        handle = {"handle": made["structuredContent"]["undo"]}
        params = {"_meta": {"progressToken": "t"}}
        response = await call(mcp, OLDER[-1], "undo", handle, params=params)
        assert reported(frames(response), "t") == [1, 2]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("meta", [{}, {"progressToken": True}, {"progressToken": None}])
async def test_without_a_valid_token_nothing_is_reported(
    revision: str, meta: dict[str, Any]
) -> None:
    async with mcp_server() as mcp:
        response = await call(mcp, revision, "create_tasks", SEVERAL, params={"_meta": meta})
        assert PROGRESS not in response.text


async def test_batch_has_no_reports() -> None:
    async with mcp_server() as mcp:
        params = {"name": "create_tasks", "arguments": SEVERAL, "_meta": {"progressToken": 1}}
        response = await mcp.post([request("tools/call", 1, **params)], version=None)
        (message,) = response.json()
        assert message["result"]["isError"] is False


async def test_single_write_has_no_reports() -> None:
    async with mcp_server() as mcp:
        arguments = {"tasks": [{"title": "One", "project": "Website care"}]}
        params = {"_meta": {"progressToken": 1}}
        response = await ask(
            mcp,
            OLDER[-1],
            "tools/call",
            {"name": "create_tasks", "arguments": arguments, **params},
        )
        assert [("result" in one) for one in frames(response)] == [True]
