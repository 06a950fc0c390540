"""What is planned for people: bookings, absences, holidays, and the hours that they work."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.budgets import Service
from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.record import Record


class Holiday(Record, type="holidays"):
    """A holiday of one calendar."""

    name: str = has.name("name")
    date: date | None = has.day("date", label="")


class Event(Record, type="events"):
    """A kind of absence."""

    name: str = has.name("name")
    absence_type: str | None = has.ident("absence_type", default=None, label="")


class Booking(Record, type="bookings", links_as_attributes=True):
    """Time that is planned for a person: work on a service, or an absence."""

    started: date | None = has.day("started_on", label="from")
    ended: date | None = has.day("ended_on", label="to")
    method: str | None = has.word(
        "booking_method_id", {1: "a day", 2: "percent", 3: "in total"}, label=""
    )
    hours: int | None = has.minutes("time", label="")
    percentage: Decimal | None = has.number("percentage")
    total: int | None = has.minutes("total_time")
    working_days: int | None = has.count("total_working_days")
    tentative: bool = has.flag("draft")
    canceled: bool = has.flag("canceled")
    rejected: bool = has.flag("rejected")
    service: Service | None = has.one(lambda: Service, "service")
    event: Event | None = has.one(lambda: Event, "event")


class Worker(PersonRef):
    """A person with what decides when and how they track time."""

    availabilities: str | None = has.ident("availabilities", default=None, shown=False)
    policy_id: str | None = has.ident("time_tracking_policy_id", default=None, shown=False)
    unlocked: bool = has.flag("time_unlocked", shown=False)
    deactivated: bool = has.flag("deactivated_at")
