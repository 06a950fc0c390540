"""get_timesheet: the days of a person, with what is missing and how to fill it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import Period, Person
from productive_gateway.tools.kit.read import invalid, read_period
from productive_gateway.tools.time.situations import submitted_days
from productive_gateway.tools.time.suggestions import (
    WEEK,
    Missing,
    Suggestion,
    Traces,
    suggestions,
    touched_tasks,
)
from productive_gateway.tools.tracking.capacity import Calendar, Tracker, calendar_of, tracker_of
from productive_gateway.tools.tracking.entries import entries_between, shown
from productive_gateway.tools.words import untrusted
from productive_gateway.tools.words.durations import hours_text

MOST_DAYS: Final = 62
MOST_DAYS_WITH_ENTRIES: Final = 14
"""Of longer periods only the sums are told: list_time has the entries."""


class TimesheetDay(has.Declared):
    """One day."""

    date: date = has.day(label="")
    weekday: str = has.word(default="", label="")
    tracked: int = has.minutes(default=0, label="")
    capacity: int | None = has.minutes(label="of")
    gap: int | None = has.minutes(default=None, label="missing")
    holiday: str | None = has.line(default=None)
    absence: int | None = has.minutes(default=None)
    absent: str | None = has.line(default=None, label="")
    state: str | None = has.word(default=None, label="")
    entries: tuple[TimeEntry, ...] = has.many(lambda: TimeEntry, default=())


class Totals(has.Declared):
    """The sums of a period."""

    tracked: int = has.minutes(default=0)
    capacity: int | None = has.minutes(default=None, label="of")
    gap: int | None = has.minutes(default=None, label="missing")
    billable: int = has.minutes(default=0)


class Timesheet(Answer):
    """The answer of get_timesheet."""

    totals: Totals | None = has.one(lambda: Totals)
    days: tuple[TimesheetDay, ...] = has.many(lambda: TimesheetDay, label="")
    suggestions: tuple[Suggestion, ...] = has.many(
        lambda: Suggestion, default=(), label="suggestions for log_time"
    )


@tool(
    title="Get timesheet",
    kind=Kind.READS,
    cost=Cost(reads=9),
    example=Example("What did I track last week, and what is missing?", {"period": "last_week"}),
)
async def get_timesheet(
    call: Call, *, period: Period = "this_week", person: Person = None
) -> Timesheet:
    """Days of a period with hours tracked, working hours, gaps, absences, holidays and state.

    Suggestions fill the gaps from bookings, from tasks that were closed or commented on, and from
    the week before: show them to the user, and pass those that they confirm to log_time.
    """
    wanted = read_period(period or "this_week", "period", call.today, direction="past")
    days = [
        wanted.first + timedelta(days=offset)
        for offset in range((wanted.last - wanted.first).days + 1)
    ]
    if len(days) > MOST_DAYS:
        raise invalid("period", f"{len(days)} days are too many.", f"At most {MOST_DAYS} days.")
    tracker = await tracker_of(call, person)
    rows, calendar, submitted = await asyncio.gather(
        entries_between(call.records, tracker.id, days[0] - WEEK, days[-1]),
        calendar_of(call.records, tracker, days),
        submitted_days(call, tracker, days),
    )
    by_day: dict[date, list[TimeEntry]] = {}
    for entry in rows.rows:
        if entry.date is not None:
            by_day.setdefault(entry.date, []).append(entry)
    if not (rows.complete and calendar.complete):
        call.warn("There are more entries than could be read: the sums are too low.")
    sheet = [
        _day(call, tracker, calendar, day, by_day.get(day, ()), submitted=day in submitted)
        for day in days
    ]
    totals = _totals(sheet)
    return Timesheet(
        headline=_headline(wanted.label, tracker, sheet, totals),
        totals=totals,
        days=tuple(
            sheet
            if len(days) <= MOST_DAYS_WITH_ENTRIES
            else (replace(d, entries=()) for d in sheet)
        ),
        suggestions=tuple(await _suggestions(call, tracker, calendar, sheet, by_day)),
    )


def _day(
    call: Call,
    tracker: Tracker,
    calendar: Calendar,
    day: date,
    entries: Sequence[TimeEntry],
    *,
    submitted: bool,
) -> TimesheetDay:
    here = calendar.day(day)
    tracked = sum(one.minutes for one in entries)
    missing = (here.capacity or 0) - tracked if day <= call.today else 0
    closed = call.me.time_locks.closed(day) and not tracker.unlocked
    return TimesheetDay(
        date=day,
        weekday=f"{day:%a}",
        tracked=tracked,
        capacity=here.capacity,
        gap=missing if missing > 0 else None,
        holiday=here.holiday,
        absence=here.absence or None,
        absent=here.absent,
        state="submitted" if submitted else "closed" if closed else None,
        entries=tuple(replace(shown(one, tracker.id), date=None, budget=None) for one in entries),
    )


def _totals(days: Sequence[TimesheetDay]) -> Totals:
    known = [one.capacity for one in days if one.capacity is not None]
    entries = [entry for one in days for entry in one.entries]
    billable = sum(
        one.hours if one.billable_hours is None else one.billable_hours for one in entries
    )
    return Totals(
        tracked=sum(one.tracked for one in days),
        capacity=sum(known) if known else None,
        gap=sum(one.gap or 0 for one in days) or None,
        billable=billable,
    )


def _headline(label: str, tracker: Tracker, days: Sequence[TimesheetDay], totals: Totals) -> str:
    whose = "" if tracker.me else f" for {untrusted.name(tracker.name)} ({tracker.id})"
    of = "" if totals.capacity is None else f" of {totals.capacity / 60:g}"
    lead = f"{label[:1].upper()}{label[1:]}{whose}: {hours_text(totals.tracked)}{of} h tracked"
    gaps = [f"{one.weekday} {one.date.isoformat()}" for one in days if one.gap]
    if not gaps:
        return f"{lead}; nothing is missing so far."
    where = ", ".join(gaps[:7]) + (f" and {len(gaps) - 7} more days" if len(gaps) > 7 else "")
    return f"{lead}; {hours_text(totals.gap or 0)} h are missing on {where}."


async def _suggestions(
    call: Call,
    tracker: Tracker,
    calendar: Calendar,
    days: Sequence[TimesheetDay],
    by_day: Mapping[date, Sequence[TimeEntry]],
) -> list[Suggestion]:
    missing = [
        Missing(one.date, one.gap, tuple(by_day.get(one.date, ())))
        for one in days
        if one.gap and one.state is None
    ]
    if not missing:
        return []
    touched = await touched_tasks(call, tracker.id, missing[0].day, missing[-1].day)
    before = {one.day: by_day.get(one.day - WEEK, ()) for one in missing}
    return list(suggestions(missing, Traces(calendar, touched, before)))
