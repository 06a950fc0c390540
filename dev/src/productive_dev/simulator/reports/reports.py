"""The reports that clients use: time, time entries, budgets, projects, bookings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.kinds import day_of
from productive_dev.simulator.errors import bad_query
from productive_dev.simulator.query.conditions import Group, Term, terms_of
from productive_dev.simulator.query.narrow import narrow
from productive_dev.simulator.query.parse import Query
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.reports.rows import (
    GroupOf,
    Row,
    by_period,
    grouped,
    itself,
    labels,
    periods,
    row_id,
    to,
    total,
)
from productive_dev.simulator.rules.bookings import capacity
from productive_dev.simulator.rules.totals import minutes_on

Totals = Callable[[Context, Row, Group], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Report:
    """A report: the collection that it sums up, its groups, its totals."""

    source: str
    default_group: str
    groups: Mapping[str, GroupOf]
    totals: Totals
    links: Mapping[str, GroupOf]
    """Relations of a row, where all of its records agree."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A row as the answer shows it."""

    id: str
    attributes: dict[str, Any]
    relations: dict[str, Ref | None]


_ENTRY_GROUPS: Final[Mapping[str, GroupOf]] = {
    "time_entry": itself,
    "person": to("person"),
    "service": to("service"),
    "task": to("task"),
    "budget": to("service", "deal"),
    "deal": to("service", "deal"),
    "project": to("service", "deal", "project"),
    "company": to("service", "deal", "company"),
    "organization": lambda _, record: Ref("organizations", record.organization),
    "status": by_period("date", lambda _: ""),
    **periods("date"),
}


def _status(_: Context, entry: Record) -> str:
    return "approved" if entry.attributes["approved"] else "unapproved"


def _time_entries(_: Context, row: Row, __: Group) -> dict[str, Any]:
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


def _time(context: Context, row: Row, conditions: Group) -> dict[str, Any]:
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


def _budgets(context: Context, row: Row, _: Group) -> dict[str, Any]:
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


def _bookings(_: Context, row: Row, __: Group) -> dict[str, Any]:
    return {"count": len(row.records), "total_time": total(row.records, "total_time")}


def _projects(context: Context, row: Row, _: Group) -> dict[str, Any]:
    deals = [
        deal
        for project in row.records
        for deal in context.state.pointing("deals", "project", project.ref)
    ]
    worked = sum(minutes_on(context.state, deal, "time") for deal in deals)
    return {"count": len(row.records), "total_worked_time": worked}


REPORTS: Final[Mapping[str, Report]] = {
    "time_entry_reports": Report(
        "time_entries",
        "time_entry",
        {**_ENTRY_GROUPS, "status": _status},
        _time_entries,
        {name: _ENTRY_GROUPS[name] for name in ("person", "service", "task", "budget", "project")},
    ),
    "time_reports": Report(
        "time_entries",
        "person",
        {name: group for name, group in _ENTRY_GROUPS.items() if name not in ("task", "status")},
        _time,
        {name: _ENTRY_GROUPS[name] for name in ("person", "service", "budget", "project")},
    ),
    "budget_reports": Report(
        "deals",
        "budget",
        {
            "budget": itself,
            "project": to("project"),
            "company": to("company"),
            "responsible": to("responsible"),
            **periods("date"),
        },
        _budgets,
        {"budget": itself, "project": to("project"), "company": to("company")},
    ),
    "booking_reports": Report(
        "bookings",
        "booking",
        {
            "booking": itself,
            "person": to("person"),
            "event": to("event"),
            "project": to("service", "deal", "project"),
            **periods("started_on"),
        },
        _bookings,
        {"person": to("person"), "event": to("event")},
    ),
    "project_reports": Report(
        "projects",
        "project",
        {"project": itself, "company": to("company")},
        _projects,
        {"project": itself, "company": to("company")},
    ),
}
_FINANCIAL: Final = ("budget_", "revenue", "cost", "profit", "invoiced")


def rows_of(context: Context, name: str, query: Query) -> list[ReportRow]:
    """Return all rows of a report.

    Raises:
        Problem: 400 for a cursor, or an unsupported filter, group or sort.
    """
    report = REPORTS[name]
    if query.after is not None:
        detail = "Reports do not support page[after]"
        raise bad_query("keyset_unsupported", "Keyset unsupported", detail, "page[after]")
    declared = context.resources[report.source]
    seen = [r for r in context.all(report.source) if context.sees(r)]
    if name == "budget_reports":
        seen = [deal for deal in seen if deal.attributes["budget"]]
    records = narrow(context, declared, seen, query.filters)
    group = query.group[0].partition(":")[0] if query.group else report.default_group
    rows = grouped(context, records, report.groups, group)
    if name == "time_reports" and group == "person":
        rows = _with_idle(context, rows, query.filters)
    shown = [_row(context, name, group, row, query.filters) for row in rows]
    return _sorted(shown, query.sort)


def _row(context: Context, name: str, group: str, row: Row, conditions: Group) -> ReportRow:
    report = REPORTS[name]
    attributes = {
        **labels(context, row.key, group),
        **report.totals(context, row, conditions),
    }
    if not context.caller.manages:
        attributes = {
            key: value
            for key, value in attributes.items()
            if not any(part in key for part in _FINANCIAL)
        }
    relations: dict[str, Ref | None] = {}
    for link, find in report.links.items():
        targets = {find(context, record) for record in row.records}
        only = next(iter(targets)) if len(targets) == 1 else None
        relations[link] = only if isinstance(only, Ref) else None
    if isinstance(row.key, Ref) and group in report.links:
        relations[group] = row.key
    return ReportRow(row_id(name, group, row.key), attributes, relations)


def _with_idle(context: Context, rows: Sequence[Row], conditions: Group) -> list[Row]:
    # A person without entries has a capacity too; only people who are asked for by id get a row.
    known = {row.key for row in rows}
    asked = [
        Ref("people", value)
        for term in terms_of(conditions)
        if term.key == "person_id"
        for value in term.values
    ]
    idle = [ref for ref in asked if ref not in known and context.visible(ref) is not None]
    return [*rows, *(Row(ref, ()) for ref in idle)]


def _sorted(rows: list[ReportRow], names: Sequence[str]) -> list[ReportRow]:
    for name in reversed(names):
        key = name.removeprefix("-")
        if rows and not any(key in row.attributes for row in rows):
            detail = f"Sort by '{name}' is not supported on this endpoint."
            raise bad_query("sort_param_unsupported", "Sort param unsupported", detail, "sort")
        rows = sorted(
            rows,
            key=lambda row: (row.attributes.get(key) is None, row.attributes.get(key) or 0),
            reverse=name.startswith("-"),
        )
    return rows


def _range(context: Context, conditions: Group) -> tuple[date, date]:
    after = _bound(conditions, "after") or context.today - timedelta(days=context.today.weekday())
    before = _bound(conditions, "before") or context.today
    return after, before


def _bound(conditions: Group, key: str) -> date | None:
    values = (term.values for term in terms_of(conditions) if _is_plain(term, key))
    return next((day_of(value[0]) for value in values if value), None)


def _is_plain(term: Term, key: str) -> bool:
    return replace(term, values=()) == Term(key, None, ())
