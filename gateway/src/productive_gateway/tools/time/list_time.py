"""list_time: time entries of a period, one by one or summed up in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.page import cursor_of, page_of
from productive_gateway.tools.kit.parameters import (
    Cursor,
    Period,
    Person,
    Project,
    Query,
    Reference,
    Task,
    word_in,
)
from productive_gateway.tools.kit.read import read_period
from productive_gateway.tools.names.resolver import BUDGETS, PEOPLE, PROJECTS, TASKS
from productive_gateway.tools.tracking.entries import shown
from productive_gateway.tools.words.durations import hours_text

Group = Annotated[
    Literal["none", "day", "week", "project", "service", "task", "person"],
    BeforeValidator(word_in),
]
State = Annotated[
    Literal["approved", "unapproved", "rejected", "submitted", "draft"] | None,
    BeforeValidator(word_in),
]
_STATES: Final = {
    "approved": "1",
    "unapproved": "2",
    "rejected": "3",
    "submitted": "5",
    "draft": "6",
}
MOST_ROWS: Final = 60
"""Entries of one answer: more of them are longer than an answer may be."""
EVERYBODY: Final = frozenset({"all", "everybody", "everyone", "anyone"})


class TimeTotals(has.Declared):
    """The sums of all entries that were found."""

    hours: int = has.minutes(default=0, label="")
    billable_hours: int = has.minutes(default=0, label="billable")
    entries: int = has.count(default=0)


class TimeGroup(has.Declared):
    """The sum of the entries that have something in common."""

    id: str = has.ident(default="", label="")
    name: str = has.name()
    within: str | None = has.line(default=None, label="of")
    hours: int = has.minutes(default=0, label="")
    billable_hours: int | None = has.minutes(default=None, label="billable")
    entries: int = has.count(default=0)


class TimeList(Answer):
    """The answer of list_time."""

    totals: TimeTotals | None = has.one(lambda: TimeTotals)
    complete: bool = has.flag(default=False)
    """Whether the sums count every entry."""
    groups: tuple[TimeGroup, ...] = has.many(lambda: TimeGroup, default=(), label="")
    entries: tuple[TimeEntry, ...] = has.many(lambda: TimeEntry, default=(), label="")


@tool(
    title="List time",
    kind=Kind.READS,
    cost=Cost(reads=8),
    example=Example(
        "How many hours did I spend on each project this month?",
        {"period": "this_month", "group_by": "project"},
    ),
)
async def list_time(
    call: Call,
    *,
    period: Period = "this_week",
    person: Annotated[Person, Field(description='"me", name, e-mail, id or "all"')] = None,
    project: Project = None,
    task: Task = None,
    budget: Reference = None,
    status: State = None,
    query: Query = None,
    group_by: Group = "none",
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 25,
    cursor: Cursor = None,
) -> TimeList:
    """Time entries of a period with their ids, or sums by day, week, project, service or task.

    The user's own unless person says otherwise. The totals count all entries that were found, not
    only those shown. For gaps and working hours use get_timesheet.
    """
    wanted = read_period(period or "this_week", "period", call.today, direction="past")
    narrowed, who = await asyncio.gather(_narrowed(call, project, task, budget), _who(call, person))
    filters: dict[str, Any] = {
        "after": wanted.first,
        "before": wanted.last,
        "status": _STATES[status] if status else None,
        "query": query,
        **who,
        **narrowed,
    }
    found = await call.records.all(TimeEntry, filters, sort="-date")
    rows = [
        row for row in found.rows if row.date is None or wanted.first <= row.date <= wanted.last
    ]
    if not found.complete:
        call.warn("There are too many entries to sum up: ask for a shorter period.")
    totals = _totals(rows)
    lead = f"{hours_text(totals.hours)} h in {len(rows)} entries, {wanted.label}"
    answer = TimeList(
        headline=f"{lead}." if rows else f"No time entries, {wanted.label}.",
        totals=totals if rows else None,
        complete=found.complete,
    )
    if group_by != "none":
        return replace(answer, groups=_groups(rows, _KEYS[group_by]))
    number = page_of(call.ring, call.place, cursor)
    here = rows[(number - 1) * limit : number * limit]
    more = len(rows) > number * limit
    return replace(
        answer,
        entries=tuple(replace(shown(row, call.me.person_id), budget=None) for row in here),
        next_cursor=cursor_of(call.ring, call.place, number + 1) if more else None,
    )


async def _narrowed(
    call: Call, project: str | None, task: str | None, budget: str | None
) -> dict[str, str]:
    within: dict[str, str] = {}
    if project is not None:
        within = {"project_id": (await call.names.one(PROJECTS, project, "project")).id}
    filters = dict(within)
    if task is not None:
        filters["task_id"] = (await call.names.one(TASKS, task, "task", within=within)).id
    if budget is not None:
        filters["budget_id"] = (await call.names.one(BUDGETS, budget, "budget", within=within)).id
    return filters


async def _who(call: Call, person: str | None) -> dict[str, str]:
    if person is not None and person.strip().lower() in EVERYBODY:
        return {}
    if person is None:
        return {"person_id": call.me.person_id}
    return {"person_id": (await call.names.one(PEOPLE, person, "person")).id}


def _totals(rows: Iterable[TimeEntry]) -> TimeTotals:
    listed = list(rows)
    return TimeTotals(
        hours=sum(row.hours for row in listed),
        billable_hours=sum(_billable(row) for row in listed),
        entries=len(listed),
    )


def _billable(row: TimeEntry) -> int:
    return row.hours if row.billable_hours is None else row.billable_hours


Key = tuple[str, str, str | None]
"""Id, name, and what that is in."""


def _groups(rows: Sequence[TimeEntry], key: Callable[[TimeEntry], Key]) -> tuple[TimeGroup, ...]:
    """Return the groups: those of days and weeks by time, others by their hours."""
    by_key: dict[Key, list[TimeEntry]] = {}
    for row in rows:
        by_key.setdefault(key(row), []).append(row)
    made = []
    for (number, name, within), listed in by_key.items():
        sums = _totals(listed)
        made.append(
            TimeGroup(
                id=number,
                name=name,
                within=within,
                hours=sums.hours,
                billable_hours=sums.billable_hours if sums.billable_hours != sums.hours else None,
                entries=sums.entries,
            )
        )
    if all(not one.id for one in made):
        return tuple(sorted(made, key=lambda one: one.name))
    return tuple(sorted(made, key=lambda one: (-one.hours, one.name)))


def _by_day(row: TimeEntry) -> Key:
    return ("", row.date.isoformat() if row.date else "no date", None)


def _by_week(row: TimeEntry) -> Key:
    if row.date is None:
        return ("", "no date", None)
    year, week, _ = row.date.isocalendar()
    return ("", f"{year}-W{week:02}", None)


def _by_project(row: TimeEntry) -> Key:
    found = row.project
    return (found.id, found.name, None) if found else ("", "no project", None)


def _by_service(row: TimeEntry) -> Key:
    found, around = row.service, row.project
    place = f"{around.name} ({around.id})" if around else None
    return (found.id, found.name, place) if found else ("", "no service", place)


def _by_task(row: TimeEntry) -> Key:
    found, around = row.task, row.project
    place = f"{around.name} ({around.id})" if around else None
    return (found.id, found.name, place) if found else ("", "no task", place)


def _by_person(row: TimeEntry) -> Key:
    found = row.person
    return (found.id, found.name, None) if found else ("", "nobody", None)


_KEYS: Final[Mapping[str, Callable[[TimeEntry], Key]]] = {
    "day": _by_day,
    "week": _by_week,
    "project": _by_project,
    "service": _by_service,
    "task": _by_task,
    "person": _by_person,
}
