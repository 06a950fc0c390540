"""Policies, holidays, absences, and the time that people tracked in the last two weeks.

Ana Kovač has two empty days, so that there is something to fill; a colleague's timer runs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

from productive_dev.simulator.clock import local, stamp
from productive_dev.simulator.records import Record, Ref, State
from productive_dev.simulator.seed.calendar import ZONE, Calendar
from productive_dev.simulator.seed.people import HARBOUR, NORTHLIGHT
from productive_dev.simulator.time_entries import blank_entry, settle

_WORKDAYS: Final = 10

# person → (service, task) they work on
_HABITS: Final = {
    "9104": (("16880011", "20510088"), ("16880015", None), ("16880042", "20510212")),
    "9103": (("16880015", None), ("16880035", "20510112"), ("16880051", None)),
    "9105": (("16880012", "20510090"), ("16880041", None)),
    "9107": (("16880041", "20510214"), ("16880051", None)),
}
_EMPTY_DAYS: Final = {("9104", 3), ("9104", 6)}
_NOTES: Final = ("Sprint work", "<ul><li><p>Review</p></li></ul>", None, "Call with the client")


def rules(calendar: Calendar) -> Iterator[Record]:
    """Yield time tracking policies, holidays, absences and bookings."""
    yield _policy(calendar, "501", NORTHLIGHT, "Standard", restrict_future_tracking=True)
    strict = {"note_mandatory": True, "task_mandatory": True, "working_day_limit": 480}
    yield _policy(calendar, "502", NORTHLIGHT, "Strict", **strict)
    yield _policy(calendar, "511", HARBOUR, "Standard")
    yield Record("holiday_calendars", "71", NORTHLIGHT, {"name": "Croatia"})
    yield Record("holiday_calendars", "72", HARBOUR, {"name": "United Kingdom"})
    year = calendar.today.year
    for number, day, name in (
        ("7401", date(year, 12, 25), "Christmas Day"),
        ("7402", date(year, 12, 26), "St Stephen's Day"),
        ("7403", date(year + 1, 1, 1), "New Year's Day"),
    ):
        yield Record(
            "holidays",
            number,
            NORTHLIGHT,
            {"name": name, "date": day.isoformat()},
            {"holiday_calendar": Ref("holiday_calendars", "71"), "creator": None},
        )
    yield from _absences(calendar)


def tracked(state: State, calendar: Calendar) -> Iterator[Record]:
    """Yield time entries and timers; `state` has what they point at."""
    yield _entry(
        state,
        calendar,
        "163000412",
        calendar.workday(1),
        person="9104",
        service="16880011",
        task="20510087",
        minutes=195,
        note="Wireframes <b>v2</b>",
    )
    dice = random.Random(41)  # noqa: S311 (invented data, the same every time)
    number = 163000501
    for person, habits in _HABITS.items():
        for back in range(_WORKDAYS, 0, -1):
            if (person, back) in _EMPTY_DAYS:
                continue
            for service, task in dice.sample(habits, k=2):
                minutes = dice.choice((45, 60, 90, 120, 150))
                yield _entry(
                    state,
                    calendar,
                    str(number),
                    calendar.workday(back),
                    person=person,
                    service=service,
                    task=task,
                    minutes=minutes,
                    note=dice.choice(_NOTES),
                )
                number += 1
    yield from _running(state, calendar)


def _policy(calendar: Calendar, number: str, organization: str, name: str, **rules: Any) -> Record:
    return Record(
        "time_tracking_policies",
        number,
        organization,
        {
            "name": name,
            "note_mandatory": False,
            "task_mandatory": False,
            "time_range_mandatory": False,
            "restrict_future_tracking": False,
            "restrict_time_entry_overlap": False,
            "restrict_tracking_over_budget": False,
            "working_day_limit": None,
            "non_working_day_limit": None,
            "archived_at": None,
            "created_at": calendar.ago(500),
            "updated_at": calendar.ago(200),
            **rules,
        },
        {"creator": None, "last_actor": None},
    )


def _absences(calendar: Calendar) -> Iterator[Record]:
    for number, name, kind in (
        ("901", "Vacation", "time_off"),
        ("903", "Remote work", "remote_work"),
    ):
        yield Record(
            "events",
            number,
            NORTHLIGHT,
            {
                "name": name,
                "absence_type": kind,
                "event_type_id": 1,
                "limitation_type_id": 2,
                "half_day_bookings": True,
                "archived_at": None,
            },
        )
    next_week, later = calendar.monday(1), calendar.monday(2)
    design = Ref("services", "16880011")
    yield _booking("551001", "9104", next_week, 5, minutes=240, service=design)
    yield _booking("551002", "9104", later, 3, minutes=480, event=Ref("events", "901"))
    yield _booking("551003", "9103", later, 2, minutes=480, service=design, draft=True)


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
    return Record(
        "bookings",
        number,
        NORTHLIGHT,
        {
            "started_on": first.isoformat(),
            "ended_on": (first + timedelta(days=days - 1)).isoformat(),
            "booking_method_id": 1,
            "time": minutes,
            "hours": minutes / 60,
            "percentage": None,
            "total_time": minutes * days,
            "total_working_days": days,
            "draft": draft,
            "approved": not draft,
            "canceled": False,
            "rejected": False,
            "note": None,
            "stage_type": 2,
        },
        {
            "person": Ref("people", person),
            "service": service,
            "event": event,
            "task": None,
            "creator": Ref("people", "9103"),
            "approver": None,
        },
    )


def _entry(
    state: State,
    calendar: Calendar,
    number: str,
    day: date,
    *,
    person: str,
    service: str,
    task: str | None,
    minutes: int,
    note: str | None,
    track_method: int = 1,
) -> Record:
    moment = calendar.at(day, 17, 41)
    who = Ref("people", person)
    values = {
        "date": day.isoformat(),
        "time": minutes,
        "note": note,
        "track_method_id": track_method,
    }
    entry = Record(
        "time_entries",
        number,
        NORTHLIGHT,
        blank_entry(moment) | values,
        {
            "person": who,
            "service": Ref("services", service),
            "task": None if task is None else Ref("tasks", task),
            "approver": None,
            "creator": who,
            "updater": None,
            "rejecter": None,
            "last_actor": who,
        },
    )
    return settle(state, entry, moment)


def _running(state: State, calendar: Calendar) -> Iterator[Record]:
    """Yield a colleague's running timer with its entry of no minutes."""
    yield _entry(
        state,
        calendar,
        "163000901",
        calendar.today,
        person="9103",
        service="16880051",
        task=None,
        minutes=0,
        note=None,
        track_method=2,
    )
    yield Record(
        "timers",
        "14335001",
        NORTHLIGHT,
        {
            "person_id": 9103,
            "started_at": stamp(local(calendar.now - 600, ZONE), milliseconds=False),
            "stopped_at": None,
            "total_time": 0,
        },
        {"time_entry": Ref("time_entries", "163000901"), "person": Ref("people", "9103")},
    )
