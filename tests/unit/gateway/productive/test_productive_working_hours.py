from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.productive.working_hours import hours_on, parse_availabilities, week_hours

MONDAY = date(2026, 11, 23)
FULL = [8, 8, 8, 8, 8, 0, 0]


def test_open_row_gives_the_hours_of_each_weekday() -> None:
    rows = parse_availabilities('[["2026-09-15", null, [8,8,8,8,8,0,0,8,8,8,8,8,0,0], 71]]')
    assert hours_on(MONDAY, rows) == 8
    assert hours_on(date(2026, 11, 22), rows) == 0
    assert hours_on(date(2026, 9, 14), rows) is None
    assert week_hours(MONDAY, rows) == 40


def test_two_different_weeks_alternate() -> None:
    rows = parse_availabilities([["2026-11-16", None, [*FULL, *[4] * 7], 71]])
    assert [hours_on(date(2026, 11, day), rows) for day in (16, 23, 30)] == [8, 4, 8]


def test_row_of_the_day_is_used() -> None:
    rows = parse_availabilities(
        [["2026-01-01", "2026-11-22", FULL * 2, 1], ["2026-11-23", None, [6] * 14, 1]]
    )
    assert hours_on(MONDAY, rows) == 6
    assert hours_on(date(2026, 11, 20), rows) == 8


@pytest.mark.parametrize(
    "value",
    [None, "", "{", [[]], [["x", None, FULL, 1]], [["2026-01-01", None, [99] * 14]], [["2026"]], 7],
)
def test_unreadable_rows_are_left_out(value: Any) -> None:
    assert parse_availabilities(value) == ()
    assert week_hours(MONDAY, ()) is None


@given(
    st.dates(date(2026, 1, 1), date(2030, 1, 1)),
    st.lists(st.integers(0, 24), min_size=14, max_size=14),
)
def test_a_fortnight_repeats(day: date, hours: list[int]) -> None:
    rows = parse_availabilities([["2025-12-29", None, hours, 1]])
    weeks = [hours_on(date.fromordinal(day.toordinal() + after), rows) for after in range(14)]
    assert hours_on(date.fromordinal(day.toordinal() + 14), rows) == weeks[0]
    assert sorted(map(Decimal, hours)) == sorted(one for one in weeks if one is not None)
