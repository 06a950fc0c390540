"""Working time of a person, day by day: working hours, without holidays and absences.

Capacity follows Productive: the hours of the cost rate that is valid on the day, nothing on a
holiday, less on a day of absence. Remote work is no absence. Whatever the person's rights hide
counts as not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, TypeVar

from productive_gateway.productive.records.planning import Booking, Holiday, Worker
from productive_gateway.productive.records.record import Record
from productive_gateway.productive.records.store import Filters, Records, Rows
from productive_gateway.productive.wire.errors import FeatureOff, Forbidden, NotFound
from productive_gateway.productive.working_hours import (
    Availability,
    hours_on,
    parse_availabilities,
    row_on,
)
from productive_gateway.tools.call import Call
from productive_gateway.tools.names.resolver import PEOPLE

R = TypeVar("R", bound=Record)

HOLIDAYS_LIFETIME: Final = 15 * 60
"""Seconds for which holidays are remembered."""
_GAP: Final = timedelta(days=31)
_REMOTE: Final = "remote_work"


@dataclass(frozen=True, slots=True)
class Tracker:
    """Whose time it is."""

    id: str
    name: str
    me: bool
    availabilities: tuple[Availability, ...]
    policy_id: str | None
    unlocked: bool


async def tracker_of(call: Call, person: str | None, field_: str = "person") -> Tracker:
    """Return the person that an argument names; without one, the caller.

    Raises:
        ToolError: no person fits, or more than one.
    """
    me = call.me
    if person is not None:
        known = await call.names.one(PEOPLE, person, field_)
        if known.id != me.person_id:
            worker = await call.records.get(Worker, known.id)
            rows = parse_availabilities(worker.availabilities)
            policy = worker.policy_id or me.company_policy_id
            return Tracker(worker.id, worker.name, False, rows, policy, worker.unlocked)
    policy = me.policy_id or me.company_policy_id
    return Tracker(me.person_id, me.name, True, me.availabilities, policy, me.unlocked)


@dataclass(frozen=True, slots=True)
class Workday:
    """What a day has for work; minutes."""

    date: date
    usual: int | None
    """Working minutes without holidays and absences; None if they are unknown."""
    holiday: str | None = None
    absence: int = 0
    absent: str | None = None
    """Kind of absence."""

    @property
    def capacity(self) -> int | None:
        """Minutes that are left for work."""
        if self.usual is None:
            return None
        return 0 if self.holiday else max(0, self.usual - self.absence)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The working days of a person, in some periods that were read."""

    availabilities: tuple[Availability, ...]
    holidays: Mapping[date, str] = field(default_factory=dict)
    bookings: tuple[Booking, ...] = ()
    complete: bool = True

    def day(self, day: date) -> Workday:
        """Return what a day has."""
        usual = usual_minutes(day, self.availabilities)
        holiday = self.holidays.get(day)
        away = [one for one in self.bookings if _is_absence(one) and _covers(one, day)]
        absence = sum(booked_minutes(one, usual or 0, holiday=holiday is not None) for one in away)
        name = next((one.event.name for one in away if one.event), None)
        return Workday(day, usual, holiday, min(absence, usual or absence), name)

    def booked(self, day: date) -> list[tuple[Booking, int]]:
        """Return the work that is booked on a day, with its minutes."""
        here = self.day(day)
        if not here.capacity:
            return []
        found = [
            (one, booked_minutes(one, here.usual or 0, holiday=False))
            for one in self.bookings
            if one.service is not None and _covers(one, day) and not one.tentative
        ]
        return [(one, minutes) for one, minutes in found if minutes]


def usual_minutes(day: date, availabilities: Sequence[Availability]) -> int | None:
    """Return the working minutes of a day, without holidays and absences; None if unknown."""
    hours = hours_on(day, availabilities)
    return None if hours is None else int((hours * 60).to_integral_value())


def booked_minutes(booking: Booking, usual: int, *, holiday: bool) -> int:
    """Return the minutes of one day of a booking; it takes nothing on days without work."""
    if holiday or not usual:
        return 0
    match booking.method:
        case "percent":
            return int(usual * (booking.percentage or 0) / 100)
        case "in total":
            return (booking.total or 0) // max(1, booking.working_days or 1)
        case _:
            return booking.hours or 0


async def calendar_of(records: Records, tracker: Tracker, days: Iterable[date]) -> Calendar:
    """Read the calendar of a person for some days."""
    periods = spans(days)
    days_off, planned = await asyncio.gather(
        asyncio.gather(*(_holidays(records, tracker.availabilities, *one) for one in periods)),
        asyncio.gather(*(_bookings(records, tracker.id, *one) for one in periods)),
    )
    holidays = {row.date: row.name for rows in days_off for row in rows.rows if row.date}
    bookings = {row.id: row for rows in planned for row in rows.rows}
    complete = all(rows.complete for rows in planned)
    return Calendar(tracker.availabilities, holidays, tuple(bookings.values()), complete)


def spans(days: Iterable[date]) -> list[tuple[date, date]]:
    """Return periods that cover some days: days that are far apart are in different ones."""
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if found and day - found[-1][1] <= _GAP:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


async def visible(
    records: Records, cls: type[R], filters: Filters, *, lifetime: float = 0
) -> Rows[R]:
    """Return a list, or nothing if the person may not see it or has no such feature."""
    try:
        if lifetime:
            return await records.remembered(cls, filters, lifetime=lifetime, make=_as_read)
        return await records.all(cls, filters)
    except (Forbidden, NotFound, FeatureOff):
        return Rows((), None, complete=True)


def _as_read(rows: Rows[R]) -> Rows[R]:
    return rows


async def _holidays(
    records: Records, availabilities: Sequence[Availability], first: date, last: date
) -> Rows[Holiday]:
    rows = (row_on(day, availabilities) for day in (first, last))
    calendars = dict.fromkeys(row.calendar for row in rows if row and row.calendar)
    if not calendars:
        return Rows((), None, complete=True)
    # Whole years are remembered: holidays are few, and asked for often.
    filters: Filters = {
        "holiday_calendar_id": list(calendars),
        "after": date(first.year, 1, 1),
        "before": date(last.year, 12, 31),
    }
    return await visible(records, Holiday, filters, lifetime=HOLIDAYS_LIFETIME)


async def _bookings(records: Records, person_id: str, first: date, last: date) -> Rows[Booking]:
    filters: Filters = {"person_id": person_id, "after": first, "before": last}
    found = await visible(records, Booking, filters)
    rows = tuple(row for row in found.rows if not row.canceled and not row.rejected)
    return Rows(rows, found.total, found.complete)


def _is_absence(booking: Booking) -> bool:
    event = booking.event
    return event is not None and event.absence_type != _REMOTE and not booking.tentative


def _covers(booking: Booking, day: date) -> bool:
    return (
        booking.started is not None
        and booking.ended is not None
        and booking.started <= day <= booking.ended
    )
