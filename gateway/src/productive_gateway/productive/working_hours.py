"""Working hours of a person, from Productive's `availabilities`.

The attribute is a JSON text: `[[from, to | null, [14 hours], holiday calendar], …]`. The fourteen
hours are two alternating weeks, Monday to Sunday. The first of them is the week in which the row
begins, which matters only to people whose two weeks differ. Holidays and absences are not included.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Availability:
    """Working hours of one period."""

    begins: date
    ends: date | None
    """Last day; None if the period is open."""
    hours: tuple[Decimal, ...]
    """Fourteen: two weeks, Monday to Sunday."""
    calendar: str | None = None
    """Id of the calendar of holidays."""


def parse_availabilities(value: Any) -> tuple[Availability, ...]:
    """Parse the attribute; unreadable rows are left out."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return ()
    rows = value if isinstance(value, list) else []
    return tuple(row for row in (_row(entry) for entry in rows) if row is not None)


def hours_on(day: date, rows: Sequence[Availability]) -> Decimal | None:
    """Return the working hours of a day; None if they are unknown."""
    row = row_on(day, rows)
    if row is None:
        return None
    monday = row.begins - timedelta(days=row.begins.weekday())
    return row.hours[(day - monday).days % 14]


def row_on(day: date, rows: Sequence[Availability]) -> Availability | None:
    """Return the row that is valid on a day: of several, the one that begins last."""
    valid = [row for row in rows if row.begins <= day and (row.ends is None or day <= row.ends)]
    return max(valid, key=lambda row: row.begins, default=None)


def week_hours(day: date, rows: Sequence[Availability]) -> Decimal | None:
    """Return the working hours of the week around `day`, Monday to Sunday."""
    monday = day - timedelta(days=day.weekday())
    found = [hours_on(monday + timedelta(days=offset), rows) for offset in range(7)]
    if all(hours is None for hours in found):
        return None
    return sum((hours for hours in found if hours is not None), Decimal(0))


def _row(entry: Any) -> Availability | None:
    try:
        begins, ends, hours = entry[0], entry[1], entry[2]
        week = tuple(Decimal(str(hour)) for hour in hours)
        row = Availability(
            begins=date.fromisoformat(begins),
            ends=date.fromisoformat(ends) if ends else None,
            hours=week * 2 if len(week) == 7 else week,
            calendar=str(entry[3]) if len(entry) > 3 and entry[3] is not None else None,
        )
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return None
    sane = len(row.hours) == 14 and all(hour.is_finite() and 0 <= hour <= 24 for hour in row.hours)
    return row if sane else None
