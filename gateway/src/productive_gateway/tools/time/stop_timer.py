"""stop_timer: stops the user's timer, and keeps or discards what it counted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.productive.wire.errors import StateUnknown
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.kit.parameters import Confirm, Text
from productive_gateway.tools.time.timer_runs import completed, lasted, place, row, stopped
from productive_gateway.tools.tracking.entries import running_timer


class Stopped(Answer):
    """The answer of stop_timer."""

    entry: TimeEntry | None = has.one(lambda: TimeEntry, default=None)
    discarded: bool = has.flag(default=False)


@tool(
    title="Stop timer",
    kind=Kind.CHANGES,
    cost=Cost(reads=3, writes=2),
    example=Example(
        "Stop the clock: header variants",
        {"note": "Header variants"},
        first=("start_timer", {"project": "Website relaunch", "service": "design"}),
    ),
)
async def stop_timer(
    call: Call,
    *,
    note: Annotated[Text, Field(description="added to the entry")] = None,
    discard: Annotated[bool, Field(description="throw the counted time away")] = False,
    confirm: Confirm = None,
) -> Stopped:
    """Stop the user's running timer; its whole minutes are added to its time entry.

    discard=true throws this run away: the entry goes back to what it had, or is deleted if the run
    made it.
    """
    timer = await running_timer(call.records, call.me.person_id)
    if timer is None:
        raise ToolError(_NOTHING_RUNS)
    before = timer.entry
    if discard:
        since = f"{timer.started:%H:%M}" if timer.started else "?"
        told = [f"running since {since} on {place(before)} ({before.id if before else timer.id})"]
        await call.confirm("Throw the time of the running timer away", told, given=confirm)
    try:
        entry = await stopped(call, timer)
    except StateUnknown:
        if await running_timer(call.records, call.me.person_id) is not None or before is None:
            raise
        entry = await call.records.get(TimeEntry, before.id)
    if discard:
        return await _discarded(call, entry, before.minutes if before is not None else 0)
    entry = await completed(call, entry, note=note)
    return Stopped(headline=f"Stopped: {lasted(entry)}.", entry=row(call, entry))


async def _discarded(call: Call, entry: TimeEntry, minutes: int) -> Stopped:
    if minutes == 0:
        await call.writes.delete(entry)
        return Stopped(
            headline=f"Stopped, and deleted the entry {entry.id} on {place(entry)}.",
            discarded=True,
        )
    kept = await call.writes.update(entry, {"hours": minutes})
    return Stopped(
        headline=f"Stopped; the entry is as before: {lasted(kept)}.",
        entry=row(call, kept),
        discarded=True,
    )


_NOTHING_RUNS = Problem(
    "not_found",
    "No timer of yours is running.",
    "To log time that was worked, use log_time; start_timer starts the clock.",
)
