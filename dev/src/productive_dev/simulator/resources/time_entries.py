"""Time entries: 44 attributes and 14 relations, as recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    absent,
    choice,
    currencies,
    day,
    flag,
    html,
    minutes,
    moment,
    money,
    number,
    relation,
    relations,
    text,
)
from productive_dev.simulator.declare.filters import (
    attribute,
    by_choice,
    by_flag,
    by_ref,
    inert,
    search,
    since,
    to,
    until,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import EVERYTHING, WRITES, Lineage, resource
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.rules.approvals import approve, reject, unapprove, unreject
from productive_dev.simulator.rules.entries import (
    check_entry,
    entry_done,
    refuse_delete,
    sees_entry,
    settle_entry,
    writes_entry,
)

_STATES: Final = {"draft": "6", "rejected": "3", "approved": "1", "submitted": "5"}


def _status(_: Context, entry: Record) -> Sequence[str]:
    # 1 approved, 2 unapproved, 3 rejected, 5 submitted, 6 draft; only 1 and 2 were seen.
    return (next((code for name, code in _STATES.items() if entry.attributes[name]), "2"),)


def _statuses(context: Context, entry: Record) -> Sequence[Ref]:
    found = context.state.pointing("approval_statuses", "time_entry", entry.ref)
    return [status.ref for status in found]


def _awaited(context: Context, entry: Record) -> Sequence[Ref]:
    if entry.attributes["approved"] or entry.attributes["rejected"]:
        return ()
    found = context.state.pointing("approval_statuses", "time_entry", entry.ref)
    return [ref for status in found if (ref := status.to_one("approver"))]


def _deal_type(context: Context, entry: Record) -> Sequence[str]:
    deal = context.follow(entry, "service", "deal")
    return (str(deal.attributes["deal_type_id"]),) if deal else ()


def _billable(context: Context, entry: Record) -> Sequence[str]:
    service = context.follow(entry, "service")
    return ("true" if service and service.attributes["billable"] else "false",)


def _autotracked(_: Context, entry: Record) -> Sequence[str]:
    return ("true" if entry.attributes["track_method_id"] == 5 else "false",)


TIME_ENTRIES = resource(
    "time_entries",
    (
        flag("draft"),
        day("date", "! f o"),
        moment("created_at", "- f"),
        minutes("time", "! f"),
        minutes("billable_time", "f"),
        minutes("recognized_time", "-"),
        html("note", "f"),
        choice("track_method_id", "- f", 1),
        moment("started_at", "f"),
        moment("timer_started_at"),
        moment("timer_stopped_at"),
        flag("approved", "-"),
        moment("approved_at", "- f"),
        moment("updated_at", "- f"),
        text("calendar_event_id", "f"),
        text("calendar_event_recurring_id", "-"),
        number("invoice_attribution_id", "-"),
        flag("invoiced", "-"),
        flag("overhead", "- f"),
        flag("overtime"),
        text("overtime_cost_multiplier", "-", "1.0"),
        flag("rejected", "-"),
        text("rejected_reason", "-"),
        moment("rejected_at"),
        moment("last_activity_at", "- f"),
        flag("submitted", "-"),
        currencies(),
        *(
            part
            for name in (
                *("cost", "work_cost", "overhead_cost"),
                *("internal_overhead_cost", "facility_overhead_cost"),
            )
            for part in money(name)
        ),
    ),
    (
        relation("person", "people", "f"),
        relation("service", "services", "f"),
        relation("task", "tasks", "f"),
        relation("approver", "people", "- f"),
        relation("updater", "people", "-"),
        relation("rejecter", "people", "-"),
        relation("creator", "people", "- f"),
        relation("last_actor", "people", "- f"),
        absent("person_subsidiary", "deal_subsidiary"),
        relation("timesheet", "timesheets", "-"),
        absent("invoice_attribution"),
        relations("approval_statuses", "approval_statuses", find=_statuses),
    ),
    filters={
        "project_id": to("service.deal.project"),
        "budget_id": to("service.deal"),
        "deal_id": to("service.deal"),
        "company_id": to("service.deal.company"),
        "service_type_id": to("service.service_type"),
        "task_list_id": to("task.task_list"),
        "responsible_id": to("service.deal.responsible"),
        "project_manager_id": to("service.deal.project.project_manager"),
        "project_type_id": by_choice(_deal_type),
        "budget_type_id": by_choice(_deal_type),
        # Both ends belong to the range (measured).
        "after": since("date"),
        "before": until("date"),
        "created_after": since("created_at"),
        "created_before": until("created_at"),
        "started_after": since("started_at"),
        "started_before": until("started_at"),
        "status": by_choice(_status),
        "invoiced": by_flag(attribute("invoiced")),
        "autotracked": by_flag(_autotracked),
        "assigned_approver_id": by_ref(_awaited),
        "awaiting_approval_from_approver_id": by_ref(_awaited),
        "booking_id": inert(Kind.RELATION),
        "query": search("note"),
        "billable": by_flag(_billable),
    },
    # Measured: the date alone; created_at, started_at and id are refused.
    sorts={},
    methods=EVERYTHING,
    bulk=WRITES,
    sees=sees_entry,
    writes=writes_entry,
    check=check_entry,
    settle=settle_entry,
    refuse_delete=refuse_delete,
    done=entry_done,
    lenient=frozenset({"person", "service"}),
    actions={"approve": approve, "unapprove": unapprove, "reject": reject, "unreject": unreject},
    bulk_actions=frozenset({"approve", "unapprove"}),
    fields_on_single=False,
    lineage=Lineage("TimeEntry", lambda _: "Time entry", "service", ("service", "deal", "project")),
)
