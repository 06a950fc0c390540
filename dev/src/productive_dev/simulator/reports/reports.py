"""The reports that clients use: time, time entries, budgets, projects, bookings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.errors import bad_query
from productive_dev.simulator.query.conditions import Group, terms_of
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
)
from productive_dev.simulator.reports.totals import (
    of_bookings,
    of_budgets,
    of_projects,
    of_time,
    of_time_entries,
)

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


REPORTS: Final[Mapping[str, Report]] = {
    "time_entry_reports": Report(
        "time_entries",
        "time_entry",
        {**_ENTRY_GROUPS, "status": _status},
        of_time_entries,
        {name: _ENTRY_GROUPS[name] for name in ("person", "service", "task", "budget", "project")},
    ),
    "time_reports": Report(
        "time_entries",
        "person",
        {name: group for name, group in _ENTRY_GROUPS.items() if name not in ("task", "status")},
        of_time,
        {name: _ENTRY_GROUPS[name] for name in ("person", "service", "budget", "project")},
    ),
    "budget_reports": Report(
        "deals",
        "budget",
        {
            "budget": itself,
            # A client groups by it and includes it.
            "deal": itself,
            "project": to("project"),
            "company": to("company"),
            "responsible": to("responsible"),
            **periods("date"),
        },
        of_budgets,
        {
            "budget": itself,
            "deal": itself,
            "project": to("project"),
            "company": to("company"),
        },
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
        of_bookings,
        {"person": to("person"), "event": to("event")},
    ),
    "project_reports": Report(
        "projects",
        "project",
        {"project": itself, "company": to("company")},
        of_projects,
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
