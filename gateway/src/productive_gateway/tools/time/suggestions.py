"""Suggests entries for days on which time is missing; each is valid input for log_time.

The sources, the surest first: work that was booked, tasks that the person closed or commented on
that day, and what they tracked a week before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.store import Rows
from productive_gateway.productive.records.time import CommentedTask, TimeEntry, TouchedTask
from productive_gateway.tools.call import Call
from productive_gateway.tools.tracking.capacity import Calendar, visible
from productive_gateway.tools.words import untrusted
from productive_gateway.tools.words.durations import hours_text

WEEK: Final = timedelta(days=7)
_QUARTER: Final = 15
_MOST_FOR_A_TASK: Final = 120
"""Minutes that are suggested for a task, about which nothing but its name is known."""
_MOST_A_DAY: Final = 5


class Suggestion(has.Declared):
    """An entry that may be missing; service and task are in the form that log_time takes."""

    date: date = has.day(label="")
    hours: int = has.minutes(default=0, label="")
    service: str | None = has.ident(default=None)
    task: str | None = has.ident(default=None)
    why: str = has.line(default="", label="because:")


@dataclass(frozen=True, slots=True)
class Missing:
    """A day on which time is missing."""

    day: date
    gap: int
    entries: tuple[TimeEntry, ...]


@dataclass(frozen=True, slots=True)
class Traces:
    """What may tell how a person spent their days."""

    calendar: Calendar
    touched: Mapping[date, Sequence[tuple[TouchedTask, str]]]
    """Tasks by day, with what the person did to them."""
    week_before: Mapping[date, Sequence[TimeEntry]]
    """What was tracked seven days before a day."""


@dataclass(slots=True)
class _Day:
    """The suggestions for one day, as they are collected."""

    missing: Missing
    left: int
    found: list[Suggestion] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    """Ids of services and tasks that are tracked or suggested already."""

    def suggest(self, minutes: int, why: str, *, service: str = "", task: str = "") -> None:
        minutes = min(minutes, self.left)
        if minutes <= 0 or len(self.found) >= _MOST_A_DAY:
            return
        self.left -= minutes
        self.found.append(
            Suggestion(
                date=self.missing.day,
                hours=minutes,
                service=service or None,
                task=task or None,
                why=why,
            )
        )


def suggestions(days: Sequence[Missing], traces: Traces) -> Iterator[Suggestion]:
    """Yield suggestions that fill the gaps, as far as anything is known."""
    for missing in days:
        day = _Day(missing, missing.gap)
        day.done |= {one.task.id for one in missing.entries if one.task}
        _from_bookings(day, traces.calendar)
        _from_tasks(day, traces.touched.get(missing.day, ()))
        _from_week_before(day, traces.week_before.get(missing.day, ()))
        yield from day.found


async def touched_tasks(
    call: Call, person_id: str, first: date, last: date
) -> dict[date, list[tuple[TouchedTask, str]]]:
    """Read which tasks a person closed or commented on, by day."""
    closed, comments = await asyncio.gather(
        visible(
            call.records,
            TouchedTask,
            {
                "assignee_id": person_id,
                "status": "2",
                "closed_after": first,
                "closed_before": last,
            },
        ),
        visible(
            call.records,
            CommentedTask,
            {"creator_id": person_id, "type": "1", "after": first, "before": last},
        ),
    )
    zone = call.me.time_zone
    found: dict[date, list[tuple[TouchedTask, str]]] = {}
    for task in closed.rows:
        if (day := _day(task.closed_at, zone)) is not None:
            found.setdefault(day, []).append((task, "closed"))
    said = [one for one in comments.rows if one.parent_type == "Task" and one.parent_id]
    ids = dict.fromkeys(one.parent_id for one in said if one.parent_id)
    tasks = {one.id: one for one in (await _tasks(call, list(ids))).rows}
    for one in said:
        commented, day = tasks.get(one.parent_id or ""), _day(one.at, zone)
        if commented is not None and day is not None:
            found.setdefault(day, []).append((commented, "commented on"))
    return found


async def _tasks(call: Call, ids: Sequence[str]) -> Rows[TouchedTask]:
    if not ids:
        return Rows((), None, complete=True)
    return await visible(call.records, TouchedTask, {"id": ids})


def _from_bookings(day: _Day, calendar: Calendar) -> None:
    for booking, booked in calendar.booked(day.missing.day):
        service = booking.service
        if service is None:
            continue
        entries = day.missing.entries
        tracked = sum(
            one.minutes for one in entries if one.service and one.service.id == service.id
        )
        day.suggest(
            booked - tracked,
            f"booked {hours_text(booked)} h, tracked {hours_text(tracked)} h",
            service=_form(service.name, service.id),
        )
        day.done.add(service.id)


def _from_tasks(day: _Day, touched: Sequence[tuple[TouchedTask, str]]) -> None:
    new: dict[str, tuple[TouchedTask, str]] = {}
    for task, what in touched:
        if task.id not in day.done and task.service is not None:
            new.setdefault(task.id, (task, what))
    if not new:
        return
    share = day.left // len(new) // _QUARTER * _QUARTER
    for task, what in new.values():
        day.suggest(
            min(share, _MOST_FOR_A_TASK),
            f"you {what} it that day",
            task=_form(task.name, task.id),
        )
        day.done.add(task.id)


def _from_week_before(day: _Day, before: Sequence[TimeEntry]) -> None:
    tracked = {one.service.id for one in day.missing.entries if one.service}
    for entry in before:
        service, task = entry.service, entry.task
        if service is None or service.id in tracked | day.done or (task and task.id in day.done):
            continue
        day.suggest(
            entry.minutes,
            "tracked a week before",
            service=_form(service.name, service.id),
            task=_form(task.name, task.id) if task else "",
        )


def _form(name: str, number: str) -> str:
    return f"{untrusted.name(name)} ({number})"


def _day(moment: datetime | None, zone: tzinfo) -> date | None:
    return None if moment is None else moment.astimezone(zone).date()
