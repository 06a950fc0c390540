"""Bookings: exactly one of service and event, and how many minutes the three methods make.

Recorded: method 1 (8 h a day) has total_time 480 for a day and percentage null, method 3 has time
0, hours null and total_time over its days; the stage type of an absence is null. The vendor's
schema: method 2 is a percentage of each day's capacity. Capacity here is the working hours of the
cost rate, without holidays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.kinds import day_of
from productive_dev.simulator.errors import Fault, conflict
from productive_dev.simulator.records import Record, Ref

PER_DAY, PERCENT, TOTAL = 1, 2, 3
_LIMITED: Final = (2, 3)


def settle_booking(context: Context, before: Record | None, booking: Record) -> Record:
    """Compute hours, days and totals."""
    first, last = day_of(booking.attributes["started_on"]), day_of(booking.attributes["ended_on"])
    person = booking.to_one("person")
    if first is None or last is None or person is None or last < first:
        return booking
    capacities = [minutes for _, minutes in capacity(context, person, first, last) if minutes]
    values = booking.attributes
    method = values["booking_method_id"] or PER_DAY
    per_day, percentage, total = values["time"] or 0, values["percentage"], values["total_time"]
    if method == PER_DAY:
        percentage, total = None, per_day * len(capacities)
    elif method == PERCENT:
        share = percentage or 0
        per_day = round(share * max(capacities, default=480) / 100)
        total = sum(round(share * minutes / 100) for minutes in capacities)
    else:
        per_day, percentage = 0, None
    is_work = booking.to_one("service") is not None
    booking = booking.with_attributes(
        booking_method_id=method,
        time=per_day,
        hours=None if method == TOTAL else per_day / 60,
        percentage=percentage,
        total_time=total,
        total_working_days=len(capacities),
        stage_type=2 if is_work else None,
    )
    if before is None:
        approved = not booking.attributes["draft"]
        booking = booking.with_attributes(
            approved=approved, approved_at=context.whole_stamp if approved else None
        )
    return booking


def check_booking(context: Context, _: Record | None, booking: Record) -> Iterable[Fault]:
    """Name what is wrong with a booking."""
    service, event = booking.to_one("service"), booking.to_one("event")
    if (service is None) == (event is None):
        yield Fault("service", "can't be blank" if service is None else "attribute is invalid")
    first, last = day_of(booking.attributes["started_on"]), day_of(booking.attributes["ended_on"])
    if first is not None and last is not None and last < first:
        yield Fault("ended_on", "must be after start date")
    if booking.attributes["booking_method_id"] not in (PER_DAY, PERCENT, TOTAL):
        yield Fault("booking_method_id", "is not included in the list")
    absence = context.state.at(event)
    if absence is None or absence.attributes["limitation_type_id"] not in _LIMITED:
        return
    if first is not None and not _allowance(context, booking, first):
        yield Fault(
            "event",
            "has no allowance for this person",
            "entitlements_required",
            "Invalid Attribute",
        )


def writes_booking(context: Context, booking: Record) -> bool:
    """Tell whether the caller may plan for a person: members for themselves (inferred)."""
    person = booking.to_one("person")
    return context.caller.manages or person in (None, context.caller.person.ref)


def cancel(context: Context, booking: Record, _: Mapping[str, Any]) -> Record:
    """Cancel a booking; the record stays.

    Raises:
        Problem: 409 when it is cancelled.
    """
    if booking.attributes["canceled"]:
        raise conflict("already_canceled")
    changed = booking.with_attributes(canceled=True, canceled_at=context.whole_stamp)
    changed = changed.with_relations(canceler=context.caller.person.ref)
    context.state.put(changed)
    return changed


def capacity(context: Context, person: Ref, first: date, last: date) -> list[tuple[date, int]]:
    """Return the minutes that a person works on each day of a range, holidays being none."""
    rates = sorted(
        context.state.pointing("salaries", "person", person),
        key=lambda rate: str(rate.attributes["started_on"]),
    )
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [(day, _minutes(context, rates, day)) for day in days]


def _minutes(context: Context, rates: list[Record], day: date) -> int:
    text = day.isoformat()
    valid = [
        rate
        for rate in rates
        if rate.attributes["started_on"] <= text
        and (rate.attributes["ended_on"] is None or text <= rate.attributes["ended_on"])
    ]
    if not valid:
        return 0
    rate = valid[-1]
    calendar = rate.to_one("holiday_calendar")
    if calendar is not None and any(
        holiday.attributes["date"] == text
        for holiday in context.state.pointing("holidays", "holiday_calendar", calendar)
    ):
        return 0
    hours = list(rate.attributes["working_hours"])
    start = date.fromisoformat(rate.attributes["started_on"])
    monday = start - timedelta(days=start.weekday())
    return round(60 * float(hours[(day - monday).days % len(hours)]))


def _allowance(context: Context, booking: Record, first: date) -> bool:
    person = booking.to_one("person")
    return any(
        entitlement.to_one("event") == booking.to_one("event")
        and entitlement.attributes["start_date"] <= first.isoformat()
        and first.isoformat() <= (entitlement.attributes["end_date"] or "9999-12-31")
        for entitlement in (
            context.state.pointing("entitlements", "person", person) if person else ()
        )
    )
