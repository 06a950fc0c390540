from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.words.days import (
    MONTHS,
    DayError,
    Direction,
    day_of,
    named,
    today_in,
    weekday_alone,
)

MONDAY = date(2026, 11, 23)
DAYS = st.dates(date(2001, 1, 1), date(2099, 12, 31))
DIRECTIONS = st.sampled_from(["past", "future"])


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("today", MONDAY),
        ("Yesterday", date(2026, 11, 22)),
        ("tomorrow", date(2026, 11, 24)),
        ("day before yesterday", date(2026, 11, 21)),
        ("the day after tomorrow", date(2026, 11, 25)),
        ("2 days ago", date(2026, 11, 21)),
        ("Two days ago", date(2026, 11, 21)),
        ("a week ago", date(2026, 11, 16)),
        ("in 3 days", date(2026, 11, 26)),
        ("in a week", date(2026, 11, 30)),
        ("3 days from now", date(2026, 11, 26)),
        ("monday", MONDAY),
        ("last monday", date(2026, 11, 16)),
        ("next monday", date(2026, 11, 30)),
        ("this monday", MONDAY),
        ("last friday", date(2026, 11, 20)),
        ("next friday", date(2026, 11, 27)),
        ("this friday", date(2026, 11, 27)),
        ("2026-11-19", date(2026, 11, 19)),
        (" 2026-12-01 ", date(2026, 12, 1)),
        ("2026/12/1", date(2026, 12, 1)),
        ("2026.12.01", date(2026, 12, 1)),
        ("23.11.2026", MONDAY),
        ("23. 11. 2026.", MONDAY),
        ("20 November 2026", date(2026, 11, 20)),
        ("20th of November 2026", date(2026, 11, 20)),
        ("20-Nov-2026", date(2026, 11, 20)),
        ("November 20, 2026", date(2026, 11, 20)),
        ("Nov. 20th 2026", date(2026, 11, 20)),
        ("Sept 1 2026", date(2026, 9, 1)),
        ("Fri 2026-11-20", date(2026, 11, 20)),
        ("Friday, 20 November 2026", date(2026, 11, 20)),
        ("24/11/2026", date(2026, 11, 24)),
        ("11/24/2026", date(2026, 11, 24)),
        ("5/5/2026", date(2026, 5, 5)),
    ],
)
@pytest.mark.parametrize("direction", ["past", "future"])
def test_days_are_read_as_people_name_them(words: str, day: date, direction: Direction) -> None:
    assert day_of(words, MONDAY, direction=direction) == day


@pytest.mark.parametrize(
    ("words", "past", "future"),
    [
        ("Fri", date(2026, 11, 20), date(2026, 11, 27)),
        ("on thursday", date(2026, 11, 19), date(2026, 11, 26)),
        ("23.11.", MONDAY, MONDAY),
        ("1.9.", date(2026, 9, 1), date(2027, 9, 1)),
        ("1. 9", date(2026, 9, 1), date(2027, 9, 1)),
        ("20 Sep", date(2026, 9, 20), date(2027, 9, 20)),
        ("Sep 20", date(2026, 9, 20), date(2027, 9, 20)),
        ("20/9", date(2026, 9, 20), date(2027, 9, 20)),
        ("5 January", date(2026, 1, 5), date(2027, 1, 5)),
        ("29 February", date(2024, 2, 29), date(2028, 2, 29)),
        ("Sun 20 Sep 2026", date(2026, 9, 20), date(2026, 9, 20)),
    ],
)
def test_day_without_a_year_is_the_closest_in_the_tools_direction(
    words: str, past: date, future: date
) -> None:
    assert day_of(words, MONDAY, direction="past") == past
    assert day_of(words, MONDAY, direction="future") == future


@pytest.mark.parametrize(
    ("words", "direction", "readings"),
    [
        ("3/4", "past", ["2026-04-03", "2026-03-04"]),
        ("3/4/2026", "future", ["2026-04-03", "2026-03-04"]),
        ("24.11.", "past", ["2025-11-24", "2026-11-24"]),
        ("20 Nov", "future", ["2027-11-20", "2026-11-20"]),
    ],
)
def test_day_with_two_readings_is_refused_with_both(
    words: str, direction: Direction, readings: list[str]
) -> None:
    with pytest.raises(DayError) as refused:
        day_of(words, MONDAY, direction=direction)
    assert all(reading in str(refused.value) for reading in readings)


