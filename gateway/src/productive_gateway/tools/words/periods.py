"""Periods as people name them: a first and a last day, both included."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from productive_gateway.tools.words.days import (
    FIRST_YEAR,
    LAST_YEAR,
    MONTHS,
    DayError,
    Direction,
    day_of,
    month_number,
    named,
    weekday_alone,
)

_STEPS: Final = {"last": -1, "previous": -1, "this": 0, "current": 0, "next": 1}
_NAMED: Final = re.compile(rf"({'|'.join(_STEPS)})[ _](week|month|quarter|year)")
_COUNTED: Final = re.compile(r"(last|past|next)[ _]([0-9]{1,4})[ _](day|week|month)s?")
_ISO_WEEK: Final = re.compile(r"([0-9]{4})-?w([0-9]{1,2})")
_QUARTER: Final = re.compile(r"([0-9]{4})[- ]?q([1-4])")
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
_NAMED_MONTH: Final = re.compile(r"([a-z]{3,9})\.?(?: ([0-9]{4}))?")
_YEAR: Final = re.compile(r"[0-9]{4}")
_OPEN: Final = re.compile(r"(since|until|till) (.+)")
_RANGE: Final = re.compile(
    r"(?:from )?(.+?)"
    r"(?: ?\.\.\.? ?| ?\u2026 ?| to | until | [-\u2013\u2014] |(?<=[0-9]{4}-[0-9]{2}-[0-9]{2})/)"
    r"(.+)"
)
_IN_BRACKETS: Final = re.compile(r"[^()]*\(([^()]+)\)")
_LONGEST: Final = 200
_HINT: Final = (
    "Write the period as this_week, last_month, 2026-W47, 2026-11, 2026-11-16..2026-11-22, last 7 "
    "days, since monday, or a day."
)


@dataclass(frozen=True, slots=True)
class Period:
    """Days from the first to the last, both included."""

    first: date
    last: date
    label: str
    """For people; `period_of` takes it back."""

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1


def period_of(
    words: str, today: date, *, direction: Direction = "past", week_start: int = 0
) -> Period:
    """Return the period that `words` name.

    Understood are all days that `day_of` knows, this, last and next week, month, quarter and year,
    "2026-W47", "2026-11", "2026-Q4", "2026", "November", "last 7 days", "since monday", "until
    friday", and ranges of all these: "2026-11-16..2026-11-22", "monday to friday".

    "last 7 days" ends today and "next 7 days" begins today; "last 2 weeks" and "last 3 months" are
    whole ones before the present one. ISO weeks begin on Monday whatever `week_start` is.

    Args:
        words: what the model wrote.
        today: the person's day.
        direction: how a weekday, a day or a month without a year is read.
        week_start: the first day of a week, 0 for Monday to 6 for Sunday.

    Raises:
        DayError: they name no period, or one outside the years 2000 to 2100.
    """
    text = " ".join(words.lower().split())
    if len(text) > _LONGEST:
        raise DayError(_HINT, today, form_known=False)
    if found := _IN_BRACKETS.fullmatch(text):
        text = found[1].strip()
    return _Reader(today, direction, week_start).period(text)


def period_between(
    first: str | None, last: str | None, today: date, *, direction: Direction = "past"
) -> Period:
    """Return the period from one day to another; one that is missing is today.

    Raises:
        DayError: both are missing, one is no day, or the last is before the first.
    """
    if first is None and last is None:
        raise DayError(_HINT, today, form_known=False)
    reader = _Reader(today, direction, 0)
    return reader.between(first or "today", last or "today")


@dataclass(frozen=True, slots=True)
class _Reader:
    today: date
    direction: Direction
    week_start: int

    def period(self, text: str) -> Period:
        found = self._simple(text)
        if found is not None:
            return found
        if opened := _OPEN.fullmatch(text):
            first, last = (opened[2], "today") if opened[1] == "since" else ("today", opened[2])
            direction: Direction = "past" if opened[1] == "since" else "future"
            return _Reader(self.today, direction, self.week_start).between(first, last)
        if ends := _RANGE.fullmatch(text):
            return self.between(ends[1], ends[2])
        return self._day(text)

    def between(self, first: str, last: str) -> Period:
        one = (self._simple(first) or self._day(first)).first
        other = (self._simple(last) or self._day(last)).last
        # "monday to friday" is one week, although the closest Monday may follow the closest Friday.
        if other < one and weekday_alone(first) and weekday_alone(last):
            if self.direction == "past":
                one -= timedelta(days=7)
            else:
                other += timedelta(days=7)
        if other < one:
            raise DayError(
                f"The period ends on {other.isoformat()}, before it begins on {one.isoformat()}.",
                self.today,
            )
        return self._made(one, other)

    def _simple(self, text: str) -> Period | None:
        """Return a period with a name of its own; None for a day, a range or anything else."""
        try:
            return self._named(text) or self._counted(text) or self._numbered(text)
        except (OverflowError, ValueError) as error:
            if isinstance(error, DayError):
                raise
            raise DayError("There is no such week, month or year.", self.today) from error

    def _named(self, text: str) -> Period | None:
        found = _NAMED.fullmatch(text)
        if found is None:
            return None
        step = _STEPS[found[1]]
        match found[2]:
            case "week":
                first, last = self._weeks(step, step)
            case "month":
                first, last = _months(self.today, step, step)
            case "quarter":
                begin = 3 * step - (self.today.month - 1) % 3
                first, last = _months(self.today, begin, begin + 2)
            case _:
                year = self.today.year + step
                first, last = date(year, 1, 1), date(year, 12, 31)
        return self._made(first, last, f"{found[1]} {found[2]}")

    def _counted(self, text: str) -> Period | None:
        found = _COUNTED.fullmatch(text)
        if found is None:
            return None
        ahead, count = found[1] == "next", int(found[2])
        if count == 0:
            raise DayError("A period has at least one day.", self.today)
        match found[3]:
            case "day":
                other = self.today + timedelta(days=(count - 1) * (1 if ahead else -1))
                first, last = sorted((self.today, other))
            case "week":
                first, last = self._weeks(1, count) if ahead else self._weeks(-count, -1)
            case _:
                steps = (1, count) if ahead else (-count, -1)
                first, last = _months(self.today, *steps)
        return self._made(first, last)

    def _numbered(self, text: str) -> Period | None:
        if found := _ISO_WEEK.fullmatch(text):
            year, week = int(found[1]), int(found[2])
            first = date.fromisocalendar(year, week, 1)
            return self._made(first, first + timedelta(days=6), f"{year}-W{week:02}")
        if found := _QUARTER.fullmatch(text):
            begin = date(int(found[1]), 3 * int(found[2]) - 2, 1)
            return self._made(*_months(begin, 0, 2), f"{found[1]}-Q{found[2]}")
        if found := _MONTH.fullmatch(text):
            begin = date(int(found[1]), int(found[2]), 1)
            return self._made(*_months(begin, 0, 0), text)
        if _YEAR.fullmatch(text):
            return self._made(date(int(text), 1, 1), date(int(text), 12, 31), text)
        found = _NAMED_MONTH.fullmatch(text)
        number = month_number(found[1]) if found else None
        if found is None or number is None:
            return None
        begin = date(int(found[2]) if found[2] else self._year_of_month(number), number, 1)
        return self._made(*_months(begin, 0, 0), f"{MONTHS[number - 1].title()} {begin.year}")

    def _year_of_month(self, number: int) -> int:
        if self.direction == "past":
            return self.today.year - (number > self.today.month)
        return self.today.year + (number < self.today.month)

    def _weeks(self, begin: int, end: int) -> tuple[date, date]:
        present = self.today - timedelta(days=(self.today.weekday() - self.week_start) % 7)
        return present + timedelta(weeks=begin), present + timedelta(weeks=end, days=6)

    def _day(self, text: str) -> Period:
        try:
            day = day_of(text, self.today, direction=self.direction)
        except DayError as error:
            if error.form_known:
                raise
            raise DayError(_HINT, self.today, form_known=False) from error
        return Period(day, day, named(day, self.today))

    def _made(self, first: date, last: date, name: str | None = None) -> Period:
        if first.year < FIRST_YEAR or last.year > LAST_YEAR:
            raise DayError(f"The years must be {FIRST_YEAR} to {LAST_YEAR}.", self.today)
        if first == last:
            return Period(first, last, named(first, self.today))
        days = f"{first.isoformat()} to {last.isoformat()}"
        return Period(first, last, f"{name} ({days})" if name else days)


def _months(day: date, begin: int, end: int) -> tuple[date, date]:
    """Return the first day of one month and the last of another, counted from that of `day`."""
    months = day.year * 12 + day.month - 1
    first_year, first_month = divmod(months + begin, 12)
    last_year, last_month = divmod(months + end, 12)
    first = date(first_year, first_month + 1, 1)
    return first, date(last_year, last_month + 1, monthrange(last_year, last_month + 1)[1])
