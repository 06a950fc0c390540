from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.words.days import DayError, Direction
from productive_gateway.tools.words.periods import Period, period_between, period_of

MONDAY = date(2026, 11, 23)
WEDNESDAY = date(2026, 11, 25)
DAYS = st.dates(date(2002, 1, 1), date(2098, 12, 31))
DIRECTIONS = st.sampled_from(["past", "future"])


def days(period: Period) -> tuple[str, str]:
    return period.first.isoformat(), period.last.isoformat()


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        ("today", "2026-11-25", "2026-11-25"),
        ("yesterday", "2026-11-24", "2026-11-24"),
        ("tomorrow", "2026-11-26", "2026-11-26"),
        ("this_week", "2026-11-23", "2026-11-29"),
        ("This week", "2026-11-23", "2026-11-29"),
        ("last_week", "2026-11-16", "2026-11-22"),
        ("next week", "2026-11-30", "2026-12-06"),
        ("this month", "2026-11-01", "2026-11-30"),
        ("last_month", "2026-10-01", "2026-10-31"),
        ("previous month", "2026-10-01", "2026-10-31"),
        ("next_month", "2026-12-01", "2026-12-31"),
        ("this quarter", "2026-10-01", "2026-12-31"),
        ("last quarter", "2026-07-01", "2026-09-30"),
        ("next_quarter", "2027-01-01", "2027-03-31"),
        ("this_year", "2026-01-01", "2026-12-31"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("2026-W47", "2026-11-16", "2026-11-22"),
        ("2026-w1", "2025-12-29", "2026-01-04"),
        ("2026-W53", "2026-12-28", "2027-01-03"),
        ("2026-11", "2026-11-01", "2026-11-30"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-Q4", "2026-10-01", "2026-12-31"),
        ("2026", "2026-01-01", "2026-12-31"),
        ("November", "2026-11-01", "2026-11-30"),
        ("Nov 2025", "2025-11-01", "2025-11-30"),
        ("last 7 days", "2026-11-19", "2026-11-25"),
        ("past 7 days", "2026-11-19", "2026-11-25"),
        ("last_30_days", "2026-10-27", "2026-11-25"),
        ("next 7 days", "2026-11-25", "2026-12-01"),
        ("last 2 weeks", "2026-11-09", "2026-11-22"),
        ("next 2 weeks", "2026-11-30", "2026-12-13"),
        ("last 3 months", "2026-08-01", "2026-10-31"),
        ("next 2 months", "2026-12-01", "2027-01-31"),
        ("since monday", "2026-11-23", "2026-11-25"),
        ("since last week", "2026-11-16", "2026-11-25"),
        ("until friday", "2026-11-25", "2026-11-27"),
        ("2026-11-16..2026-11-22", "2026-11-16", "2026-11-22"),
        ("2026-11-16/2026-11-22", "2026-11-16", "2026-11-22"),
        ("2026-11-16 to 2026-11-22", "2026-11-16", "2026-11-22"),
        ("2026-11-16 - 2026-11-22", "2026-11-16", "2026-11-22"),
        ("from 16.11.2026 until 22.11.2026", "2026-11-16", "2026-11-22"),
        ("16.11. .. 22.11.", "2026-11-16", "2026-11-22"),
        ("2026-09..2026-10", "2026-09-01", "2026-10-31"),
        ("last week to today", "2026-11-16", "2026-11-25"),
        ("monday to friday", "2026-11-16", "2026-11-20"),
        ("monday to tuesday", "2026-11-23", "2026-11-24"),
        ("2026-11-20", "2026-11-20", "2026-11-20"),
        ("Fri 2026-11-20", "2026-11-20", "2026-11-20"),
    ],
)
def test_periods_are_read_as_people_name_them(words: str, first: str, last: str) -> None:
    assert days(period_of(words, WEDNESDAY)) == (first, last)


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        ("friday", "2026-11-27", "2026-11-27"),
        ("january", "2027-01-01", "2027-01-31"),
        ("november", "2026-11-01", "2026-11-30"),
        ("monday to friday", "2026-11-30", "2026-12-04"),
        ("thursday to monday", "2026-11-26", "2026-11-30"),
        ("20.12. to 6.1.", "2026-12-20", "2027-01-06"),
    ],
)
def test_periods_of_the_future_are_ahead(words: str, first: str, last: str) -> None:
    assert days(period_of(words, WEDNESDAY, direction="future")) == (first, last)