@pytest.mark.parametrize(
    "words",
    [
        *("", "tomorrow-ish", "2026-02-30", "20261123", "2026-W47-1", "last", "gestern", "1.13."),
        *("30.2.", "31 November 2026", "1999-12-31", "2101-01-01", "9999-12-31", "0000-01-01"),
        *("9999 weeks ago", "in 9999 weeks", "99999 days ago", "0/0", "13/13", "24.11.26", "٣.٤."),
        *("Mon 2026-11-20", "monday monday", "the", "in days", "a", "Nov", "2026-11-23T00:00:00"),
    ],
)
def test_refusal_says_what_today_is(words: str) -> None:
    with pytest.raises(DayError, match=r"Today is Monday 2026-11-23\.$"):
        day_of(words, MONDAY, direction="past")


def test_weekday_that_does_not_fit_its_date_is_refused() -> None:
    with pytest.raises(DayError, match="2026-11-20 is a Friday, not a Monday"):
        day_of("Mon 2026-11-20", MONDAY, direction="past")


@given(DAYS, st.sampled_from(["monday", "wed", "sunday", "last tuesday"]))
def test_weekday_of_the_past_is_never_in_the_future(today: date, words: str) -> None:
    assert 0 <= (today - day_of(words, today, direction="past")).days <= 7


@given(DAYS, st.sampled_from(["monday", "wed", "sunday", "this friday", "next tuesday"]))
def test_weekday_of_the_future_is_never_in_the_past(today: date, words: str) -> None:
    assert 0 <= (day_of(words, today, direction="future") - today).days <= 7


@given(DAYS, DAYS, DIRECTIONS)
def test_each_full_date_survives_each_spelling(
    day: date, today: date, direction: Direction
) -> None:
    month = MONTHS[day.month - 1]
    for words in (
        day.isoformat(),
        f"{day.day}.{day.month}.{day.year}",
        f"{day.day:02}. {day.month:02}. {day.year}.",
        f"{day.day} {month[:3]} {day.year}",
        f"{month.title()} {day.day}, {day.year}",
        named(day, today),
    ):
        assert day_of(words, today, direction=direction) == day


@given(DAYS, DAYS, DIRECTIONS)
def test_day_without_a_year_is_in_the_direction_or_refused(
    day: date, today: date, direction: Direction
) -> None:
    try:
        found = day_of(f"{day.day}.{day.month}.", today, direction=direction)
    except DayError:
        return
    assert (found.day, found.month) == (day.day, day.month)
    assert found <= today if direction == "past" else found >= today
    assert abs(found - today) < timedelta(days=8 * 366)


@given(st.text(max_size=30), DIRECTIONS)
def test_any_text_is_a_day_or_refused(words: str, direction: Direction) -> None:
    try:
        day = day_of(words, MONDAY, direction=direction)
    except DayError:
        return
    assert 2000 <= day.year <= 2100


def test_today_is_in_the_persons_zone() -> None:
    zagreb, new_york = ZoneInfo("Europe/Zagreb"), ZoneInfo("America/New_York")
    late = datetime(2026, 11, 23, 23, 30, tzinfo=zagreb).timestamp()
    assert today_in(zagreb, late) == date(2026, 11, 23)
    assert today_in(zagreb, late + 3600) == date(2026, 11, 24)
    assert today_in(new_york, late + 3600) == date(2026, 11, 23)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_day_on_which_the_clock_changes_is_one_day(day: date) -> None:
    zagreb = ZoneInfo("Europe/Zagreb")
    first = datetime(day.year, day.month, day.day, tzinfo=zagreb).timestamp()
    after = day + timedelta(days=1)
    end = datetime(after.year, after.month, after.day, tzinfo=zagreb).timestamp()
    assert end - first in {23 * 3600, 25 * 3600}
    assert {today_in(zagreb, first), today_in(zagreb, end - 1)} == {day}
    assert today_in(zagreb, first - 1) == day - timedelta(days=1)
    assert today_in(zagreb, end) == after


def test_days_have_short_names() -> None:
    assert named(MONDAY, MONDAY) == "today"
    assert named(date(2026, 11, 22), MONDAY) == "yesterday"
    assert named(date(2026, 11, 20), MONDAY) == "Fri 2026-11-20"


def test_weekday_alone_is_told_from_one_that_is_placed() -> None:
    assert [weekday_alone(one) for one in ("Monday", "last monday", "today")] == [
        True,
        False,
        False,
    ]
