"""Bookings, kinds of absence, entitlements and holidays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    Compute,
    absent,
    choice,
    computed,
    constant,
    day,
    flag,
    mapping,
    minutes,
    moment,
    number,
    relation,
    relations,
    text,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    attribute,
    by_choice,
    by_flag,
    inert,
    related,
    set_or_not,
    since,
    to,
    until,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import (
    EVERYTHING,
    WRITES,
    Lineage,
    administrators,
    managers,
    resource,
)
from productive_dev.simulator.declare.sorts import by, by_names
from productive_dev.simulator.errors import conflict
from productive_dev.simulator.records import Record
from productive_dev.simulator.resources.archive import archivable
from productive_dev.simulator.resources.people import NAMES
from productive_dev.simulator.rules.bookings import (
    cancel,
    check_booking,
    settle_booking,
    writes_booking,
)

_DAY: Final = 480


def _approval(_: Context, booking: Record) -> Sequence[str]:
    # 1 approved, 2 pending, 3 rejected, 5 cancelled (the vendor's schema)
    values = booking.attributes
    states = {"canceled": "5", "rejected": "3", "approved": "1"}
    return (next((code for name, code in states.items() if values[name]), "2"),)


def _billing(context: Context, booking: Record) -> Sequence[str]:
    service = context.follow(booking, "service")
    return (str(service.attributes["billing_type_id"]),) if service else ()


BOOKINGS = resource(
    "bookings",
    (
        number("hours", "-"),
        minutes("time", "", 0),
        day("started_on", "! f o"),
        day("ended_on", "! f"),
        text("note", "f"),
        minutes("total_time", ""),
        number("total_working_days", "-"),
        number("percentage"),
        moment("created_at", "- f"),
        moment("updated_at", "- f"),
        # A copy of the person's fields, which clients had better drop (observed).
        constant("people_custom_fields", {}, Kind.HASH),
        flag("approved", "-"),
        moment("approved_at", "- f"),
        flag("rejected", "-"),
        text("rejected_reason"),
        moment("rejected_at", "- f"),
        flag("canceled", "-"),
        moment("canceled_at", "- f"),
        choice("booking_method_id", "", 1),
        flag("autotracking"),
        flag("draft", "f o"),
        mapping("custom_fields"),
        text("external_id", "-"),
        moment("last_activity_at", "- f o"),
        choice("stage_type", "-"),
    ),
    (
        relation("service", "services", ""),
        relation("event", "events", "f"),
        relation("person", "people", "! f"),
        relation("creator", "people", "-"),
        relation("updater", "people", "-"),
        relation("approver", "people", "f"),
        relation("rejecter", "people", "-"),
        relation("canceler", "people", "-"),
        absent("origin"),
        relations("approval_statuses", "approval_statuses", find=lambda _, __: ()),
        absent("custom_field_people", "custom_field_attachments"),
        relations("attachments", "attachments", find=lambda _, __: ()),
        # Not among the recorded relations; the vendor's schema has it.
        relation("task", "tasks", "* f"),
    ),
    filters={
        "service_id": Filter(related("service"), Kind.RELATION),
        "project_id": to("service.deal.project"),
        "budget_id": to("service.deal"),
        "company_id": to("service.deal.company"),
        # The range is one of overlap: it takes what ends after and begins before (guide).
        "after": since("ended_on"),
        "before": until("started_on"),
        "canceled": by_flag(attribute("canceled")),
        "approval_status": by_choice(_approval),
        "billing_type_id": by_choice(_billing),
        # Tentative bookings are hidden unless this is true; the list sees to it.
        "with_draft": inert(Kind.FLAG),
        # Measured: accepted, and without any effect.
        "booking_type": inert(),
        "person_type": inert(),
    },
    methods=EVERYTHING,
    bulk=WRITES,
    writes=writes_booking,
    check=check_booking,
    settle=settle_booking,
    relationships_refused=True,
    actions={"cancel": cancel},
    lineage=Lineage("Booking", lambda _: "Booking", "person", ("person",)),
)


def _refuse_active(_: Context, event: Record) -> None:
    if event.attributes["archived_at"] is None:
        # Measured.
        raise conflict("record_not_archived")


EVENTS = resource(
    "events",
    (
        text("name", "! f"),
        text("description"),
        choice("event_type_id", "!"),
        choice("limitation_type_id", "! f=limitation_type", 4),
        text("absence_type", "f", "time_off"),
        flag("half_day_bookings", "f"),
        text("icon_id"),
        choice("color_id"),
        flag("sync_personal_integrations", "f"),
        moment("archived_at"),
    ),
    filters={"status": by_choice(set_or_not("archived_at"))},
    # The vendor's schema.
    default_sort=("name",),
    methods=EVERYTHING,
    writes=administrators,
    refuse_delete=_refuse_active,
    actions=archivable(),
)


def _taken(*, approved: bool) -> Compute:
    def days(context: Context, entitlement: Record) -> float:
        person, event = entitlement.to_one("person"), entitlement.to_one("event")
        if person is None:
            return 0.0
        start, end = entitlement.attributes["start_date"], entitlement.attributes["end_date"]
        minutes_ = sum(
            int(booking.attributes["total_time"] or 0)
            for booking in context.state.pointing("bookings", "person", person)
            if booking.to_one("event") == event
            and start <= booking.attributes["started_on"] <= (end or "9999-12-31")
            and booking.attributes["approved"] == approved
            and not booking.attributes["canceled"]
            and not booking.attributes["rejected"]
        )
        return minutes_ / _DAY

    return days


ENTITLEMENTS = resource(
    "entitlements",
    (
        day("start_date", "! f o"),
        day("end_date", "f o"),
        number("allocated", "! f"),
        computed("used", _taken(approved=True), marks="- f"),
        computed("pending", _taken(approved=False)),
        text("note"),
    ),
    (
        relation("person", "people", "! f o", sorted_by=by_names(NAMES, "person")),
        relation("event", "events", "! f o", sorted_by=by("name", "event")),
    ),
    methods=EVERYTHING,
    sees=lambda context, r: context.caller.manages or context.caller.is_person(r),
    writes=managers,
)

HOLIDAY_CALENDARS = resource(
    "holiday_calendars",
    (text("name", "! o"), text("country"), text("state"), flag("autogenerate_holidays")),
    methods=EVERYTHING,
    writes=administrators,
)

HOLIDAYS = resource(
    "holidays",
    # The vendor took `filter[date]` out of its schema after the API refused it.
    (text("name", "! o"), day("date", "! o")),
    (relation("holiday_calendar", "holiday_calendars", "! f"), relation("creator", "people", "-")),
    filters={"after": since("date"), "before": until("date")},
    default_sort=("date",),
    methods=EVERYTHING,
    writes=administrators,
)
