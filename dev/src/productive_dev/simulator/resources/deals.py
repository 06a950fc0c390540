"""Deals and budgets, which are one collection, with the services in them.

The recorded answers have 111 attributes on a deal and 79 on a service. Amounts of deals are whole
numbers in minor units, those of services are fractions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    Attribute,
    Compute,
    absent,
    choice,
    computed,
    currencies,
    day,
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
    texts,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    attribute,
    inert,
    search,
    to,
)
from productive_dev.simulator.declare.filters import (
    choice as by_choice,
)
from productive_dev.simulator.declare.filters import (
    flag as by_flag,
)
from productive_dev.simulator.declare.kinds import Kind, day_of
from productive_dev.simulator.declare.resource import (
    CREATE,
    DELETE,
    GET,
    LIST,
    UPDATE,
    Lineage,
    managers,
    resource,
)
from productive_dev.simulator.declare.sorts import by, by_names
from productive_dev.simulator.errors import Fault, conflict
from productive_dev.simulator.records import Record
from productive_dev.simulator.resources.people import NAMES
from productive_dev.simulator.rules.totals import minutes_on, tracked
from productive_dev.simulator.rules.tracking import is_assigned, may_track
from productive_dev.simulator.writing.feed import note_activity

_ALL: Final = frozenset({LIST, GET, CREATE, UPDATE, DELETE})
_AMOUNTS: Final = (
    *("revenue", "services_revenue", "budget_total", "budget_used", "projected_revenue"),
    *("cost", "profit", "invoiced", "pending_invoicing", "manually_invoiced"),
    *("draft_invoiced", "amount_credited", "expense"),
)
_SORTED_AMOUNTS: Final = frozenset(_AMOUNTS) - {
    *("manually_invoiced", "draft_invoiced", "amount_credited"),
}


def _open_or_closed(_: Context, deal: Record) -> Sequence[str]:
    # Recorded: `status` is open while closed_at is null, for deals and budgets alike.
    return ("1" if deal.attributes["closed_at"] is None else "2",)


def _type(_: Context, deal: Record) -> Sequence[str]:
    return ("2" if deal.attributes["budget"] else "1",)


def _sales_status(context: Context, deal: Record) -> Sequence[str]:
    status = context.follow(deal, "deal_status")
    return (str(status.attributes["status_id"]),) if status else ()


def _since(name: str) -> Compute:
    def days(context: Context, deal: Record) -> int | None:
        day_ = day_of(deal.attributes[name])
        return (context.today - day_).days if isinstance(day_, date) else None

    return days


def _usage(_: Context, deal: Record) -> Sequence[str]:
    total = deal.attributes["budget_total"]
    return (str(round(100 * deal.attributes["budget_used"] / total)),) if total else ()


def _todos(context: Context, deal: Record) -> int:
    return len(tuple(context.state.pointing("todos", "deal", deal.ref)))


def _sees(context: Context, _: Record) -> bool:
    return not context.caller.is_client


def _check_deal(context: Context, _: Record | None, deal: Record) -> Iterable[Fault]:
    company = context.follow(deal, "company")
    organization = context.state.get("organizations", deal.organization)
    own = organization.to_one("company") if organization else None
    if company is not None and company.ref == own and deal.attributes["deal_type_id"] == 2:
        yield Fault("company", "can not be internal company")
    if deal.attributes["deal_type_id"] not in (1, 2):
        yield Fault("deal_type_id", "is not included in the list")
    status = context.follow(deal, "deal_status")
    lost = status is not None and status.attributes["lost_reason_enabled"]
    if lost and not deal.attributes["lost_comment"]:
        yield Fault("lost_reason", "can't be blank")


def _settle_deal(context: Context, before: Record | None, deal: Record) -> Record:
    if before is None:
        known = [str(d.attributes["deal_number"]) for d in context.all("deals")]
        following = str(max((int(n) for n in known if n.isdigit()), default=0) + 1)
        deal = deal.with_attributes(number=following, deal_number=following)
    currency = deal.attributes["currency"]
    return deal.with_attributes(currency_normalized=currency)


def _close(context: Context, deal: Record, _: Mapping[str, Any]) -> Record:
    if deal.attributes["closed_at"] is not None:
        raise conflict("already_closed")
    return _kept(context, deal, closed_at=context.whole_stamp)


def _open(context: Context, deal: Record, _: Mapping[str, Any]) -> Record:
    if deal.attributes["closed_at"] is None:
        raise conflict("already_open")
    return _kept(context, deal, closed_at=None)


def _kept(context: Context, deal: Record, **changes: Any) -> Record:
    changed = deal.with_attributes(**changes)
    context.state.put(changed)
    note_activity(context, DEALS, deal, changed)
    return changed


def _amounts() -> tuple[Attribute, ...]:
    return tuple(
        part
        for name in _AMOUNTS
        for part in money(name, "- f o" if name in _SORTED_AMOUNTS else "-")
    )


DEALS = resource(
    "deals",
    (
        text("name", "! f o"),
        day("date", "f o"),
        day("end_date", "f o"),
        text("number", "- f o"),
        text("deal_number", "- o"),
        text("suffix"),
        flag("time_approval", "f"),
        flag("expense_approval"),
        flag("client_access"),
        choice("deal_type_id", "! f"),
        flag("budget", "!"),
        moment("sales_status_updated_at"),
        texts("tag_list", "f=tags"),
        number("origin_deal_id", "-"),
        *(
            hidden(text(f"profit_margin{form}", "-", "100.0"))
            for form in ("", "_normalized", "_default")
        ),
        text("email_key", "-", "0"),
        text("purchase_order_number", "f o"),
        mapping("custom_fields"),
        number("position", "", 1),
        flag("service_type_restricted_tracking"),
        choice("tracking_type_id", "f", 1),
        mapping("editor_config", "", {}),
        hidden(text("discount")),
        minutes("man_day_minutes", "", 480),
        choice("rounding_interval_id"),
        choice("rounding_method_id", "", 1),
        flag("validate_expense_when_closing"),
        text("revenue_distribution_type", "", "even"),
        choice("color_id", "f"),
        text("connection_status", "-", "none"),
        text("revenue_distribution_method"),
        computed("billable_time", tracked("billable_time"), Kind.MINUTES, "- f o"),
        number("budget_warning", "f o"),
        minutes("estimated_time", "- f o", 0),
        minutes("budgeted_time", "- f o", 0),
        computed("worked_time", tracked("time"), Kind.MINUTES, "- f o"),
        number("time_to_close", "-"),
        computed("days_since_created", _since("created_at"), marks="- f"),
        computed("days_since_last_activity", _since("last_activity_at"), marks="- f"),
        computed("days_in_current_stage", _since("sales_status_updated_at"), marks="- f"),
        number("probability", "f o", 100),
        number("previous_probability", "- f"),
        text("note_interpolated", "-"),
        text("proposal_note_interpolated", "-"),
        text("footer_interpolated", "-"),
        text("proposal_footer_interpolated", "-"),
        computed("todo_count", _todos),
        day("todo_due_date", "-"),
        html("note"),
        html("proposal_note"),
        text("lost_comment"),
        moment("closed_at", "- f o"),
        day("delivered_on", "f"),
        moment("last_activity_at", "- f o"),
        moment("deleted_at"),
        moment("created_at", "- f o"),
        moment("sales_closed_at"),
        text("exchange_rate", "-", "1.0"),
        day("exchange_date", "-"),
        day("sales_closed_on", "f"),
        flag("sample_data", "-"),
        text("external_id", "-"),
        flag("external_sync", "-"),
        choice("manual_invoicing_status_id", "", 1),
        html("footer"),
        html("proposal_footer"),
        flag("access_to_deal", "-", default=True),
        text("currency", "", "EUR"),
        text("currency_default", "-", "EUR"),
        text("currency_normalized", "-", "EUR"),
        _amounts(),
    ),
    (
        relation("creator", "people", "- f", sorted_by=by_names(NAMES, "creator")),
        relation("company", "companies", "! f o=company_name"),
        absent("document_type", "proposal_document_type"),
        relation(
            "responsible",
            "people",
            "! f o=responsible_name",
            sorted_by=by_names(NAMES, "responsible"),
        ),
        relation("deal_status", "deal_statuses", "f o"),
        relation("project", "projects", "f o=project_name"),
        absent("lost_reason", "contract"),
        relation("contact", "people", "f"),
        relation("subsidiary", "subsidiaries", "f"),
        absent("template", "tax_rate"),
        relation("pipeline", "pipelines", "f ~"),
        relation("origin_deal", "deals", "-"),
        relation("approval_policy_assignment", "approval_policy_assignments", "-"),
        absent(
            "next_todo",
            "expense_approval_workflow",
            "time_approval_workflow",
            "invoice_template",
            "automatic_invoicing_rule",
            "custom_field_people",
            "custom_field_attachments",
        ),
    ),
    filters={
        "query": search("name", "deal_number"),
        "full_query": search("name", "deal_number"),
        "jump_query": search("name", "deal_number"),
        "type": by_choice(_type),
        "status": by_choice(_open_or_closed),
        "budget_status": by_choice(_open_or_closed),
        "sales_status_id": by_choice(_sales_status),
        "stage_status_id": by_choice(_sales_status),
        "budget_usage": Filter(_usage, Kind.NUMBER),
        "recurring": by_flag(lambda _, __: ("false",)),
        "needs_invoicing": inert(Kind.FLAG),
        "needs_closing": inert(Kind.FLAG),
        "subscriber_id": inert(Kind.RELATION),
    },
    sorts={"deal_number": by("deal_number"), "responsible": by_names(NAMES, "responsible")},
    methods=_ALL,
    # The guide: no bulk creation.
    bulk=frozenset({UPDATE, DELETE}),
    sees=_sees,
    writes=managers,
    check=_check_deal,
    settle=_settle_deal,
    actions={"close": _close, "open": _open},
    # The vendor's gem sends PUT, the guide says PATCH.
    puts=frozenset({"close", "open"}),
    lineage=Lineage("Deal", lambda r: str(r.attributes["name"]), "project", ("project",)),
)

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
    return _open_or_closed(context, deal) if deal else ()


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
        "stage_type": by_choice(
            lambda c, s: _type(c, d) if (d := c.follow(s, "deal")) is not None else ()
        ),
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
    methods=_ALL,
    bulk=frozenset({CREATE, UPDATE, DELETE}),
    sees=_sees,
    writes=managers,
    settle=_settle_service,
    lineage=Lineage("Service", lambda r: str(r.attributes["name"]), "deal", ("deal", "project")),
)

SECTIONS = resource(
    "sections",
    (text("name", "!"), number("position", "", 1)),
    (relation("deal", "deals", "! f"),),
    default_sort=("name",),
    methods=_ALL,
    sees=_sees,
    writes=managers,
)

SERVICE_ASSIGNMENTS = resource(
    "service_assignments",
    (),
    (relation("person", "people", "! f"), relation("service", "services", "! f")),
    methods=frozenset({LIST, GET, CREATE, DELETE}),
    bulk=frozenset({CREATE, DELETE}),
    writes=managers,
)
