"""Tools that write time entries as simply as can be, for tests of what every tool gets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from harness.mcpkit import KEYS, SimulatedTools, principal
from productive_contract.clock import system_clock
from productive_gateway.grants.ledger import PersonLedgers
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.store import Records
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, Tool, tool
from productive_gateway.tools.kit.parameters import Confirm, Line
from productive_gateway.tools.writes.compare import Change, changes
from productive_gateway.tools.writes.inverse import decode, take_back
from productive_gateway.tools.writes.writes import Writes

DAY = date(2026, 11, 23)


class Entries(Answer):
    entries: tuple[TimeEntry, ...] = has.many(lambda: TimeEntry, default=())
    changed: tuple[Change, ...] = has.many(lambda: Change, default=())


def new(minutes: int, note: str = "x") -> dict[str, Any]:
    return {
        "date": DAY,
        "hours": minutes,
        "note": note,
        "person": "9104",
        "service": "16880011",
    }


@tool(title="Track", kind=Kind.ADDS, cost=Cost(reads=0, writes=1), example=Example("", {}))
async def track(call: Call, *, minutes: int = 60, again: bool = False) -> Entries:
    """Track some minutes on a service that is always the same."""
    made = await call.writes.create(TimeEntry, new(minutes), allow_duplicate=again)
    return Entries(headline="Tracked.", entries=(made,))


@tool(title="Track", kind=Kind.ADDS, cost=Cost(reads=0, writes=1), example=Example("", {}))
async def track_several(call: Call, *, minutes: list[int], bulk: bool = False) -> Entries:
    """Track some minutes on a service that is always the same, several times."""
    made = await call.writes.create_each(TimeEntry, [new(one) for one in minutes], bulk=bulk)
    records = tuple(one.record for one in made if one.record is not None)
    for number, one in enumerate(made):
        if one.error is not None:
            call.warn(f"{number}: {call.explain.explain(one.error).code}")
        if one.repeats is not None:
            call.warn(f"{number} repeats {one.repeats}")
    return Entries(headline="Tracked.", entries=records)


@tool(title="Change", kind=Kind.CHANGES, cost=Cost(reads=1, writes=1), example=Example("", {}))
async def change(call: Call, *, entry: str, note: Line = None) -> Entries:
    """Change the note of an entry to another one, whatever it was."""
    before = await call.records.get(TimeEntry, entry)
    after = await call.writes.update(before, {"note": note, "hours": 30})
    return Entries(
        headline="Changed.", entries=(after,), changed=changes(before, after, ["note", "hours"])
    )


@tool(title="Remove", kind=Kind.DELETES, cost=Cost(reads=1, writes=1), example=Example("", {}))
async def remove(call: Call, *, entry: str, confirm: Confirm = None) -> Entries:
    """Delete an entry after the user agreed to what the preview showed."""
    found = await call.records.get(TimeEntry, entry)
    await call.confirm("Delete a time entry", [f"{found.minutes} minutes"], given=confirm)
    await call.writes.delete(found)
    return Entries(headline="Deleted.")


ALL: tuple[Tool, ...] = (track, track_several, change, remove)


def stored(tools: SimulatedTools, *, note: str = "x") -> list[Any]:
    return [one for one in tools.world.state.all("time_entries") if one.attributes["note"] == note]


async def undo(tools: SimulatedTools, writes: Writes, handle: str) -> Sequence[Any]:
    who = principal()
    content = await writes.undos.inverse_of(who.person, handle)
    records = Records(tools.api.session(who))
    begin = partial(writes.undos.redeem, who.person, handle)
    return await take_back(records, decode(content), begin=begin)


def shared(tools_time: Any = system_clock) -> Writes:
    return Writes.over(PersonLedgers(MemoryGrantStore(), KEYS, clock=tools_time), KEYS)
