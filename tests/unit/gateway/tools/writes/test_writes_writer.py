"""What every tool that writes gets: one write, a whole report, the search for a lost answer."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from harness.entrytools import ALL, Entries, shared, stored, undo
from harness.mcpkit import simulated_tools
from productive_dev.simulator.faults import Fault
from productive_gateway.productive.records.tasks import Comment
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.productive.wire import client
from productive_gateway.productive.wire.errors import Unreachable
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import Project
from productive_gateway.tools.names.resolver import PROJECTS


async def test_the_same_call_twice_at_once_writes_once() -> None:
    async with simulated_tools(tools=ALL) as tools:
        first, second = await asyncio.gather(tools.call("track"), tools.call("track"))
        assert not first.is_error
        assert first.structured == second.structured
        assert len(stored(tools)) == 1


async def test_the_same_call_again_gets_the_same_record_and_another_one_is_written() -> None:
    async with simulated_tools(tools=ALL) as tools:
        first, again = await tools.call("track"), await tools.call("track")
        other = await tools.call("track", minutes=30)
        wanted = await tools.call("track", again=True)
        ids = [one.structured["entries"][0]["id"] for one in (first, again, other, wanted)]
        assert ids[0] == ids[1]
        assert len(set(ids)) == 3
        assert len(stored(tools)) == 3


async def test_two_replicas_write_once() -> None:
    writes = shared()
    async with (
        simulated_tools(tools=ALL, writes=writes) as one,
        simulated_tools(tools=ALL, writes=writes) as other,
    ):
        other.api.transport = one.api.transport
        await asyncio.gather(one.call("track"), other.call("track"))
        assert len(stored(one)) == 1
        assert len(stored(other)) == 0


@pytest.mark.parametrize("applied", [True, False])
async def test_lost_answer_is_looked_for_before_anything_is_written_again(applied: bool) -> None:
    async with simulated_tools(tools=ALL) as tools:
        tools.world.faults.put([Fault(method="POST", cut=True, applied=applied)])
        first = await tools.call("track")
        assert first.is_error != applied
        tools.time.now += 60
        again = await tools.call("track")
        assert not again.is_error
        assert len(stored(tools)) == 1


async def test_several_are_written_and_each_says_what_became_of_it() -> None:
    async with simulated_tools(tools=ALL) as tools:
        answer = await tools.call("track_several", minutes=[60, 90, 60, 100000, 30])
        assert [one["hours"] for one in answer.structured["entries"]] == [1, 1.5, 0.5]
        assert answer.structured["warnings"] == ["2 repeats 0", "3: invalid_value"]
        assert len(stored(tools)) == 3


async def test_bulk_is_one_request_and_undone_as_one() -> None:
    writes = shared()
    async with simulated_tools(tools=ALL, writes=writes) as tools:
        before = len(stored(tools))
        answer = await tools.call("track_several", minutes=[60, 90, 30], bulk=True)
        assert len(tools.requests("POST")) == 1
        assert len(stored(tools)) == before + 3
        undone = await undo(tools, writes, answer.structured["undo"])
        assert [one.deleted for one in undone] == [True] * 3
        assert len(stored(tools)) == before


async def test_nothing_more_is_sent_after_a_lost_answer() -> None:
    async with simulated_tools(tools=ALL) as tools:
        tools.world.faults.put([Fault(method="POST", skip=1, cut=True)])
        answer = await tools.call("track_several", minutes=[60, 90, 30])
        codes = [one.partition(": ")[2] for one in answer.structured["warnings"]]
        assert codes == ["timeout", "not_tried"]
        assert len(tools.requests("POST")) == 2


async def test_change_is_told_checked_and_undone() -> None:
    writes = shared()
    async with simulated_tools(tools=ALL, writes=writes) as tools:
        made = (await tools.call("track")).structured["entries"][0]["id"]
        answer = await tools.call("change", entry=made, note="y")
        assert answer.structured["changed"] == [
            {"field": "note", "before": "x", "after": "y"},
            {"field": "hours", "before": "1.00 h", "after": "0.50 h"},
        ]
        await undo(tools, writes, answer.structured["undo"])
        record = tools.world.state.get("time_entries", made)
        assert record is not None
        assert (record.attributes["note"], record.attributes["time"]) == ("x", 60)


async def test_what_somebody_changed_since_is_not_undone() -> None:
    writes = shared()
    async with simulated_tools(tools=ALL, writes=writes) as tools:
        made = (await tools.call("track")).structured["entries"][0]["id"]
        answer = await tools.call("change", entry=made, note="y")
        await tools.call("change", entry=made, note="z")
        with pytest.raises(Exception, match="changed since"):
            await undo(tools, writes, answer.structured["undo"])
        assert stored(tools, note="z")


async def test_call_ends_soon_after_its_deadline_though_a_write_gets_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "LONGEST_GRACE", 0.05)
    async with simulated_tools(tools=ALL, seconds=0.05) as tools:

        async def hold(asked: httpx.Request) -> None:
            if asked.method == "POST":
                await asyncio.Event().wait()

        tools.transport.before = hold
        async with asyncio.timeout(5):
            answer = await tools.call("track")
        assert answer.structured["error"]["code"] == "timeout"
        assert "othing was changed" not in answer.text
        again = await tools.call("track")
        assert again.structured["error"]["code"] in {"timeout", "still_being_written"}
        assert stored(tools) == []


@tool(title="Fail", kind=Kind.CHANGES, cost=Cost(reads=1, writes=2), example=Example("", {}))
async def fail_midway(call: Call, *, entry: str) -> Entries:
    """Change the note of an entry, then change one that Productive does not answer for."""
    before = await call.records.get(TimeEntry, entry)
    await call.writes.update(before, {"note": "y"})
    raise Unreachable("test")


async def test_error_after_a_write_does_not_say_that_nothing_was_changed() -> None:
    async with simulated_tools(tools=(*ALL, fail_midway)) as tools:
        made = (await tools.call("track")).structured["entries"][0]["id"]
        answer = await tools.call("fail_midway", entry=made)
        error = answer.structured["error"]
        assert error["code"] == "upstream_error"
        assert "1 change was made" in error["message"]
        assert "othing was changed" not in answer.text
        assert error["undo"] in answer.text
        assert len(stored(tools, note="y")) == 1


@pytest.mark.parametrize("entry", ["../people/9104", "1/../../people/9104", "..", "1?x=1", "1#"])
async def test_id_leads_to_no_other_record(entry: str) -> None:
    async with simulated_tools(tools=ALL) as tools:
        for name in ("change", "remove"):
            answer = await tools.call(name, entry=entry)
            assert answer.structured["error"]["code"] == "not_found"
        assert [one.path for one in tools.requests()] == ["/organization_memberships"]


@tool(title="Remark", kind=Kind.ADDS, cost=Cost(reads=0, writes=1), example=Example("", {}))
async def remark(call: Call) -> Entries:
    """Write a comment on a task that is always the same."""
    await call.writes.create(Comment, {"body": "<p>the newest</p>", "task": "20510088"})
    return Entries(headline="Commented.")


async def test_lost_comment_is_found_among_very_many() -> None:
    async with simulated_tools(tools=(remark,)) as tools:
        old = {
            "type": "comments",
            "attributes": {"body": "old"},
            "relationships": {"task": {"data": {"type": "tasks", "id": "20510088"}}},
        }
        for _ in range(401):
            tools.time.now += 1
            await tools.post("/comments", old)
        lost = Fault(method="POST", path="/comments", status=502, applied=True)
        tools.world.faults.put([lost])
        answer = await tools.call("remark")
        assert not answer.is_error


async def test_warnings_are_complete_however_long_a_name_is() -> None:
    async with simulated_tools(tools=(resolve,)) as tools:
        record = tools.world.state.get("projects", "30201")
        assert record is not None
        record.attributes["name"] = "n" * 5000
        answer = await tools.call("resolve", project="Wireframes (30201)")
        assert "the id decided, not the name." in answer.text


@tool(title="Resolve", kind=Kind.READS, cost=Cost(reads=1), example=Example("", {}))
async def resolve(call: Call, *, project: Project) -> Entries:
    """Find a project by what it is called, and do nothing with it."""
    await call.names.one(PROJECTS, project or "", "project")
    return Entries(headline="Found.")
