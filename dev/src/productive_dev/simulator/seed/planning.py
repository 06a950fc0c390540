"""Holidays, kinds of absence, allowances and bookings.

The traps: holidays last week and at Christmas, an absence with an allowance that only some have, a
sick day in the past, a tentative booking, more booked than a day has.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.seed.build import build, to
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.seed.organizations import HARBOUR, NORTHLIGHT

_EVENTS: Final = (
    ("901", "Vacation", "time_off", 1, 2),
    ("902", "Sick leave", "time_off", 1, 4),
    ("903", "Remote work", "remote_work", 1, 4),
    ("904", "Unpaid leave", "time_off", 2, 4),
)
_ALLOWED: Final = ("9103", "9104", "9105", "9107")


def planning(calendar: Calendar) -> Iterator[Record]:
    """Yield all of it."""
    yield build("holiday_calendars", "71", NORTHLIGHT, {"name": "Croatia", "country": "HR"})
    yield build("holiday_calendars", "72", HARBOUR, {"name": "United Kingdom", "country": "GB"})
    yield from _holidays(calendar.today.year)
    for number, name, kind, paid, limit in _EVENTS:
        yield build(
            "events",
            number,
            NORTHLIGHT,
            {
                "name": name,
                "absence_type": kind,
                "event_type_id": paid,
                "limitation_type_id": limit,
                "half_day_bookings": True,
                "icon_id": "palm",
                "color_id": 5,
            },
        )
    year = calendar.today.year
    for position, person in enumerate(_ALLOWED, start=1):
        yield build(
            "entitlements",
            str(3000 + position),
            NORTHLIGHT,
            {"allocated": 24, "start_date": f"{year}-01-01", "end_date": f"{year}-12-31"},
            {"person": Ref("people", person), "event": Ref("events", "901")},
        )
    yield from _bookings(calendar)


def _holidays(year: int) -> Iterator[Record]:
    for number, day, name in (
        ("7401", date(year, 12, 25), "Christmas Day"),
        ("7402", date(year, 12, 26), "St Stephen's Day"),
        ("7403", date(year + 1, 1, 1), "New Year's Day"),
        ("7404", date(year, 11, 18), "Remembrance Day"),
    ):
        yield build(
            "holidays",
            number,
            NORTHLIGHT,
            {"name": name, "date": day.isoformat()},
            {"holiday_calendar": Ref("holiday_calendars", "71")},
        )


def _bookings(calendar: Calendar) -> Iterator[Record]:
    this_week, next_week, later = (calendar.monday(n) for n in (0, 1, 2))
    design, onboarding = Ref("services", "16880011"), Ref("services", "16880042")
    vacation, sick = Ref("events", "901"), Ref("events", "902")
    yield _booking("551001", "9104", next_week, 5, minutes=240, service=design)
    yield _booking("551002", "9104", later, 3, minutes=480, event=vacation)
    yield _booking("551003", "9103", later, 2, minutes=480, service=design, draft=True)
    yield _booking("551004", "9105", calendar.workday(4), 1, minutes=480, event=sick)
    yield _booking("551005", "9104", next_week, 5, minutes=300, service=onboarding)
    yield _booking("551006", "9106", this_week, 5, minutes=360, service=design)


def _booking(
    number: str,
    person: str,
    first: date,
    days: int,
    *,
    minutes: int,
    service: Ref | None = None,
    event: Ref | None = None,
    draft: bool = False,
) -> Record:
    return build(
        "bookings",
        number,
        NORTHLIGHT,
        {
            "started_on": first.isoformat(),
            "ended_on": (first + timedelta(days=days - 1)).isoformat(),
            "time": minutes,
            "hours": minutes / 60,
            "total_time": minutes * days,
            "total_working_days": days,
            "draft": draft,
            "approved": not draft,
            "stage_type": None if event else 2,
        },
        {
            "person": Ref("people", person),
            "service": service,
            "event": event,
            "task": to("tasks", None),
            "creator": Ref("people", "9103"),
        },
    )