def test_week_begins_on_the_day_that_is_given() -> None:
    assert days(period_of("this week", WEDNESDAY, week_start=6)) == ("2026-11-22", "2026-11-28")
    assert days(period_of("last 2 weeks", WEDNESDAY, week_start=6)) == ("2026-11-08", "2026-11-21")
    assert days(period_of("2026-W47", WEDNESDAY, week_start=6)) == ("2026-11-16", "2026-11-22")


@pytest.mark.parametrize(
    "words",
    [
        *("", "soon", "2025-W53", "2026-W00", "2026-W54", "2026-13", "2026-Q5", "0000", "9999-W52"),
        *(
            "1999",
            "2101-01",
            "last 0 days",
            "last 9999 weeks",
            "next 9999 months",
            "last 9999 days",
        ),
        *("2026-11-22..2026-11-16", "..", "2026-11-16..", "..2026-11-16", "since", "since then"),
        *("a to b to c", "2026-02-30", "()", "x" * 1000, "1 to " * 100),
    ],
)
def test_refusal_of_a_period_says_what_today_is(words: str) -> None:
    with pytest.raises(DayError, match=r"Today is Monday 2026-11-23\.$"):
        period_of(words, MONDAY)


def test_refusal_of_an_unknown_form_names_the_forms_of_periods() -> None:
    with pytest.raises(DayError, match="this_week, last_month, 2026-W47"):
        period_of("soonish", MONDAY)


def test_period_between_two_days() -> None:
    assert days(period_between("2026-11-16", "friday", MONDAY)) == ("2026-11-16", "2026-11-20")
    assert days(period_between("2026-11-16", None, MONDAY)) == ("2026-11-16", "2026-11-23")
    assert days(period_between(None, "2026-12-01", MONDAY)) == ("2026-11-23", "2026-12-01")
    assert days(period_between("last month", "last week", MONDAY)) == ("2026-10-01", "2026-11-22")
    with pytest.raises(DayError, match="ends on 2026-11-16, before it begins on 2026-11-20"):
        period_between("2026-11-20", "2026-11-16", MONDAY)
    with pytest.raises(DayError, match="Today is"):
        period_between(None, None, MONDAY)


def test_labels_name_the_days() -> None:
    assert period_of("this_week", MONDAY).label == "this week (2026-11-23 to 2026-11-29)"
    assert period_of("2026-w47", MONDAY).label == "2026-W47 (2026-11-16 to 2026-11-22)"
    assert period_of("last 7 days", MONDAY).label == "2026-11-17 to 2026-11-23"
    assert period_of("yesterday", MONDAY).label == "yesterday"


@given(
    DAYS,
    st.sampled_from(
        [
            *("today", "this week", "last_week", "next month", "last quarter", "this_year", "fri"),
            *("last 7 days", "next 3 weeks", "since monday", "until friday", "monday to friday"),
        ]
    ),
    DIRECTIONS,
    st.integers(0, 6),
)
def test_label_is_read_as_the_same_period(
    today: date, words: str, direction: Direction, week_start: int
) -> None:
    period = period_of(words, today, direction=direction, week_start=week_start)
    again = period_of(period.label, today, direction=direction, week_start=week_start)
    assert days(again) == days(period)


@given(DAYS, st.integers(0, 6))
def test_weeks_are_seven_days_and_follow_each_other(today: date, week_start: int) -> None:
    last, this, after = (
        period_of(f"{word} week", today, week_start=week_start) for word in ("last", "this", "next")
    )
    assert last.days == this.days == after.days == 7
    assert this.first <= today <= this.last
    assert this.first.weekday() == week_start
    assert last.last + timedelta(days=1) == this.first
    assert this.last + timedelta(days=1) == after.first


@given(DAYS, st.sampled_from(["month", "quarter", "year"]))
def test_months_quarters_and_years_follow_each_other(today: date, unit: str) -> None:
    last, this, after = (period_of(f"{word} {unit}", today) for word in ("last", "this", "next"))
    assert this.first <= today <= this.last
    assert this.first.day == 1
    assert last.last + timedelta(days=1) == this.first
    assert this.last + timedelta(days=1) == after.first


@given(DAYS)
def test_iso_week_of_each_day_holds_the_day(day: date) -> None:
    year, week, _ = day.isocalendar()
    period = period_of(f"{year}-W{week:02}", MONDAY)
    assert period.first <= day <= period.last
    assert period.first.weekday() == 0
    assert period.days == 7


@given(st.text(max_size=40), DIRECTIONS)
def test_any_text_is_a_period_or_refused(words: str, direction: Direction) -> None:
    try:
        period = period_of(words, MONDAY, direction=direction)
    except DayError:
        return
    assert date(2000, 1, 1) <= period.first <= period.last <= date(2100, 12, 31)
