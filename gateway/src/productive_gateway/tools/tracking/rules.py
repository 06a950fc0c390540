"""The rules that time entries follow, checked before anything is written.

What Productive would refuse is refused here, with the reason; whatever it takes, but a person would
want to know, is a warning. Pure: everything that was read comes in as a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from productive_gateway.productive.identity import TimeLocks
from productive_gateway.productive.records.budgets import Service
from productive_gateway.productive.records.time import TimeEntry, TrackingPolicy
from productive_gateway.productive.working_hours import row_on
from productive_gateway.tools.kit.errors import Problem
from productive_gateway.tools.tracking.capacity import Calendar, Tracker
from productive_gateway.tools.tracking.services import Target
from productive_gateway.tools.words.durations import DAY, hours_text

_LONG_AGO: Final = timedelta(days=92)
"""A date that is further away than this may be a slip of the year."""


@dataclass(frozen=True, slots=True)
class NewTime:
    """Time to be tracked, with its service."""

    day: date
    minutes: int
    billable: int | None
    start: datetime | None
    note: str | None
    target: Target

    @property
    def range(self) -> tuple[datetime, datetime] | None:
        """Begin and end, if the time of day is known."""
        return None if self.start is None else (self.start, _end(self.start, self.minutes))


@dataclass(slots=True)
class Day:
    """What a day of a person holds already; it grows with what is planned."""

    minutes: int = 0
    ranges: list[tuple[datetime, datetime]] = field(default_factory=list)


@dataclass(slots=True)
class Situation:
    """All that the rules depend on."""

    today: date
    tracker: Tracker
    locks: TimeLocks
    calendar: Calendar
    policy: TrackingPolicy | None = None
    """None if there is none, or if Productive is left to apply it."""
    submitted: frozenset[date] = frozenset()
    days: dict[date, Day] = field(default_factory=dict)
    planned: dict[str, int] = field(default_factory=dict)
    """Minutes by service that are planned, but not written yet."""

    def at(self, day: date) -> Day:
        """Return what a day holds."""
        return self.days.setdefault(day, Day())

    def plan(self, new: NewTime) -> None:
        """Count time that is going to be written."""
        day = self.at(new.day)
        day.minutes += new.minutes
        if new.range is not None:
            day.ranges.append(new.range)
        service = new.target.service.id
        self.planned[service] = self.planned.get(service, 0) + new.minutes


def refusal(new: NewTime, situation: Situation) -> Problem | None:
    """Return why time cannot be tracked like this; None if it can, as far as is known."""
    return next(_refusals(new, situation), None)


def warnings(new: NewTime, situation: Situation) -> Iterator[str]:
    """Yield what the user should know about time that can be tracked."""
    yield from _about_day(new, situation)
    worked = new.minutes
    if new.billable is not None and new.billable > worked:
        yield (
            f"The billable hours ({hours_text(new.billable)}) are more than the hours worked "
            f"({hours_text(worked)})."
        )
    budget = new.target.service.budget
    if budget is not None and budget.ends is not None and budget.ends < new.day:
        yield f"The budget {budget.name} ended on {budget.ends.isoformat()}."


def overruns(planned: Iterable[NewTime]) -> Iterator[str]:
    """Yield which services are over their budgeted time with what is planned."""
    minutes: dict[str, int] = {}
    services: dict[str, Service] = {}
    for new in planned:
        service = new.target.service
        services[service.id] = service
        minutes[service.id] = minutes.get(service.id, 0) + new.minutes
    for number, service in services.items():
        if service.left is not None and minutes[number] > service.left:
            over = hours_text(minutes[number] - service.left)
            yield f"{_named(service)} is over its budgeted time, by {over} h with this."


def _about_day(new: NewTime, situation: Situation) -> Iterator[str]:
    day, today = new.day, situation.today
    here, name = situation.calendar.day(day), _day(day)
    if day > today:
        yield f"{name} is in the future."
    elif today - day > _LONG_AGO:
        yield f"{name} is more than three months ago."
    if situation.locks.probably_closed(day, today) and not situation.tracker.unlocked:
        yield f"{name} is so old that Productive may not take time for it."
    if here.holiday:
        yield f"{name} is a holiday ({here.holiday})."
    elif here.absent and here.absence:
        yield f"There is an absence on {name}: {here.absent}, {hours_text(here.absence)} h."
    elif here.usual == 0:
        weekend = " (a weekend)" if day.weekday() > 4 else ""
        yield f"{name} is not a working day{weekend}."


def _refusals(new: NewTime, situation: Situation) -> Iterator[Problem]:
    yield from _closed(new.day, situation)
    if situation.policy is not None:
        yield from _policy(new, situation, situation.policy)
    if new.target.service.limited and _over(new, situation) > 0:
        yield _violated(
            f"{_named(new.target.service)} takes no more time than budgeted "
            f"({_left(new.target.service, situation)}).",
            "hours",
        )
    before = situation.at(new.day).minutes
    if before + new.minutes > DAY:
        yield Problem(
            "invalid_value",
            f"{_day(new.day)} already has {hours_text(before)} h; this would bring it above 24 h.",
            "Check the hours and the day with the user.",
            field="hours",
        )


def _closed(day: date, situation: Situation) -> Iterator[Problem]:
    tracker = situation.tracker
    if situation.locks.closed(day) and not tracker.unlocked:
        yield Problem(
            "period_locked",
            f"The books are closed up to {situation.locks.until}, so {_day(day)} takes no time.",
            "Do not repeat it; somebody who does the accounts can reopen it.",
            field="date",
        )
    if day in situation.submitted:
        yield Problem(
            "day_submitted",
            f"{_day(day)} is submitted, so it takes no more time.",
            "The submission has to be taken back in Productive first.",
            field="date",
        )
    if tracker.availabilities and row_on(day, tracker.availabilities) is None:
        yield Problem(
            "no_cost_rate",
            f"{tracker.name} has no cost rate on {_day(day)}, so no time can be tracked.",
            "Check the day. Else somebody who manages people has to add a cost rate.",
            field="date",
        )


def _policy(new: NewTime, situation: Situation, policy: TrackingPolicy) -> Iterator[Problem]:
    if policy.note_mandatory and not new.note:
        yield _violated("A note is mandatory.", "note")
    if policy.task_mandatory and new.target.task is None:
        yield _violated("A task is mandatory.", "task")
    if policy.range_mandatory and new.start is None:
        yield _violated("Start and end are mandatory.", "start")
    if policy.no_future and new.day > situation.today:
        yield _violated(
            f"{_day(new.day)} is in the future. Today is {situation.today.isoformat()}.", "date"
        )
    if policy.no_overlap and _overlaps(new, situation.at(new.day)):
        yield _violated(f"It overlaps another entry of {_day(new.day)}.", "start")
    limit = _limit(new.day, situation, policy)
    there = situation.at(new.day).minutes
    if limit is not None and there + new.minutes > limit:
        yield _violated(
            f"{_day(new.day)} may have {hours_text(limit)} h and has {hours_text(there)} h.",
            "hours",
        )
    if policy.within_budget and _over(new, situation) > 0:
        yield _violated(
            f"The budgeted time of {_named(new.target.service)} is not enough "
            f"({_left(new.target.service, situation)}).",
            "hours",
        )


def _limit(day: date, situation: Situation, policy: TrackingPolicy) -> int | None:
    here = situation.calendar.day(day)
    if here.holiday and policy.holiday is not None:
        return policy.holiday
    if here.absence and here.usual:
        full = here.absence >= here.usual
        limit = policy.absence if full else policy.half_absence
        if limit is not None:
            return limit
    return policy.working_day if day.weekday() < 5 else policy.day_off


def _over(new: NewTime, situation: Situation) -> int:
    """Return the minutes that the service is over its budgeted time with this."""
    left = _minutes_left(new.target.service, situation)
    return 0 if left is None else max(0, new.minutes - left)


def _minutes_left(service: Service, situation: Situation) -> int | None:
    if service.left is None:
        return None
    return service.left - situation.planned.get(service.id, 0)


def _left(service: Service, situation: Situation) -> str:
    left = _minutes_left(service, situation) or 0
    return f"{hours_text(max(0, left))} h left"


def _overlaps(new: NewTime, day: Day) -> bool:
    if new.range is None:
        return False
    begin, end = new.range
    return any(begin < other and one < end for one, other in day.ranges)


def _end(start: datetime, minutes: int) -> datetime:
    return start + timedelta(minutes=minutes)


def _violated(message: str, field_: str) -> Problem:
    return Problem(
        "policy_violation",
        f"The company's rules for time entries do not allow this. {message}",
        "Change what the rule requires, then try once more.",
        field=field_,
    )


def _named(service: Service) -> str:
    budget = f" of {service.budget.name}" if service.budget else ""
    return f"{service.name}{budget}"


def _day(day: date) -> str:
    return f"{day:%A} {day.isoformat()}"


def policy_of(policies: Sequence[TrackingPolicy], tracker: Tracker) -> TrackingPolicy | None:
    """Return the policy that applies to a person."""
    return next((one for one in policies if one.id == tracker.policy_id), None)


def days_of(entries: Iterable[TimeEntry]) -> dict[date, Day]:
    """Return what days hold already."""
    found: dict[date, Day] = {}
    for entry in entries:
        if entry.date is None:
            continue
        held = found.setdefault(entry.date, Day())
        held.minutes += entry.minutes
        if entry.start is not None:
            held.ranges.append((entry.start, _end(entry.start, entry.minutes)))
    return found
