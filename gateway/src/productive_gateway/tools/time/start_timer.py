"""start_timer: starts the clock on a service, or goes on with an entry."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.record import Linked
from productive_gateway.productive.records.time import TimeEntry, Timer
from productive_gateway.productive.wire.errors import ProductiveError, StateUnknown
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.kit.parameters import Project, Reference, Task, Text
from productive_gateway.tools.kit.read import invalid
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.time.timer_runs import (
    RunningTimer,
    completed,
    lasted,
    place,
    row,
    stopped,
)
from productive_gateway.tools.tracking.entries import running_timer
from productive_gateway.tools.tracking.services import Target, Targets, Wanted

_JUST: Final = timedelta(seconds=60)


class Started(Answer):
    """The answer of start_timer."""

    timer: RunningTimer | None = has.one(lambda: RunningTimer)
    stopped_previous: TimeEntry | None = has.one(
        lambda: TimeEntry, default=None, label="stopped before"
    )


@tool(
    title="Start timer",
    kind=Kind.ADDS,
    cost=Cost(reads=6, writes=3),
    example=Example(
        "Start the clock for design on the website relaunch",
        {"project": "Website relaunch", "service": "design"},
    ),
)
async def start_timer(
    call: Call,
    *,
    project: Project = None,
    task: Task = None,
    service: Annotated[Reference, Field(description="only if asked for")] = None,
    entry: Annotated[Reference, Field(description="id of an entry to go on with")] = None,
    note: Text = None,
) -> Started:
    """Start the user's timer on a project, task or service, or go on with an entry of theirs.

    A timer that runs is stopped first, and the answer says how long it ran. stop_timer ends it.
    """
    running, (target, known) = await asyncio.gather(
        running_timer(call.records, call.me.person_id),
        _wanted(call, Wanted(project, task, service), entry),
    )
    if running is not None and _is_on(running, target, known):
        return Started(
            headline=f"The timer runs already on {place(running.entry)}; nothing was started.",
            timer=_shown(call, running),
        )
    previous = await stopped(call, running) if running is not None else None
    try:
        timer = await _start(call, target, known)
    except ProductiveError as error:
        if previous is None:
            raise
        problem = call.explain.explain(error)
        told = f"The timer before is stopped ({lasted(previous)}), but no new one was started. "
        raise ToolError(replace(problem, message=told + problem.message)) from error
    if timer.entry is not None:
        chosen = target.task.id if target is not None and target.task is not None else None
        entry_now = await completed(call, timer.entry, note=note, task=chosen)
    else:
        entry_now = None
    told = f" The one before is stopped: {lasted(previous)}." if previous is not None else ""
    implied = target.implied if target is not None else None
    return Started(
        headline=f"The timer runs on {place(entry_now)}.{told}",
        timer=RunningTimer(
            id=timer.id,
            since=timer.started,
            entry=row(call, entry_now) if entry_now is not None else None,
        ),
        stopped_previous=row(call, previous) if previous is not None else None,
        resolved=(implied,) if implied is not None else (),
    )


async def _wanted(
    call: Call, wanted: Wanted, entry: str | None
) -> tuple[Target | None, TimeEntry | None]:
    """Return the service, or the entry to go on with."""
    if entry is None:
        if wanted == Wanted(None, None, None):
            raise invalid(
                "project",
                "It is not said what the time is for.",
                "Set project, task, service or entry; ask the user if you do not know it.",
            )
        return await Targets(call, call.me.person_id).find(wanted), None
    ids = call.names.read(RecordKind.TIME_ENTRY, entry, "entry").ids
    if not ids:
        raise invalid("entry", "This is no id of a time entry.", "list_time has the ids.")
    found = await call.records.get(TimeEntry, ids[0])
    if found.person is not None and found.person.id != call.me.person_id:
        raise invalid("entry", f"The entry {found.id} is of {found.person.name}.", "Ask the user.")
    if found.locked is not None:
        raise ToolError(
            Problem(
                "period_locked",
                f"The entry {found.id} cannot be changed: {found.locked}.",
                "Start the timer on its project, task or service instead.",
                field="entry",
            )
        )
    return None, found


def _is_on(running: Timer, target: Target | None, known: TimeEntry | None) -> bool:
    """Return whether a timer runs on what is wanted."""
    entry = running.entry
    if entry is None:
        return False
    if known is not None or target is None:
        return known is not None and entry.id == known.id
    task = target.task.id if target.task else None
    same_task = (entry.task.id if entry.task else None) == task
    return entry.service is not None and entry.service.id == target.service.id and same_task


async def _start(call: Call, target: Target | None, known: TimeEntry | None) -> Timer:
    values: dict[str, Linked] = {}
    if known is not None:
        values = {"time_entry": Linked("time_entries", known.id)}
    elif target is not None:
        values = {
            "service": Linked("services", target.service.id),
            "person": Linked("people", call.me.person_id),
        }
    try:
        return await call.writes.start(Timer, values)
    except StateUnknown:
        # There is one running timer at most, so a look tells.
        timer = await running_timer(call.records, call.me.person_id)
        if timer is None or timer.started is None or call.now - timer.started > _JUST:
            raise
        return timer


def _shown(call: Call, timer: Timer) -> RunningTimer:
    return RunningTimer(
        id=timer.id,
        since=timer.started,
        entry=row(call, timer.entry) if timer.entry is not None else None,
    )
