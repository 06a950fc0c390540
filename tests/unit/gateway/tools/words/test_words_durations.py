from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.words.durations import (
    DurationError,
    hours_text,
    minutes_between,
    minutes_of,
)


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
        ("0:45", 45),
        ("90m", 90),
        ("90 min", 90),
        ("2h", 120),
        ("1h 30m", 90),
        ("1h30", 90),
        ("2h30", 150),
        ("1.5h", 90),
        ("1,5 h", 90),
        ("1.5 hours", 90),
        ("1 hour 30 minutes", 90),
        ("1 hour and 30 minutes", 90),
        ("1h, 30m", 90),
        ("half an hour", 30),
        ("an hour", 60),
        ("An  hour and a half", 90),
        (" 2 hours ", 120),
        (24, 1440),
        (0, 0),
    ],
)
def test_hours_are_read_as_people_write_them(written: float | str, minutes: int) -> None:
    assert minutes_of(written) == minutes


@pytest.mark.parametrize(
    "written",
    [
        *("", "h", "abc", "1:75", "25:00", "90", "-1", "1e5", "٣", "and", ",", "and 30m", ", 30m"),
        *("1h and", "1h,", "an hour and", "nan", "inf"),
        *(-1, 25, float("nan"), float("inf")),
    ],
)
def test_text_that_is_no_duration_within_a_day_is_refused(written: float | str) -> None:
    with pytest.raises(DurationError, match=r"\.$"):
        minutes_of(written)


def test_number_too_long_to_be_printed_is_refused() -> None:
    for number in (10**5000, -(10**5000)):
        with pytest.raises(DurationError, match="between 0 and 24"):
            minutes_of(number)


@given(st.text(max_size=12) | st.floats() | st.integers())
def test_hours_are_minutes_within_a_day_or_refused(written: float | str) -> None:
    try:
        minutes = minutes_of(written)
    except DurationError:
        return
    assert 0 <= minutes <= 1440


@given(st.integers(0, 1440))
def test_minutes_survive_each_spelling(minutes: int) -> None:
    hours, rest = divmod(minutes, 60)
    assert minutes_of(f"{hours}:{rest:02}") == minutes
    assert minutes_of(f"{minutes}m") == minutes
    assert minutes_of(f"{hours}h{rest:02}") == minutes
    assert minutes_of(f"{hours} hours and {rest} minutes") == minutes
    assert minutes_of(hours_text(minutes)) == pytest.approx(minutes, abs=1)
    assert minutes_of(f"{hours_text(minutes)} h") == pytest.approx(minutes, abs=1)


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
