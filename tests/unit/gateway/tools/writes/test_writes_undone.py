"""What becomes of writes that somebody else changed, deleted or undid."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from harness.entrytools import ALL, stored
from harness.mcpkit import SimulatedTools, simulated_tools
from productive_dev.simulator.faults import Fault
from productive_gateway.tools.core.undo import undo as undo_tool


def changing(tools: SimulatedTools, **attributes: Any) -> None:
    """Let Productive answer creations with other attributes than were sent."""
    answer_of = tools.transport.forward

    async def changed(asked: httpx.Request) -> httpx.Response:
        response = await answer_of(asked)
        if asked.method != "POST":
            return response
        document = json.loads(await response.aread())
        document["data"]["attributes"] |= attributes
        return httpx.Response(response.status_code, json=document)

    tools.transport.forward = changed


async def test_creation_of_something_else_than_was_asked_for_is_an_error_with_an_undo() -> None:
    async with simulated_tools(tools=ALL) as tools:
        changing(tools, time=1)
        answer = await tools.call("track", minutes=77)
        error = answer.structured["error"]
        assert error["code"] == "write_not_effective"
        assert error["undo"] in answer.text
        assert len(stored(tools)) == 1


@pytest.mark.parametrize("settled", [True, False])
async def test_what_was_deleted_since_is_created_again(settled: bool) -> None:
    async with simulated_tools(tools=ALL) as tools:
        first = (await tools.call("track")).structured["entries"][0]["id"]
        (record,) = stored(tools)
        tools.world.state.remove(record)
        tools.time.now += 11 if settled else 1
        again = await tools.call("track")
        if not settled:
            assert again.structured["error"]["code"] == "deleted_since"
            assert stored(tools) == []
            return
        second = again.structured["entries"][0]["id"]
        assert second != first
        assert [one.id for one in stored(tools)] == [second]
        third = await tools.call("track")
        assert third.structured == again.structured


async def test_two_calls_at_once_create_what_was_deleted_since_once() -> None:
    async with simulated_tools(tools=ALL) as tools:
        await tools.call("track")
        (record,) = stored(tools)
        tools.world.state.remove(record)
        tools.time.now += 11
        one, other = await asyncio.gather(tools.call("track"), tools.call("track"))
        assert one.structured == other.structured
        assert len(stored(tools)) == 1


async def test_what_was_undone_can_be_created_again() -> None:
    async with simulated_tools(tools=(*ALL, undo_tool)) as tools:
        first = await tools.call("track")
        await tools.call("undo", handle=first.structured["undo"])
        assert stored(tools) == []
        tools.time.now += 11
        again = await tools.call("track_several", minutes=[60, 30])
        assert not again.structured.get("warnings")
        assert len(stored(tools)) == 2
        await tools.call("undo", handle=again.structured["undo"])
        assert stored(tools) == []


async def test_undo_that_could_not_read_can_be_tried_again_and_works_once() -> None:
    async with simulated_tools(tools=(*ALL, undo_tool)) as tools:
        handle = (await tools.call("track")).structured["undo"]
        away = Fault(method="GET", path="/time_entries", status=503, times=3)
        tools.world.faults.put([away])
        failed = await tools.call("undo", handle=handle)
        assert failed.structured["error"]["code"] == "upstream_error"
        both = await asyncio.gather(*(tools.call("undo", handle=handle) for _ in range(2)))
        assert sorted(one.is_error for one in both) == [False, True]
        assert stored(tools) == []
        again = await tools.call("undo", handle=handle)
        assert again.structured["error"]["code"] == "undo_used"
