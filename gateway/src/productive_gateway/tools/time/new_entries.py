"""Entries of log_time: what a model writes, and what it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, tzinfo
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, Field

from productive_gateway.tools.kit.arguments import Arguments, as_list
from productive_gateway.tools.kit.errors import Problem
from productive_gateway.tools.kit.parameters import Day, Hours, Line, Project, Reference, Task, Text
from productive_gateway.tools.kit.read import invalid, read_day, read_minutes
from productive_gateway.tools.tracking.services import Wanted
from productive_gateway.tools.words.durations import DurationError, minutes_between

MOST_ENTRIES: Final = 50


class EntryArguments(Arguments):
    """One entry."""

    passed_on: ClassVar = frozenset({"why"})  # of a suggestion of get_timesheet

    hours: Hours = None
    start: Annotated[Line, Field(description='"09:00", with end, instead of hours')] = None
    end: Line = None
    project: Project = None
    task: Task = None
    service: Annotated[Reference, Field(description="only if asked for")] = None
    date: Day = None
    note: Text = None
    billable_hours: Annotated[Hours, Field(description="if not all hours")] = None
    allow_duplicate: Annotated[bool, Field(description="log it although the same exists")] = False


Entries = Annotated[
    list[EntryArguments], BeforeValidator(as_list), Field(min_length=1, max_length=MOST_ENTRIES)
]


@dataclass(frozen=True, slots=True)
class Draft:
    """One entry, read but not resolved."""

    day: date
    minutes: int
    billable: int | None
    start: datetime | None
    note: str | None
    wanted: Wanted
    allow_duplicate: bool


def draft_of(entry: EntryArguments, zone: tzinfo, today: date) -> Draft:
    """Read one entry.

    Raises:
        ToolError: a value is not of a form that is understood.
    """
    if entry.project is None and entry.task is None and entry.service is None:
        raise invalid(
            "",
            "The entry does not say what the time is for.",
            "Set project, task or service; ask the user if you do not know it.",
        )
    day = today
    if entry.date is not None:
        day = read_day(entry.date, "date", today, direction="past")
    minutes, begin = _length(entry)
    if minutes == 0:
        raise invalid("hours", "There are no hours to log.", "Set more than 0 hours.")
    billable = entry.billable_hours
    return Draft(
        day=day,
        minutes=minutes,
        billable=None if billable is None else read_minutes(billable, "billable_hours"),
        start=datetime.combine(day, begin, zone) if begin else None,
        note=entry.note,
        wanted=Wanted(entry.project, entry.task, entry.service),
        allow_duplicate=entry.allow_duplicate,
    )


def _length(entry: EntryArguments) -> tuple[int, time | None]:
    by_clock = entry.start is not None or entry.end is not None
    if (entry.hours is not None) == by_clock:
        raise invalid("hours", "The duration is not clear.", "Set either hours, or start and end.")
    if entry.hours is not None:
        return read_minutes(entry.hours, "hours"), None
    if entry.start is None or entry.end is None:
        missing = "end" if entry.end is None else "start"
        raise invalid(missing, f"The {missing} is missing.", "Set start and end.")
    try:
        minutes = minutes_between(entry.start, entry.end)
    except DurationError as error:
        raise invalid("start", str(error)) from error
    hour, _, minute = entry.start.strip().partition(":")
    return minutes, time(int(hour), int(minute))


def placed(problem: Problem, index: int) -> Problem:
    """Return a problem with the path of the entry that it is about."""
    path = f"entries[{index}]"
    return replace(problem, field=f"{path}.{problem.field}" if problem.field else path)
