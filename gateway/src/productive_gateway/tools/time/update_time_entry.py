"""update_time_entry: corrects an entry, or moves it to another day, task, service or project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.budgets import Service
from productive_gateway.productive.records.projects import ProjectRef
from productive_gateway.productive.records.tasks import TaskRow
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.kit.parameters import (
    LONGEST_REFERENCE,
    Confirm,
    Day,
    Hours,
    Line,
    Project,
    Reference,
    Text,
    reference_in,
)
from productive_gateway.tools.kit.read import invalid, read_day, read_minutes
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.time.entry_writes import html_of
from productive_gateway.tools.time.situations import situation_of
from productive_gateway.tools.tracking.capacity import tracker_of
from productive_gateway.tools.tracking.entries import shown
from productive_gateway.tools.tracking.rules import NewTime, refusal, warnings
from productive_gateway.tools.tracking.services import Target, Targets, Wanted
from productive_gateway.tools.words.durations import DurationError, minutes_between
from productive_gateway.tools.writes.compare import Change, changes, differences

NONE: Final = "none"
EntryId = Annotated[
    str, BeforeValidator(reference_in), Field(max_length=LONGEST_REFERENCE, description="id")
]


class Changed(Answer):
    """The answer of update_time_entry."""

    entry: TimeEntry | None = has.one(lambda: TimeEntry, label="now")
    changed: tuple[Change, ...] = has.many(lambda: Change, default=(), label="changed")


@tool(
    title="Update time entry",
    kind=Kind.CHANGES,
    cost=Cost(reads=12, writes=1),
    example=Example(
        "Make that entry one and a half hours, and move it to Thursday",
        {"entry": "163000515", "hours": 1.5, "date": "thursday"},
    ),
)
async def update_time_entry(
    call: Call,
    *,
    entry: EntryId,
    hours: Hours = None,
    start: Line = None,
    end: Line = None,
    date: Day = None,
    note: Annotated[Text, Field(description='"none" removes it')] = None,
    project: Project = None,
    task: Annotated[Reference, Field(description='title, "#87", id or "none"')] = None,
    service: Reference = None,
    billable_hours: Hours = None,
    confirm: Confirm = None,
) -> Changed:
    """Correct a time entry, or move it to another day, task, service or project.

    Only what is given changes. Entries that are invoiced, approved or submitted are refused with
    the reason. list_time and get_timesheet have the ids of entries.
    """
    before = await _entry(call, entry)
    _open(call, before)
    values: dict[str, Any] = {}
    if date is not None:
        values["date"] = read_day(date, "date", call.today, direction="past")
    if hours is not None:
        values["hours"] = read_minutes(hours, "hours")
    if start is not None or end is not None:
        values |= _range(call, before, values, start, end)
    if billable_hours is not None:
        values["billable_hours"] = read_minutes(billable_hours, "billable_hours")
    if note is not None:
        values["note"] = None if note.lower() == NONE else html_of(note)
    person = before.person.id if before.person else call.me.person_id
    target = await _target(call, person, before, Wanted(project, task, service))
    if target is not None:
        values["service"] = target.service.id
        values["task"] = target.task.id if target.task else None
    elif task is not None and task.lower() == NONE:
        values["task"] = None
    values = {name: values[name] for name in differences(before, values)}
    if not values:
        return Changed(
            headline=f"The entry {before.id} is like that already; nothing was changed.",
            entry=shown(before, call.me.person_id),
        )
    await _check(call, person, before, values, target)
    if person != call.me.person_id:
        name = before.person.name if before.person else person
        told = [f"{key}: {value}" for key, value in values.items()]
        await call.confirm(f"Change the time entry {before.id} of {name}", told, given=confirm)
    after = await call.writes.update(before, values)
    names = [*values, "project"] if "service" in values else list(values)
    changed = changes(before, after, names)
    return Changed(
        headline=f"Changed the entry {after.id}: {_told(changed)}.",
        entry=shown(after, call.me.person_id),
        changed=changed,
        resolved=(target.implied,) if target is not None and target.implied is not None else (),
    )


async def _entry(call: Call, text: str) -> TimeEntry:
    ids = call.names.read(RecordKind.TIME_ENTRY, text, "entry").ids
    if not ids:
        raise invalid(
            "entry", "This is no id of a time entry.", "list_time has the ids of the entries."
        )
    return await call.records.get(TimeEntry, ids[0])


def _open(call: Call, entry: TimeEntry) -> None:
    """Refuse to change an entry that is locked.

    Raises:
        ToolError: it says why.
    """
    reason = entry.locked
    if entry.date is not None and call.me.time_locks.closed(entry.date) and not call.me.unlocked:
        reason = reason or f"the books are closed up to {call.me.time_locks.until}"
    if reason is not None:
        raise ToolError(
            Problem(
                "period_locked",
                f"The entry {entry.id} cannot be changed: {reason}.",
                "Do not repeat it; somebody who is allowed to has to open it in Productive first.",
                field="entry",
            )
        )


def _range(
    call: Call, before: TimeEntry, values: Mapping[str, Any], start: str | None, end: str | None
) -> dict[str, Any]:
    if start is None or end is None or "hours" in values:
        raise invalid("start", "Give start and end together, and no hours then.")
    try:
        minutes = minutes_between(start, end)
    except DurationError as error:
        raise invalid("start", str(error)) from error
    hour, _, minute = start.strip().partition(":")
    day = values.get("date") or before.date or call.today
    begin = datetime.combine(day, time(int(hour), int(minute)), call.me.time_zone)
    return {"start": begin, "hours": minutes}


async def _target(call: Call, person: str, before: TimeEntry, wanted: Wanted) -> Target | None:
    """Return where the entry is moved to; None if it stays with its service and task."""
    if wanted.task is not None and wanted.task.lower() == NONE:
        wanted = replace(wanted, task=None)
    if wanted == Wanted(None, None, None):
        return None
    targets = Targets(call, person)
    here, service = before.project, before.service
    if wanted.project is not None or here is None or service is None:
        return await targets.find(wanted)
    if wanted.service is None and wanted.task is not None:
        task = await _task(targets, wanted.task, here)
        if task.project is not None and task.project.id != here.id:
            return await targets.find(Wanted(None, task.id, None))
        # Another task of the same project keeps the service.
        return Target(Service(id=service.id, name=service.name), here, task)
    try:
        found = await targets.find(replace(wanted, project=here.id))
    except ToolError as error:
        if error.problem.code not in {"unknown_reference", "cannot_track"}:
            raise
        found = await targets.find(wanted)
    if wanted.task is None and _same(found, before) and before.task is not None:
        return replace(found, task=before.task)
    return found


async def _task(targets: Targets, text: str, here: ProjectRef) -> TaskRow:
    """Return a task, first of the entry's own project."""
    try:
        return await targets.task(text, here.id)
    except ToolError as error:
        if error.problem.code != "unknown_reference":
            raise
    return await targets.task(text, None)


