"""submit_timesheet: submits the days of a period, after the user saw what is missing on them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.time import TimeEntry, Timesheet
from productive_gateway.productive.wire.errors import FeatureOff, NotFound, Refused
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.kit.parameters import Confirm, Period, Person
from productive_gateway.tools.kit.read import invalid, read_period
from productive_gateway.tools.time.get_timesheet import MOST_DAYS
from productive_gateway.tools.time.situations import submitted_days
from productive_gateway.tools.tracking.capacity import Calendar, Tracker, calendar_of, tracker_of
from productive_gateway.tools.tracking.entries import entries_between, running_timer
from productive_gateway.tools.words.durations import hours_text
from productive_gateway.tools.writes.writer import Made


class SubmittedDay(has.Declared):
    """What became of a day."""

    date: date = has.day(label="")
    weekday: str = has.word(default="", label="")
    tracked: int = has.minutes(default=0, label="")
    capacity: int | None = has.minutes(default=None, label="of")
    gap: int | None = has.minutes(default=None, label="missing")
    submitted: bool = has.flag(default=False)
    reason: str | None = has.line(default=None, label="not submitted:")


class Submission(Answer):
    """The answer of submit_timesheet."""

    days: tuple[SubmittedDay, ...] = has.many(lambda: SubmittedDay, default=(), label="")


@tool(
    title="Submit timesheet",
    kind=Kind.CHANGES,
    cost=Cost(reads=7, writes=1),
    example=Example("Submit my timesheet of last week", {"period": "last_week"}),
)
async def submit_timesheet(
    call: Call, *, period: Period = "last_week", person: Person = None, confirm: Confirm = None
) -> Submission:
    """Submit the days of a period for approval; a submitted day takes no more changes.

    The first call shows the hours and gaps of each day and asks: show them to the user. Days that
    are submitted already, closed or still to come are left out, with the reason.
    """
    wanted = read_period(period or "last_week", "period", call.today, direction="past")
    if wanted.days > MOST_DAYS:
        raise invalid("period", f"{wanted.days} days are too many.", f"At most {MOST_DAYS} days.")
    days = [wanted.first + timedelta(days=offset) for offset in range(wanted.days)]
    tracker = await tracker_of(call, person)
    rows, calendar, before, timer = await asyncio.gather(
        entries_between(call.records, tracker.id, wanted.first, wanted.last),
        calendar_of(call.records, tracker, days),
        submitted_days(call, tracker, days),
        running_timer(call.records, tracker.id),
    )
    running = timer.entry.date if timer is not None and timer.entry is not None else None
    sheet = {day: _day(calendar, day, rows.rows) for day in days}
    reasons = {
        day: reason
        for day in days
        if (reason := _reason(call, tracker, day, submitted=day in before, running=day == running))
    }
    open_days = [day for day in days if day not in reasons]
    if not open_days:
        return Submission(
            headline=f"Nothing is left to be submitted, {wanted.label}.",
            days=tuple(_told(sheet[day], reasons.get(day)) for day in days),
        )
    whose = "" if tracker.me else f" of {tracker.name} ({tracker.id})"
    title = f"Submit {len(open_days)} days{whose}, {wanted.label}"
    await call.confirm(title, [_line(sheet[day]) for day in open_days], given=confirm)
    failed = await _submit(call, tracker, open_days)
    if len(failed) == len(open_days):
        problem = next(iter(failed.values()))
        raise ToolError(replace(problem, message=f"No day was submitted. {problem.message}"))
    reasons |= {day: problem.message for day, problem in failed.items()}
    done = [day for day in days if day not in reasons]
    gap = sum(sheet[day].gap or 0 for day in done)
    missing = f" {hours_text(gap)} h are missing on them." if gap else ""
    return Submission(
        headline=f"Submitted {len(done)} of {len(days)} days, {wanted.label}.{missing}",
        days=tuple(_told(sheet[day], reasons.get(day)) for day in days),
    )


def _day(calendar: Calendar, day: date, entries: Sequence[TimeEntry]) -> SubmittedDay:
    tracked = sum(one.minutes for one in entries if one.date == day)
    capacity = calendar.day(day).capacity
    missing = (capacity or 0) - tracked
    return SubmittedDay(
        date=day,
        weekday=f"{day:%a}",
        tracked=tracked,
        capacity=capacity,
        gap=missing if missing > 0 else None,
    )


def _told(day: SubmittedDay, reason: str | None) -> SubmittedDay:
    return SubmittedDay(
        date=day.date,
        weekday=day.weekday,
        tracked=day.tracked,
        capacity=day.capacity,
        gap=day.gap,
        submitted=reason is None,
        reason=reason,
    )


def _line(day: SubmittedDay) -> str:
    of = "" if day.capacity is None else f" of {day.capacity / 60:g}"
    missing = f" ({hours_text(day.gap)} h missing)" if day.gap else ""
    return f"{day.weekday} {day.date.isoformat()}: {hours_text(day.tracked)}{of} h{missing}"


def _reason(
    call: Call, tracker: Tracker, day: date, *, submitted: bool, running: bool
) -> str | None:
    """Return why a day is not to be submitted; None if it is."""
    if submitted:
        return "it is submitted already"
    if day > call.today:
        return "it is still to come"
    if call.me.time_locks.closed(day) and not tracker.unlocked:
        return f"the books are closed up to {call.me.time_locks.until}"
    return "a timer is running on it; stop it first" if running else None


async def _submit(call: Call, tracker: Tracker, days: Sequence[date]) -> dict[date, Problem]:
    """Submit days, and return why those were not that were not."""
    if len(days) > 1:
        await call.progress(0, len(days), f"Submitting {len(days)} days.")
    made = await _create(call, tracker, days, bulk=len(days) > 1)
    if len(days) > 1 and all(isinstance(one.error, _NO_BULK) for one in made.values()):
        there = await submitted_days(call, tracker, days)
        made = await _create(call, tracker, [day for day in days if day not in there], bulk=False)
    # It was looked up before: what was taken back since is to be submitted again.
    again = [day for day, one in made.items() if one.deleted]
    if again:
        made |= await _create(call, tracker, again, bulk=len(again) > 1, allow_duplicate=True)
    return {
        day: call.explain.explain(one.error) for day, one in made.items() if one.error is not None
    }


async def _create(
    call: Call,
    tracker: Tracker,
    days: Sequence[date],
    *,
    bulk: bool,
    allow_duplicate: bool = False,
) -> dict[date, Made[Timesheet]]:
    made = await call.writes.create_each(
        Timesheet,
        [{"date": day, "person": tracker.id} for day in days],
        allow_duplicate=[allow_duplicate] * len(days),
        bulk=bulk,
    )
    return dict(zip(days, made, strict=True))


_NO_BULK: Final = (Refused, NotFound, FeatureOff)
"""Errors of a bulk request that may be about one of its days, or about bulk requests."""
