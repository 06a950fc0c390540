"""Durations as people write them, in whole minutes."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

DAY: Final = 24 * 60
_CLOCK: Final = re.compile(r"([0-9]{1,2}):([0-5][0-9])")
_PARTS: Final = re.compile(
    r"(?:([0-9]{1,3}(?:[.,][0-9]{1,4})?)\s*h(?:ours?|rs?)?)?(?:(?<=[a-z])(?:,|\sand)(?=\s[0-9]))?\s*"
    r"(?:([0-9]{1,4})\s*(?:m|min|mins|minutes?)?)?",
    re.IGNORECASE,
)
_SPOKEN: Final = {"half an hour": 30, "half hour": 30, "an hour": 60, "an hour and a half": 90}
_HINT: Final = 'Write hours as 1.5, "1:30", "90m" or "1h 30m".'
_PLAIN: Final = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{1,6})?")


class DurationError(ValueError):
    """The text is no duration; `str()` is a message for the model."""


def minutes_of(hours: float | str) -> int:
    """Return whole minutes for 1.5, "1.5", "1,5 h", "1:30", "90m", "1h 30m", "2h30" and the like.

    Raises:
        DurationError: it is none of these, negative, or more than 24 hours.
    """
    minutes = _of_text(" ".join(hours.split())) if isinstance(hours, str) else _of_number(hours)
    if not 0 <= minutes <= DAY:
        raise DurationError("The hours must be between 0 and 24.")
    return minutes


def minutes_between(start: str, end: str) -> int:
    """Return the minutes from one time of day to a later one, both as "HH:MM".

    Raises:
        DurationError: one of them is no time of day, or the end is not after the start.
    """
    minutes = _time_of_day(end) - _time_of_day(start)
    if minutes <= 0:
        raise DurationError(
            "The end must be later than the start on the same day; log time past midnight as two "
            "entries."
        )
    return minutes


def hours_text(minutes: int) -> str:
    """Return hours with two decimals, for people."""
    return f"{minutes / 60:.2f}"


def _of_text(text: str) -> int:
    if (spoken := _SPOKEN.get(text.lower())) is not None:
        return spoken
    if clock := _CLOCK.fullmatch(text):
        return int(clock[1]) * 60 + int(clock[2])
    if _PLAIN.fullmatch(text):
        return _of_hours(text.replace(",", "."))
    parts = _PARTS.fullmatch(text)
    if not text or parts is None or (parts[1] is None and not text[-1:].isalpha()):
        raise DurationError(_HINT)
    hours = _of_hours(parts[1].replace(",", ".")) if parts[1] else 0
    return hours + int(parts[2] or 0)


def _of_number(hours: float) -> int:
    # Python refuses to write very large integers.
    return _of_hours(str(hours) if -1000 < hours < 1000 else "nan")


def _of_hours(text: str) -> int:
    try:
        hours = Decimal(text)
    except InvalidOperation as error:
        raise DurationError(_HINT) from error
    if not hours.is_finite() or not -1000 < hours < 1000:
        raise DurationError("The hours must be between 0 and 24.")
    return int((hours * 60).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _time_of_day(text: str) -> int:
    clock = _CLOCK.fullmatch(text.strip())
    if clock is None or int(clock[1]) > 23:
        raise DurationError('Write times of day as "09:00".')
    return int(clock[1]) * 60 + int(clock[2])
