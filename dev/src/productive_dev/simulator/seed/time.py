"""Policies, the time that people tracked, and what became of it.

Ana Kovač has two empty days, so that there is something to fill, and two submitted ones; some time
on the budget with approval is approved, some rejected; a colleague's timer runs; one person tracked
in the time before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from productive_dev.simulator.access import Caller
from productive_dev.simulator.clock import local, stamp
from productive_dev.simulator.context import Context
from productive_dev.simulator.records import Record, Ref, State
from productive_dev.simulator.resources import RESOURCES
from productive_dev.simulator.rules.entries import settle_entry
from productive_dev.simulator.seed.build import build, to
from productive_dev.simulator.seed.calendar import ZONE, Calendar
from productive_dev.simulator.seed.organizations import HARBOUR, NORTHLIGHT
from productive_dev.simulator.tokens import Token

_RECENT: Final = 10
_OLDER: Final = 25
"""Working days."""

# person → (service, task) they work on
_HABITS: Final = {
    "9104": (("16880011", "20510088"), ("16880015", None), ("16880042", "20510212")),
    "9103": (("16880015", None), ("16880035", "20510112"), ("16880051", None)),
    "9105": (("16880012", "20510090"), ("16880041", None)),
    "9107": (("16880041", "20510214"), ("16880051", None)),
}
_EMPTY_DAYS: Final = {("9104", 3), ("9104", 6), ("9105", 4)}
_SUBMITTED: Final = {("9104", 10), ("9104", 9), ("9105", 10), ("9105", 9), ("9105", 8)}
_NOTES: Final = ("Sprint work", "<ul><li><p>Review</p></li></ul>", None, "Call with the client")


def policies(calendar: Calendar) -> Iterator[Record]:
    """Yield time tracking and approval policies."""
    yield _policy(calendar, "501", NORTHLIGHT, "Standard", restrict_future_tracking=True)
    strict = {"note_mandatory": True, "task_mandatory": True, "working_day_limit": 480}
    yield _policy(calendar, "502", NORTHLIGHT, "Strict", **strict)
    yield _policy(calendar, "511", HARBOUR, "Standard")
    values = {"name": "Budget owner approves", "type_id": 2, "default": True}
    yield build("approval_policies", "701", NORTHLIGHT, values)


def tracked(state: State, calendar: Calendar) -> Iterator[Record]:
    """Yield time entries, timesheets and timers; `state` has what they point at."""
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
    yield from _days(state, calendar, 163000501, range(_RECENT, 0, -1), 41)
    yield from _days(state, calendar, 162000501, range(_OLDER, _RECENT, -1), 43)
    number = 301
    for person, back in sorted(_SUBMITTED):
        yield build(
            "timesheets",
            str(number),
            NORTHLIGHT,
            {"date": calendar.workday(back).isoformat(), "created_at": calendar.ago(2)},
            {"person": Ref("people", person), "creator": Ref("people", person)},
        )
        number += 1
    yield _entry(
        state,
        calendar,
        "163000951",
        calendar.workday(2),
        organization=HARBOUR,
        person="9202",
        service="16880301",
        task="20510901",
        minutes=240,
        note="Sign-in form",
    )
    yield from _running(state, calendar)


def _days(state: State, calendar: Calendar, first: int, days: range, seed: int) -> Iterator[Record]:
    dice = random.Random(seed)  # noqa: S311 (invented data, the same every time)
    number = first
    for person, habits in _HABITS.items():
        for back in days:
            if (person, back) in _EMPTY_DAYS:
                continue
            for service, task in dice.sample(habits, k=2):
                entry = _entry(
                    state,
                    calendar,
                    str(number),
                    calendar.workday(back),
                    person=person,
                    service=service,
                    task=task,
                    minutes=dice.choice((45, 60, 90, 120, 150)),
                    note=dice.choice(_NOTES),
                )
                number += 1
                yield _judged(calendar, entry, person, back)


def _judged(calendar: Calendar, entry: Record, person: str, back: int) -> Record:
    submitted = (person, back) in _SUBMITTED
    if submitted:
        entry = entry.with_attributes(submitted=True)
    if entry.to_one("service") != Ref("services", "16880035"):
        return entry
    if back > _RECENT:
        approved = entry.with_attributes(approved=True, approved_at=calendar.ago(3))
        return approved.with_relations(approver=Ref("people", "9101"))
    if back == _RECENT - 1:
        rejected = entry.with_attributes(
            rejected=True, rejected_at=calendar.ago(2), rejected_reason="Wrong budget?"
        )
        return rejected.with_relations(rejecter=Ref("people", "9101"))
    return entry


def _policy(calendar: Calendar, number: str, organization: str, name: str, **rules: Any) -> Record:
    values = {
        "name": name,
        "created_at": calendar.ago(500),
        "updated_at": calendar.ago(200),
        **rules,
    }
    return build("time_tracking_policies", number, organization, values)


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
    organization: str = NORTHLIGHT,
) -> Record:
    moment = calendar.at(day, 17, 41)
    who = Ref("people", person)
    written = stamp(moment)
    entry = build(
        "time_entries",
        number,
        organization,
        {
            "date": day.isoformat(),
            "time": minutes,
            "note": note,
            "track_method_id": track_method,
            **dict.fromkeys(("created_at", "updated_at", "last_activity_at"), written),
        },
        {
            "person": who,
            "service": Ref("services", service),
            "task": to("tasks", task),
            "creator": who,
            "last_actor": who,
        },
    )
    author = state.at(who)
    if author is None:
        raise KeyError(person)
    caller = Caller(Token("simulator-seed", "seed", {}), organization, author)
    return settle_entry(Context(state, caller, moment.timestamp(), RESOURCES), None, entry)


def _running(state: State, calendar: Calendar) -> Iterator[Record]:
    """Yield a colleague's running timer with its entry of no minutes."""
    started = stamp(local(calendar.now - 600, ZONE), milliseconds=False)
    entry = _entry(
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
    yield entry.with_attributes(timer_started_at=started)
    yield build(
        "timers",
        "14335001",
        NORTHLIGHT,
        {"person_id": 9103, "started_at": started},
        {"time_entry": Ref("time_entries", "163000901")},
    )
