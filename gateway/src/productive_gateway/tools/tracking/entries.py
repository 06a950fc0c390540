"""Time entries of days, the sums of days, and the running timer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.store import Filters, Records, Rows
from productive_gateway.productive.records.time import TimeEntry, Timer
from productive_gateway.productive.working_hours import Availability
from productive_gateway.tools.tracking.capacity import spans, usual_minutes


class DayTotal(has.Declared):
    """The time tracked on a day, and the working hours of that day if they are known."""

    date: date = has.day(label="")
    tracked: int = has.minutes(default=0, label="")
    capacity: int | None = has.minutes(label="of")


def day_total(day: date, minutes: int, availabilities: Sequence[Availability]) -> DayTotal:
    """Return the sum of a day."""
    return DayTotal(date=day, tracked=minutes, capacity=usual_minutes(day, availabilities))


def total_text(total: DayTotal) -> str:
    """Return "6.50 of 8 h", or "6.50 h" if the working hours are unknown."""
    tracked = f"{total.tracked / 60:.2f}"
    if total.capacity is None:
        return f"{tracked} h"
    return f"{tracked} of {Decimal(total.capacity) / 60:g} h"


async def entries_between(
    records: Records, person_id: str, first: date, last: date, **more: str
) -> Rows[TimeEntry]:
    """Return a person's time entries of a period, oldest first.

    Args:
        records: reads them.
        person_id: whose they are.
        first: day.
        last: day, included.
        more: further filters.
    """
    filters: Filters = {"person_id": person_id, "after": first, "before": last, **more}
    found = await records.all(TimeEntry, filters, sort="date")
    # Productive has accepted filters before without applying them.
    rows = tuple(
        row
        for row in found.rows
        if (row.date is None or first <= row.date <= last)
        and (row.person is None or row.person.id == person_id)
    )
    return Rows(rows, found.total, found.complete)


async def entries_on(
    records: Records, person_id: str, days: Iterable[date]
) -> tuple[TimeEntry, ...]:
    """Return a person's time entries around some days, all of those days included."""
    found = await asyncio.gather(
        *(entries_between(records, person_id, *period) for period in spans(days))
    )
    return tuple(row for rows in found for row in rows.rows)


async def running_timer(records: Records, person_id: str) -> Timer | None:
    """Return a person's running timer."""
    filters = {"person_id": person_id, "stopped_at][eq": ""}
    timer = await records.first(Timer, filters)
    if timer is None or timer.started is None or timer.stopped is not None:
        return None
    return timer if timer.person_id in {None, person_id} else None


def shown(entry: TimeEntry, me: str) -> TimeEntry:
    """Return an entry as answers show it: without what is the same for every entry.

    Args:
        entry: as it was read.
        me: id of the calling person.
    """
    person = entry.person
    return replace(
        entry,
        billable_hours=None if entry.billable_hours == entry.hours else entry.billable_hours,
        person=None if person is None or person.id == me else person,
        approved=entry.approved and entry.needs_approval,
    )
