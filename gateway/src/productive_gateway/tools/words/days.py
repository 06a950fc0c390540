"""Days as people name them.

A model has no clock: each refusal therefore says which day it is for the person. A day without a
year, and a weekday alone, is read in the direction of the tool: back for time that was worked,
ahead for dates that are due.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Literal

Direction = Literal["past", "future"]

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100
_CLOSE: Final = timedelta(days=31)
"""A day without a year that is closer than this in the other direction is not guessed."""

_NUMBERS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNTS: Final = {word: count for count, word in enumerate(_NUMBERS, 1)} | {"a": 1, "an": 1}
_SHIFTS: Final = {
    "today": 0,
    "yesterday": -1,
    "day before yesterday": -2,
    "the day before yesterday": -2,
    "tomorrow": 1,
    "day after tomorrow": 2,
    "the day after tomorrow": 2,
}
_NAMES: Final = {
    name: number
    for number, month in enumerate(MONTHS, start=1)
    for name in (month, month[:3], "sept" if month == "september" else month)
}
_MONTH: Final = "|".join(sorted(_NAMES, key=len, reverse=True))
_WEEKDAY: Final = (
    "|".join(WEEKDAYS) + "|" + "|".join(day[:3] for day in WEEKDAYS) + "|tues|weds|thur|thurs"
)
_TH: Final = r"(?:st|nd|rd|th)?"
_WITH_WEEKDAY: Final = re.compile(rf"({_WEEKDAY})[.,]?\s(.*[0-9].*)")
_NEAR_WEEKDAY: Final = re.compile(rf"(?:on\s)?(?:(last|next|this)\s)?({_WEEKDAY})\.?")
_COUNTED: Final = rf"([0-9]{{1,4}}|{'|'.join(_COUNTS)})\s(day|week)s?"
_AGO: Final = re.compile(rf"{_COUNTED}\sago")
_IN: Final = re.compile(rf"in\s{_COUNTED}|{_COUNTED}\sfrom\s(?:now|today)")
_ISO: Final = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_DOTTED: Final = re.compile(r"([0-9]{1,2})\.\s?([0-9]{1,2})(?:\.?|\.\s?([0-9]{4})\.?)")
_SLASHED: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})(?:/([0-9]{4}))?")
_DAY_MONTH: Final = re.compile(
    rf"(?:the\s)?([0-9]{{1,2}}){_TH}\.?[\s-]?(?:of\s)?({_MONTH})\.?(?:,?[\s-]([0-9]{{4}}))?"
)
_MONTH_DAY: Final = re.compile(
    rf"({_MONTH})\.?\s(?:the\s)?([0-9]{{1,2}}){_TH}(?:,?\s([0-9]{{4}}))?"
)
_HINT: Final = "Write the day as today, yesterday, a weekday such as monday, 24.11., or YYYY-MM-DD."


class DayError(ValueError):
    """The text names no day or period; `str()` is a message for the model that says what today is.

    Attributes:
        form_known: False if the text is of no form that is understood.
    """

    def __init__(self, message: str, today: date, *, form_known: bool = True) -> None:
        """Add today's date to a message."""
        super().__init__(f"{message} {today_text(today)}")
        self.form_known = form_known


def today_in(zone: tzinfo, now: float) -> date:
    """Return the date that it is in `zone` at Unix time `now`."""
    return datetime.fromtimestamp(now, UTC).astimezone(zone).date()


def today_text(today: date) -> str:
    """Return "Today is Monday 2026-11-23."."""
    return f"Today is {WEEKDAYS[today.weekday()].title()} {today.isoformat()}."


def day_of(words: str, today: date, *, direction: Direction) -> date:
    """Return the day that `words` name.

    Understood are ISO dates, "24.11.", "24.11.2026", "20 Nov", "November 20, 2026", "today",
    "yesterday", "tomorrow", "day before yesterday", "2 days ago", "in a week", and weekdays. What
    `named` returns is understood as well.

    A weekday alone is the closest one in the direction, and may be today. "last monday" is the
    closest one before today, "next monday" the closest one after it, and "this friday" belongs to
    the present week (for the future, it is not before today). A day without a year is the closest
    one in the direction, unless it is at most a month away in the other one.

    Raises:
        DayError: they name no day, or more than one, or one outside the years 2000 to 2100.
    """
    text = " ".join(words.lower().split())
    day = _shifted(text, today) or _near_weekday(text, today, direction)
    if day is None and (found := _WITH_WEEKDAY.fullmatch(text)):
        day = _written(found[2], today, direction)
        _check_weekday(_weekday_number(found[1]), day, today)
    day = day or _written(text, today, direction)
    if day is None:
        raise DayError(_HINT, today, form_known=False)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise DayError(f"The year must be between {FIRST_YEAR} and {LAST_YEAR}.", today)
    return day


