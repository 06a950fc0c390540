"""Deals and budgets, which are one collection: 111 attributes, as recorded.

Amounts of deals are whole numbers in minor units.
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
    by_choice,
    by_flag,
    inert,
    search,
)
from productive_dev.simulator.declare.kinds import Kind, day_of
from productive_dev.simulator.declare.resource import (
    DELETE,
    EVERYTHING,
    UPDATE,
    Lineage,
    managers,
    resource,
)
from productive_dev.simulator.declare.sorts import by, by_names
from productive_dev.simulator.errors import Fault, conflict
from productive_dev.simulator.records import Record
from productive_dev.simulator.resources.people import NAMES
from productive_dev.simulator.rules.totals import tracked
from productive_dev.simulator.writing.feed import note_activity

_AMOUNTS: Final = (
    *("revenue", "services_revenue", "budget_total", "budget_used", "projected_revenue"),
    *("cost", "profit", "invoiced", "pending_invoicing", "manually_invoiced"),
    *("draft_invoiced", "amount_credited", "expense"),
)
_SORTED_AMOUNTS: Final = frozenset(_AMOUNTS) - {
    *("manually_invoiced", "draft_invoiced", "amount_credited"),
}


def open_or_closed(_: Context, deal: Record) -> Sequence[str]:
    """Read "1" while a deal is open and "2" once it is closed."""
    # Recorded: `status` is open while closed_at is null, for deals and budgets alike.
    return ("1" if deal.attributes["closed_at"] is None else "2",)


def deal_type(_: Context, deal: Record) -> Sequence[str]:
    """Read "1" for a sales deal and "2" for a budget."""
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


def _remaining(_: Context, deal: Record) -> Sequence[str]:
    return (str(deal.attributes["budget_total"] - deal.attributes["budget_used"]),)


def _todos(context: Context, deal: Record) -> int:
    return len(tuple(context.state.pointing("todos", "deal", deal.ref)))


def employees(context: Context, _: Record) -> bool:
    """Let everybody but clients see deals and services (inferred)."""
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
            hidden(text(f"profit_margin{form}", "-" if form else "- o", "100.0"))
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
        "type": by_choice(deal_type),
        "status": by_choice(open_or_closed),
        "budget_status": by_choice(open_or_closed),
        "sales_status_id": by_choice(_sales_status),
        "stage_status_id": by_choice(_sales_status),
        "budget_usage": Filter(_usage, Kind.NUMBER),
        "budget_remaining": Filter(_remaining, Kind.NUMBER),
        "profit_margin": Filter(attribute("profit_margin"), Kind.NUMBER),
        "contract_id": inert(Kind.RELATION),
        "lost_reason_id": inert(Kind.RELATION),
        "recurring": by_flag(lambda _, __: ("false",)),
        "needs_invoicing": inert(Kind.FLAG),
        "needs_closing": inert(Kind.FLAG),
        "subscriber_id": inert(Kind.RELATION),
    },
    sorts={"deal_number": by("deal_number"), "responsible": by_names(NAMES, "responsible")},
    methods=EVERYTHING,
    # The guide: no bulk creation.
    bulk=frozenset({UPDATE, DELETE}),
    sees=employees,
    writes=managers,
    check=_check_deal,
    settle=_settle_deal,
    actions={"close": _close, "open": _open},
    # The vendor's gem sends PUT, the guide says PATCH.
    puts=frozenset({"close", "open"}),
    lineage=Lineage("Deal", lambda r: str(r.attributes["name"]), "project", ("project",)),
)
