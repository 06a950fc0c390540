"""Services, the lines of budgets on which time is tracked: 79 attributes, as recorded.

Their amounts are fractions, while those of deals are whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    Attribute,
    absent,
    choice,
    computed,
    currencies,
    flag,
    hidden,
    html,
    mapping,
    minutes,
    moment,
    money,
    number,
    relation,
    text,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    attribute,
    by_choice,
    by_flag,
    inert,
    search,
    to,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import (
    CREATE,
    DELETE,
    EVERYTHING,
    UPDATE,
    WRITES,
    Lineage,
    managers,
    resource,
)
from productive_dev.simulator.declare.sorts import by
from productive_dev.simulator.records import Record
from productive_dev.simulator.resources.deals import deal_type, employees, open_or_closed
from productive_dev.simulator.rules.totals import minutes_on, tracked
from productive_dev.simulator.rules.tracking import is_assigned, may_track

_SERVICE_AMOUNTS: Final = (
    *("profit", "work_cost", "future_cost", "cost", "price", "estimated_cost", "revenue"),
    *("projected_revenue", "expense_amount", "expense_billable_amount", "budget_total"),
    *("budget_used", "future_revenue", "future_budget_used", "discount_amount", "markup_amount"),
)


def _service_amount(name: str) -> tuple[Attribute, ...]:
    if name == "budget_used":
        return money(name, compute=_used)
    return money(name, "" if name in ("price", "estimated_cost") else "-", 0.0)


def _used(context: Context, service: Record) -> float:
    # Inferred: billable time at the price of an hour.
    price = float(service.attributes["price"] or 0)
    return minutes_on(context.state, service, "billable_time") / 60 * price


def _booked(context: Context, service: Record) -> int:
    found = context.state.pointing("bookings", "service", service.ref)
    return sum(int(b.attributes["total_time"] or 0) for b in found if not b.attributes["canceled"])


def _tracks_time(_: Context, service: Record) -> Sequence[str]:
    # Measured: the filter is right where the attribute of the same name is not.
    return ("true" if service.facts.get("tracks_time", True) else "false",)


def _budget_status(context: Context, service: Record) -> Sequence[str]:
    deal = context.follow(service, "deal")
    return open_or_closed(context, deal) if deal else ()


def _stage_type(context: Context, service: Record) -> Sequence[str]:
    deal = context.follow(service, "deal")
    return deal_type(context, deal) if deal else ()


def _trackers(context: Context, service: Record) -> Sequence[str]:
    # In the spec, not measured: here it agrees with what a POST accepts.
    return tuple(p.id for p in context.all("people") if may_track(context, p, service))


def _assigned(context: Context, service: Record) -> Sequence[str]:
    return tuple(p.id for p in context.all("people") if is_assigned(context, p, service))


def _settle_service(context: Context, before: Record | None, service: Record) -> Record:
    if before is None:
        service = service.with_attributes(initial_service_id=int(service.id))
    deal = context.follow(service, "deal")
    currency = deal.attributes["currency"] if deal else "EUR"
    billing = service.attributes["billing_type_id"]
    return service.with_attributes(currency=currency, billable=billing != 3)


SERVICES = resource(
    "services",
    (
        text("name", "! o"),
        number("position", "", 1),
        moment("deleted_at"),
        flag("billable", "-", default=True),
        html("description"),
        flag("time_tracking_enabled", "", default=True),
        flag("expense_tracking_enabled", "f"),
        flag("booking_tracking_enabled", "f", default=True),
        number("origin_service_id", "-"),
        number("initial_service_id", "-"),
        flag("budget_cap_enabled", "f"),
        mapping("editor_config", "", {}),
        mapping("custom_fields"),
        choice("billing_type_id", "! f=billing_type"),
        computed("unapproved_time", tracked("unapproved_time"), Kind.MINUTES),
        computed("worked_time", tracked("time"), Kind.MINUTES, "- f"),
        computed("billable_time", tracked("billable_time"), Kind.MINUTES, "- f"),
        minutes("estimated_time", "f", 0),
        minutes("budgeted_time", "- f"),
        minutes("rolled_over_time", "", 0),
        hidden(text("profit_margin", "-", "100.0")),
        computed("booked_time", _booked, Kind.MINUTES, "- f"),
        choice("unit_id", "! f=unit"),
        minutes("future_booked_time", "-", 0),
        hidden(text("markup")),
        hidden(text("discount")),
        hidden(text("quantity", "", "0.0")),
        text("limitation_type", "f", "no_limitation"),
        currencies(),
        *(part for name in _SERVICE_AMOUNTS for part in _service_amount(name)),
    ),
    (
        relation("service_type", "service_types", "f"),
        relation("deal", "deals", "! f o=budget"),
        relation("person", "people", "f"),
        relation("section", "sections", "f"),
        absent("custom_field_people", "custom_field_attachments"),
    ),
    filters={
        "name": Filter(attribute("name"), Kind.TEXT),
        "query": search("name"),
        "project_id": to("deal.project"),
        "budget_id": to("deal"),
        "company_id": to("deal.company"),
        "time_tracking_enabled": by_flag(_tracks_time),
        "budget_status": by_choice(_budget_status),
        "stage_type": by_choice(_stage_type),
        "trackable_by_person_id": Filter(_trackers, Kind.RELATION),
        # The vendor's schema: services on which that person may track, by the budget's tracking
        # type. Where every budget is open to all it changes nothing, as was measured.
        "person_id": Filter(_assigned, Kind.RELATION),
        "task_id": inert(Kind.RELATION),
        "for_tracking": inert(Kind.FLAG),
        "bookable_date": inert(Kind.DAY),
        "after": inert(Kind.DAY),
        "before": inert(Kind.DAY),
    },
    sorts={
        "project_name": by("name", "deal", "project"),
        "company": by("name", "deal", "company"),
    },
    methods=EVERYTHING,
    bulk=WRITES,
    sees=employees,
    writes=managers,
    settle=_settle_service,
    lineage=Lineage("Service", lambda r: str(r.attributes["name"]), "deal", ("deal", "project")),
)

SECTIONS = resource(
    "sections",
    (text("name", "!"), number("position", "", 1)),
    (relation("deal", "deals", "! f"),),
    default_sort=("name",),
    methods=EVERYTHING,
    sees=employees,
    writes=managers,
)

SERVICE_ASSIGNMENTS = resource(
    "service_assignments",
    (),
    (relation("person", "people", "! f"), relation("service", "services", "! f")),
    methods=EVERYTHING - {UPDATE},
    bulk=frozenset({CREATE, DELETE}),
    writes=managers,
)
