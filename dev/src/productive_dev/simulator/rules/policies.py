"""Time tracking policies: the company's own rules, each the reason of a 422.

The attributes are those of the reference; the words and pointers of the refusals are inferred.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.kinds import day_of, instant_of
from productive_dev.simulator.errors import Fault
from productive_dev.simulator.records import Record
from productive_dev.simulator.rules.totals import minutes_on


def policy_of(context: Context, person: Record) -> Record | None:
    """Return a person's own policy, else the organization's."""
    own = person.attributes["time_tracking_policy_id"]
    organization = context.state.get("organizations", person.organization)
    default = organization.attributes["time_tracking_policy_id"] if organization else None
    number = own if own is not None else default
    return None if number is None else context.state.get("time_tracking_policies", str(number))


def policy_faults(context: Context, entry: Record, person: Record) -> Iterable[Fault]:
    """Name the rules that an entry breaks."""
    policy = policy_of(context, person)
    day = day_of(entry.attributes["date"])
    if policy is None or day is None:
        return
    rules, values = policy.attributes, entry.attributes
    if rules["note_mandatory"] and not (values["note"] or "").strip():
        yield Fault("note", "note is mandatory")
    if rules["task_mandatory"] and entry.to_one("task") is None:
        yield Fault("task", "task is mandatory")
    if rules["time_range_mandatory"] and values["started_at"] is None:
        yield Fault("started_at", "start time is mandatory")
    if rules["restrict_future_tracking"] and day > context.today:
        yield Fault("date", "tracking time in the future is not allowed")
    limit = _limit(context, policy, person, day)
    if limit is not None and _minutes_on_day(context, entry) > limit:
        yield Fault("time", "daily limit exceeded")
    if rules["restrict_time_entry_overlap"] and _overlaps(context, entry):
        yield Fault("started_at", "overlaps another time entry")
    if rules["restrict_tracking_over_budget"] and _over_budget(context, entry):
        yield Fault("time", "budget is exceeded")


def limitation_faults(context: Context, entry: Record) -> Iterable[Fault]:
    """Name a service whose own limitation stops tracking (the vendor's schema names them)."""
    service = context.follow(entry, "service")
    if service is None or service.attributes["limitation_type"] == "no_limitation":
        return
    if _over_budget(context, entry):
        yield Fault("time", "service limit is exceeded")


def _limit(context: Context, policy: Record, person: Record, day: date) -> int | None:
    rules = policy.attributes
    found: int | None
    if _is_holiday(context, person, day) and rules["holiday_limit"] is not None:
        found = rules["holiday_limit"]
    elif day.weekday() < 5:
        found = rules["working_day_limit"]
    else:
        found = rules["non_working_day_limit"]
    return found


def _is_holiday(context: Context, person: Record, day: date) -> bool:
    calendars = {
        rate.to_one("holiday_calendar")
        for rate in context.state.pointing("salaries", "person", person.ref)
    }
    return any(
        holiday.attributes["date"] == day.isoformat()
        and holiday.to_one("holiday_calendar") in calendars
        for holiday in context.all("holidays")
    )


def _others_on_day(context: Context, entry: Record) -> Iterable[Record]:
    person = entry.to_one("person")
    if person is None:
        return
    for other in context.state.pointing("time_entries", "person", person):
        if other.id != entry.id and other.attributes["date"] == entry.attributes["date"]:
            yield other


def _minutes_on_day(context: Context, entry: Record) -> int:
    others = sum(int(other.attributes["time"]) for other in _others_on_day(context, entry))
    return others + int(entry.attributes["time"] or 0)


def _overlaps(context: Context, entry: Record) -> bool:
    own = _span(entry)
    spans = [_span(other) for other in _others_on_day(context, entry)]
    return own is not None and any(
        span is not None and own[0] < span[1] and span[0] < own[1] for span in spans
    )


def _span(entry: Record) -> tuple[datetime, datetime] | None:
    start = instant_of(entry.attributes["started_at"])
    if start is None:
        return None
    return start, start + timedelta(minutes=int(entry.attributes["time"] or 0))


def _over_budget(context: Context, entry: Record) -> bool:
    service = context.follow(entry, "service")
    if service is None or not service.attributes["budgeted_time"]:
        return False
    stored = context.state.get("time_entries", entry.id)
    same = stored is not None and stored.to_one("service") == service.ref
    counted = int(stored.attributes["time"] or 0) if stored and same else 0
    worked = minutes_on(context.state, service, "time") - counted
    total = worked + int(entry.attributes["time"] or 0)
    return total > int(service.attributes["budgeted_time"])
