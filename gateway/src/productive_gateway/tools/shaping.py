"""Forms of answers: names beside ids, hours with two decimals, no empty fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from productive_gateway.productive.work import Entry, Named, Service
from productive_gateway.productive.working_hours import Availability, hours_on


class Shape(BaseModel):
    """Base of all parts of answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NamedRow(Shape):
    """A name with its id."""

    id: str
    name: str


class EntryRow(Shape):
    """A time entry; without `id` it was not written."""

    id: str | None = None
    date: str
    hours: float
    minutes: int
    billable_hours: float | None = None
    project: NamedRow | None = None
    budget: NamedRow | None = None
    service: NamedRow | None = None
    task: NamedRow | None = None
    note: str | None = None
    state: str | None = None


class DayTotal(Shape):
    """The time tracked on a day, and the working hours of that day if they are known."""

    date: str
    tracked: float
    capacity: float | None = None


def hours(minutes: int) -> float:
    """Return minutes as hours with two decimals."""
    return round(minutes / 60, 2)


def named_row(thing: Named | Service | None) -> NamedRow | None:
    """Return id and name."""
    return NamedRow(id=thing.id, name=thing.name) if thing else None


def entry_row(entry: Entry) -> EntryRow:
    """Return a time entry as Productive has it."""
    service = entry.service
    return EntryRow(
        id=entry.id,
        date=entry.day.isoformat() if entry.day else "",
        hours=hours(entry.minutes),
        minutes=entry.minutes,
        billable_hours=None if entry.billable_minutes is None else hours(entry.billable_minutes),
        project=named_row(service.project) if service else None,
        budget=named_row(service.budget) if service else None,
        service=named_row(service),
        task=named_row(entry.task),
        note=entry.note or None,
        state=entry.state,
    )


def day_total(day: date, minutes: int, availabilities: Sequence[Availability]) -> DayTotal:
    """Return the sum of a day."""
    capacity = hours_on(day, availabilities)
    return DayTotal(
        date=day.isoformat(),
        tracked=hours(minutes),
        capacity=None if capacity is None else float(round(capacity, 2)),
    )


def total_text(total: DayTotal) -> str:
    """Return "6.50 of 8 h", or "6.50 h" if the working hours are unknown."""
    if total.capacity is None:
        return f"{total.tracked:.2f} h"
    return f"{total.tracked:.2f} of {Decimal(str(total.capacity)).normalize():f} h"


def place_text(row: EntryRow) -> str:
    """Return "Website relaunch / Design", with the task where there is one."""
    parts = [part.name for part in (row.project or row.budget, row.service) if part]
    place = " / ".join(parts) or "an unknown service"
    return f"{place}, task {row.task.name}" if row.task else place
