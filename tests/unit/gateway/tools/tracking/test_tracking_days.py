"""Pure parts of tracked time: periods around days, twins of entries, working days."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.productive.records.budgets import ServiceRef
from productive_gateway.productive.records.planning import Booking, Event
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.productive.working_hours import Availability, row_on
from productive_gateway.tools.tracking.capacity import Calendar, booked_minutes, spans
from productive_gateway.tools.tracking.twins import Intended, as_intended, twins

MONDAY = date(2026, 11, 23)
DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))
FULL = tuple(Decimal(hours) for hours in (8, 8, 8, 8, 8, 0, 0) * 2)


@given(st.lists(DAYS, max_size=20))
def test_periods_cover_all_days_and_leave_out_long_gaps(days: list[date]) -> None:
    found = spans(days)
    for day in days:
        assert sum(first <= day <= last for first, last in found) == 1
    for (_, last), (first, _) in pairwise(found):
        assert first - last > timedelta(days=31)
    assert all(first in days and last in days for first, last in found)


def entry(number: int, minutes: int, note: str) -> TimeEntry:
    return TimeEntry(
        id=str(number),
        date=MONDAY,
        hours=minutes,
        billable_hours=None,
        project=None,
        service=ServiceRef(id="1", name="Design"),
        budget=None,
        task=None,
        start=None,
        note=note,
    )


NOTES = st.sampled_from(["", "a", "<p>a</p>", "b"])
MINUTES = st.sampled_from([30, 60])


@given(st.lists(st.tuples(MINUTES, NOTES), max_size=6), st.lists(st.tuples(MINUTES, NOTES)))
def test_each_existing_entry_stands_for_one_intended(
    wanted: list[tuple[int, str]], there: list[tuple[int, str]]
) -> None:
    listed = [entry(number, minutes, note) for number, (minutes, note) in enumerate(there)]
    intended = {
        at: Intended(MONDAY, "1", None, minutes, None, note)
        for at, (minutes, note) in enumerate(wanted)
    }
    found = twins(intended, listed)
    assert len({one.id for one in found.values()}) == len(found)
    for at, one in found.items():
        form = as_intended(one)
        assert form is not None
        assert form.identity == intended[at].identity
    identities = [form.identity for one in listed if (form := as_intended(one))]
    for identity in {one.identity for one in intended.values()}:
        wanted_here = sum(one.identity == identity for one in intended.values())
        found_here = sum(intended[at].identity == identity for at in found)
        assert found_here == min(wanted_here, identities.count(identity))
    assert twins(intended, listed, known={one.id for one in listed}) == {}


def absence(minutes: int, day: date = MONDAY, *, remote: bool = False) -> Booking:
    return Booking(
        id="1",
        started=day,
        ended=day,
        method="a day",
        hours=minutes,
        percentage=None,
        total=None,
        working_days=None,
        tentative=False,
        canceled=False,
        rejected=False,
        service=None,
        event=Event(id="9", name="Leave", absence_type="remote_work" if remote else "time_off"),
    )


@given(st.integers(0, 1440), DAYS, st.booleans(), st.booleans())
def test_capacity_is_between_nothing_and_the_usual_hours(
    minutes: int, day: date, holiday: bool, remote: bool
) -> None:
    rows = (Availability(date(2025, 1, 6), None, FULL),)
    calendar = Calendar(
        rows, {day: "Holiday"} if holiday else {}, (absence(minutes, day, remote=remote),)
    )
    here = calendar.day(day)
    usual = 480 if day.weekday() < 5 else 0
    assert here.usual == usual
    assert here.capacity is not None
    expected = usual if remote else max(0, usual - minutes)
    assert here.capacity == (0 if holiday else expected)


def test_unknown_working_hours_stay_unknown() -> None:
    here = Calendar((), {MONDAY: "Holiday"}, (absence(240),)).day(MONDAY)
    assert here.capacity is None


@pytest.mark.parametrize(
    ("method", "values", "minutes"),
    [
        ("a day", {"hours": 240}, 240),
        ("percent", {"percentage": Decimal(50)}, 240),
        ("in total", {"total": 960, "working_days": 2}, 480),
        ("in total", {"total": 960, "working_days": None}, 960),
    ],
)
def test_booking_takes_its_minutes_of_a_working_day_only(
    method: str, values: dict[str, object], minutes: int
) -> None:
    plain = absence(0)
    made = Booking(**{**vars(plain), "method": method, **values})
    assert booked_minutes(made, 480, holiday=False) == minutes
    assert booked_minutes(made, 480, holiday=True) == 0
    assert booked_minutes(made, 0, holiday=False) == 0


def test_of_several_rows_the_one_that_begins_last_is_valid() -> None:
    old = Availability(date(2025, 1, 6), None, FULL)
    new = Availability(date(2026, 1, 5), None, FULL, calendar="7")
    assert row_on(MONDAY, (old, new)) == new
    assert row_on(MONDAY, (new, old)) == new
    assert row_on(date(2025, 6, 2), (old, new)) == old
    assert row_on(date(2024, 6, 3), (old, new)) is None
