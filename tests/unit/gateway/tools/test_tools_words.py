from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.days import DayError, day_of, named, today_in
from productive_gateway.tools.durations import (
    DurationError,
    hours_text,
    minutes_between,
    minutes_of,
)

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        (2, 120),
        (1.5, 90),
        (0.33, 20),
        ("1.5", 90),
        ("1,5", 90),
        ("1:30", 90),
        ("0:05", 5),
        ("90m", 90),
        ("90 min", 90),
        ("2h", 120),
        ("1h 30m", 90),
        ("1h30", 90),
        ("1.5h", 90),
        (" 2 hours ", 120),
        (24, 1440),
        (0, 0),
    ],
)
def test_hours_are_read_as_people_write_them(written: float | str, minutes: int) -> None:
    assert minutes_of(written) == minutes


@pytest.mark.parametrize(
    "written",
    ["", "h", "abc", "1:75", "25:00", "90", "-1", -1, 25, float("nan"), float("inf"), "1e5", "٣"],
)
def test_text_that_is_no_duration_within_a_day_is_refused(written: float | str) -> None:
    with pytest.raises(DurationError, match=r"\.$"):
        minutes_of(written)


@given(st.text(max_size=12) | st.floats() | st.integers())
def test_hours_are_minutes_within_a_day_or_refused(written: float | str) -> None:
    try:
        minutes = minutes_of(written)
    except DurationError:
        return
    assert 0 <= minutes <= 1440


@given(st.integers(0, 1440))
def test_minutes_survive_each_spelling(minutes: int) -> None:
    assert minutes_of(f"{minutes // 60}:{minutes % 60:02}") == minutes
    assert minutes_of(f"{minutes}m") == minutes
    assert minutes_of(hours_text(minutes)) == pytest.approx(minutes, abs=1)


@pytest.mark.parametrize(
    ("start", "end", "minutes"), [("09:00", "10:30", 90), ("9:00", "17:15", 495)]
)
def test_span_gives_its_minutes(start: str, end: str, minutes: int) -> None:
    assert minutes_between(start, end) == minutes


@pytest.mark.parametrize(
    ("start", "end"), [("10:00", "10:00"), ("22:00", "01:00"), ("24:00", "25:00"), ("9", "10")]
)
def test_span_outside_one_day_is_refused(start: str, end: str) -> None:
    with pytest.raises(DurationError, match=r"[.]$"):
        minutes_between(start, end)


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("today", MONDAY),
        ("Yesterday", date(2026, 11, 22)),
        ("monday", MONDAY),
        ("last monday", date(2026, 11, 16)),
        ("Fri", date(2026, 11, 20)),
        ("last friday", date(2026, 11, 20)),
        ("2026-11-19", date(2026, 11, 19)),
        (" 2026-12-01 ", date(2026, 12, 1)),
    ],
)
def test_days_are_read_as_people_name_them(words: str, day: date) -> None:
    assert day_of(words, MONDAY) == day


@pytest.mark.parametrize(
    "words", ["", "tomorrow-ish", "2026-02-30", "20261123", "2026-W47-1", "23.11.2026", "last"]
)
def test_text_that_is_no_day_is_refused(words: str) -> None:
    with pytest.raises(DayError, match=r"\.$"):
        day_of(words, MONDAY)


@given(st.dates(date(2020, 1, 1)), st.sampled_from(["monday", "wed", "sunday", "last tuesday"]))
def test_weekday_is_never_in_the_future(today: date, words: str) -> None:
    assert 0 <= (today - day_of(words, today)).days <= 7


def test_today_is_in_the_persons_zone() -> None:
    zagreb, new_york = ZoneInfo("Europe/Zagreb"), ZoneInfo("America/New_York")
    late = datetime(2026, 11, 23, 23, 30, tzinfo=zagreb).timestamp()
    assert today_in(zagreb, late) == date(2026, 11, 23)
    assert today_in(zagreb, late + 3600) == date(2026, 11, 24)
    assert today_in(new_york, late + 3600) == date(2026, 11, 23)


def test_days_have_short_names() -> None:
    assert named(MONDAY, MONDAY) == "today"
    assert named(date(2026, 11, 22), MONDAY) == "yesterday"
    assert named(date(2026, 11, 20), MONDAY) == "Fri 2026-11-20"