def weekday_alone(words: str) -> bool:
    """Return whether `words` are a weekday without "last", "next" or "this"."""
    found = _NEAR_WEEKDAY.fullmatch(" ".join(words.lower().split()))
    return found is not None and found[1] is None


def month_number(name: str) -> int | None:
    """Return the number of a month by its English name or the start of it."""
    return _NAMES.get(name)


def named(day: date, today: date) -> str:
    """Return the shortest clear name of a day."""
    if day == today:
        return "today"
    if day == today - timedelta(days=1):
        return "yesterday"
    return f"{WEEKDAYS[day.weekday()][:3].title()} {day.isoformat()}"


def _shifted(text: str, today: date) -> date | None:
    if text in _SHIFTS:
        return _plus(today, _SHIFTS[text])
    if found := _AGO.fullmatch(text):
        return _plus(today, -_days(found[1], found[2]))
    if found := _IN.fullmatch(text):
        return _plus(today, _days(found[1] or found[3], found[2] or found[4]))
    return None


def _days(count: str, unit: str) -> int:
    number = _COUNTS.get(count) or int(count)
    return number * (7 if unit == "week" else 1)


def _plus(today: date, days: int) -> date:
    try:
        return today + timedelta(days=days)
    except OverflowError as error:
        raise DayError("That day is too far away.", today) from error


def _near_weekday(text: str, today: date, direction: Direction) -> date | None:
    found = _NEAR_WEEKDAY.fullmatch(text)
    if found is None:
        return None
    wanted = _weekday_number(found[2])
    back = (today.weekday() - wanted) % 7
    ahead = (wanted - today.weekday()) % 7
    match found[1]:
        case "last":
            days = -(back or 7)
        case "next":
            days = ahead or 7
        case "this" if direction == "past":
            days = wanted - today.weekday()
        case _:
            days = -back if direction == "past" else ahead
    return _plus(today, days)


def _weekday_number(name: str) -> int:
    return next(number for number, day in enumerate(WEEKDAYS) if day.startswith(name[:3]))


def _written(text: str, today: date, direction: Direction) -> date | None:
    """Return the day of a date; None if it is none."""
    if found := _ISO.fullmatch(text):
        return _exact(int(found[1]), int(found[3]), int(found[4]), today)
    if found := _DOTTED.fullmatch(text):
        return _dated(found[3], int(found[2]), int(found[1]), today, direction)
    if found := _DAY_MONTH.fullmatch(text):
        return _dated(found[3], _NAMES[found[2]], int(found[1]), today, direction)
    if found := _MONTH_DAY.fullmatch(text):
        return _dated(found[3], _NAMES[found[1]], int(found[2]), today, direction)
    if found := _SLASHED.fullmatch(text):
        return _slashed(int(found[1]), int(found[2]), found[3], today, direction)
    return None


def _slashed(first: int, second: int, year: str | None, today: date, direction: Direction) -> date:
    """Return the day of "24/11" or "11/24"; "3/4" is 3 April in Europe and March 4 in America."""
    if first > 12 or first == second:
        return _dated(year, second, first, today, direction)
    if second > 12:
        return _dated(year, first, second, today, direction)
    day_first = _dated(year, second, first, today, direction)
    month_first = _dated(year, first, second, today, direction)
    raise DayError(
        f"{first}/{second} may be {_long(day_first)} or {_long(month_first)}: write "
        f"{day_first.isoformat()} or {month_first.isoformat()}.",
        today,
    )


def _dated(year: str | None, month: int, day: int, today: date, direction: Direction) -> date:
    if year is not None:
        return _exact(int(year), month, day, today)
    # 29 February may be eight years away.
    years = range(today.year - 8, today.year + 9)
    found = [one for one in (_valid(number, month, day) for number in years) if one is not None]
    before = max((one for one in found if one <= today), default=None)
    after = min((one for one in found if one >= today), default=None)
    if before is None or after is None:
        raise DayError(f"There is no day {day} in month {month}.", today)
    wanted, other = (before, after) if direction == "past" else (after, before)
    if abs(other - today) <= _CLOSE < abs(wanted - today):
        raise DayError(
            f"It is not clear whether {_long(wanted)} or {_long(other)} is meant: write "
            f"{wanted.isoformat()} or {other.isoformat()}.",
            today,
        )
    return wanted


def _exact(year: int, month: int, day: int, today: date) -> date:
    found = _valid(year, month, day)
    if found is None:
        raise DayError(f"There is no day {year:04}-{month:02}-{day:02}.", today)
    return found


def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _check_weekday(weekday: int, day: date | None, today: date) -> None:
    if day is not None and day.weekday() != weekday:
        right, wrong = WEEKDAYS[day.weekday()].title(), WEEKDAYS[weekday].title()
        raise DayError(f"{day.isoformat()} is a {right}, not a {wrong}.", today)


def _long(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1].title()} {day.year}"
