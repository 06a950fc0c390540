"""What the rows of reports sum up.

The names are the reference's; what they mean is inferred from the words of the help pages.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.kinds import day_of
from productive_dev.simulator.query.conditions import Group, Term, terms_of
from productive_dev.simulator.records import Ref
from productive_dev.simulator.reports.rows import (
    Row,
    total,
)
from productive_dev.simulator.rules.bookings import capacity
from productive_dev.simulator.rules.totals import minutes_on


def of_time_entries(_: Context, row: Row, __: Group) -> dict[str, Any]:
    """Sum up time entries; a row of one entry shows its own values too."""
    totals: dict[str, Any] = {
        "count": len(row.records),
        "total_time": total(row.records, "time"),
        "total_billable_time": total(row.records, "billable_time"),
        "total_recognized_time": total(row.records, "recognized_time"),
        "total_cost": total(row.records, "cost"),
        "total_work_cost": total(row.records, "work_cost"),
    }
    if isinstance(row.key, Ref) and row.key.type == "time_entries":
        values = row.records[0].attributes
        shown = ("date", "time", "billable_time", "note", "created_at", "started_at")
        totals |= {name: values[name] for name in shown}
        totals |= {"time_entry_date": values["date"], "track_method_id": values["track_method_id"]}
    return totals


def of_time(context: Context, row: Row, conditions: Group) -> dict[str, Any]:
    """Sum up a person's time against capacity and absences."""
    first, last = _range(context, conditions)
    people = {ref for entry in row.records if (ref := entry.to_one("person"))}
    if isinstance(row.key, Ref) and row.key.type == "people":
        people.add(row.key)
    internal = [e for e in row.records if e.attributes["overhead"]]
    worked = total(row.records, "time")
    available = sum(m for p in people for _, m in capacity(context, p, first, last))
    absences = _absences(context, people, first, last)
    return {
        "count": len(row.records),
        "capacity": available,
        "available_time": available - sum(absences.values()),
        "worked_time": worked,
        "billable_time": total(row.records, "billable_time"),
        "client_time": worked - total(internal, "time"),
        "internal_time": total(internal, "time"),
        "recognized_time": total(row.records, "recognized_time"),
        "unapproved_time": total([e for e in row.records if not e.attributes["approved"]], "time"),
        "event_time": sum(absences.values()),
        **absences,
        "total_cost": total(row.records, "cost"),
    }


def _absences(context: Context, people: set[Ref], first: date, last: date) -> dict[str, int]:
    minutes = {"paid_event_time": 0, "unpaid_event_time": 0}
    for person in people:
        for booking in context.state.pointing("bookings", "person", person):
            event = context.follow(booking, "event")
            start = day_of(booking.attributes["started_on"])
            end = day_of(booking.attributes["ended_on"])
            if event is None or start is None or end is None or booking.attributes["canceled"]:
                continue
            if event.attributes["absence_type"] != "time_off":
                continue
            shared = capacity(context, person, max(start, first), min(end, last))
            paid = event.attributes["event_type_id"] == 1
            name = "paid_event_time" if paid else "unpaid_event_time"
            minutes[name] += sum(
                min(available, int(booking.attributes["time"])) for _, available in shared
            )
    return minutes


def of_budgets(context: Context, row: Row, _: Group) -> dict[str, Any]:
    """Sum up budgets."""

    def tracked(name: str) -> int:
        return sum(minutes_on(context.state, deal, name) for deal in row.records)

    whole = total(row.records, "budget_total")
    used = total(row.records, "budget_used")
    return {
        "count": len(row.records),
        "total_budget_total": whole,
        "total_budget_used": used,
        "total_budget_remaining": whole - used,
        "total_worked_time": tracked("time"),
        "total_billable_time": tracked("billable_time"),
        "total_budgeted_time": total(row.records, "budgeted_time"),
        "total_revenue": total(row.records, "revenue"),
        "total_cost": total(row.records, "cost"),
        "total_profit": total(row.records, "profit"),
        "total_invoiced": total(row.records, "invoiced"),
        "average_budget_usage": round(100 * used / whole, 2) if whole else None,
    }


def of_bookings(_: Context, row: Row, __: Group) -> dict[str, Any]:
    """Sum up bookings."""
    return {"count": len(row.records), "total_time": total(row.records, "total_time")}


def of_projects(context: Context, row: Row, _: Group) -> dict[str, Any]:
    """Sum up projects."""
    deals = [
        deal
        for project in row.records
        for deal in context.state.pointing("deals", "project", project.ref)
    ]
    worked = sum(minutes_on(context.state, deal, "time") for deal in deals)
    return {"count": len(row.records), "total_worked_time": worked}


def _range(context: Context, conditions: Group) -> tuple[date, date]:
    after = _bound(conditions, "after") or context.today - timedelta(days=context.today.weekday())
    before = _bound(conditions, "before") or context.today
    return after, before


def _bound(conditions: Group, key: str) -> date | None:
    values = (term.values for term in terms_of(conditions) if _is_plain(term, key))
    return next((day_of(value[0]) for value in values if value), None)


def _is_plain(term: Term, key: str) -> bool:
    return replace(term, values=()) == Term(key, None, ())