def _same(found: Target, before: TimeEntry) -> bool:
    return bool(found.project and before.project and found.project.id == before.project.id)


async def _check(
    call: Call, person: str, before: TimeEntry, values: Mapping[str, Any], target: Target | None
) -> None:
    """Check the rules if the entry is to be longer, on another day or on another service.

    Raises:
        ToolError: Productive would refuse it.
    """
    if not {"date", "hours", "service", "billable_hours", "start"} & set(values):
        return
    tracker = await tracker_of(call, None if person == call.me.person_id else person)
    day = values.get("date") or before.date or call.today
    situation, _ = await situation_of(call, tracker, [day], thorough=False, without=before.id)
    if target is None and before.service is not None:
        stays = Service(id=before.service.id, name=before.service.name)
        target = Target(stays, before.project, None)
    if target is None:
        return
    new = NewTime(
        day=day,
        minutes=values.get("hours", before.hours),
        billable=values.get("billable_hours"),
        start=values.get("start", before.start),
        note=before.note,
        target=target,
    )
    problem = refusal(new, situation)
    if problem is not None:
        raise ToolError(problem)
    for text in warnings(new, situation):
        call.warn(text)


def _told(changed: tuple[Change, ...]) -> str:
    return "; ".join(
        f"{one.field} from {one.before or 'nothing'} to {one.after or 'nothing'}" for one in changed
    )
