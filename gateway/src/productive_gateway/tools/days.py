"""Days as people name them, in their own time zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

WEEKDAYS: Final = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
_ISO: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class DayError(ValueError):
    """The text names no day; `str()` is a message for the model."""


def today_in(zone: tzinfo, now: float) -> date:
    """Return the date that it is in `zone` at Unix time `now`."""
    return datetime.fromtimestamp(now, UTC).astimezone(zone).date()


def day_of(words: str, today: date) -> date:
    """Return the day for "today", "yesterday", a weekday, or `YYYY-MM-DD`.

    A weekday is the most recent one, never a day to come: on a Monday, "monday" is today and "last
    monday" a week ago.

    Raises:
        DayError: it is none of these.
    """
    name = " ".join(words.lower().split())
    if name == "today":
        return today
    if name == "yesterday":
        return today - timedelta(days=1)
    for number, weekday in enumerate(WEEKDAYS):
        back = (today.weekday() - number) % 7
        if name in {weekday, weekday[:3]}:
            return today - timedelta(days=back)
        if name == f"last {weekday}":
            return today - timedelta(days=back or 7)
    if _ISO.fullmatch(name):
        try:
            return date.fromisoformat(name)
        except ValueError as error:
            raise DayError(f"There is no day {name}.") from error
    raise DayError("Write the day as today, yesterday, a weekday such as monday, or YYYY-MM-DD.")


def named(day: date, today: date) -> str:
    """Return the shortest clear name of a day."""
    if day == today:
        return "today"
    if day == today - timedelta(days=1):
        return "yesterday"
    return f"{day:%a} {day.isoformat()}"
