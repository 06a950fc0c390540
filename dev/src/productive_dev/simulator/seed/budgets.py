"""Budgets and the services in them.

The traps: "Design" and "Project management" in every budget, a closed budget, one with time
approval, an expense service whose attribute says that it takes time, services for developers only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.seed.companies import COMPANIES, PROJECTS, Project
from productive_dev.simulator.seed.people import NORTHLIGHT

_DEVELOPERS: Final = ("9102", "9105", "9107")


class Budget(NamedTuple):
    """A row of the table of budgets."""

    id: str
    name: str
    number: str
    project: str
    approval: bool = False
    closed: int | None = None
    """Days ago."""


class Service(NamedTuple):
    """A row of the table of services; times in minutes."""

    id: str
    name: str
    budget: str
    billable: bool = True
    budgeted: int = 0
    earlier: int = 0
    """Tracked before the entries of the seed begin."""
    people: tuple[str, ...] | None = None
    """Who may track; None is everybody."""
    tracks_time: bool = True


BUDGETS: Final = {
    row.id: row
    for row in (
        Budget("4287001", "Relaunch phase 2", "22", "30201"),
        Budget("4287002", "Relaunch phase 1", "18", "30201", closed=60),
        Budget("4287003", "Care retainer", "23", "30202", approval=True),
        Budget("4287004", "Mobile app MVP", "24", "30203"),
        Budget("4287005", "Internal work", "2", "30204"),
        Budget("4287006", "Company website", "5", "30205"),
        Budget("4287007", "Bakery shop", "11", "30206"),
        Budget("4287301", "Lab portal", "1", "30301"),
    )
}
_SERVICES: Final = (
    Service("16880011", "Design", "4287001", True, 7200, 4845),
    Service("16880012", "Development", "4287001", True, 9600, 6000, _DEVELOPERS),
    Service("16880015", "Project management", "4287001", True, 1800, 900),
    Service("16880019", "Expenses: travel", "4287001", tracks_time=False),
    Service("16880021", "Design", "4287002", True, 4800, 4800),
    Service("16880025", "Project management", "4287002", True, 900, 870),
    Service("16880031", "Design", "4287003", True, 1200, 300),
    Service("16880032", "Development", "4287003", True, 2400, 600, _DEVELOPERS),
    Service("16880035", "Project management", "4287003", True, 600, 120),
    Service("16880041", "Development", "4287004", True, 12000, 3000, _DEVELOPERS),
    Service("16880042", "Design", "4287004", True, 6000, 6600),
    Service("16880045", "Project management", "4287004", True, 1200, 240),
    Service("16880051", "Meetings", "4287005", billable=False),
    Service("16880052", "Learning", "4287005", billable=False),
    Service("16880061", "Design", "4287006", False, 2400, 480),
    Service("16880071", "Development", "4287007", True, 2400),
    Service("16880301", "Research", "4287301", False, 2400),
)


def budgets(calendar: Calendar) -> Iterator[Record]:
    """Yield budgets, one sales deal, and services."""
    for budget in BUDGETS.values():
        yield _budget(calendar, budget)
    yield _sales_deal(calendar)
    for position, service in enumerate(_SERVICES, start=1):
        yield _service(position, service)


def _budget(calendar: Calendar, row: Budget) -> Record:
    project = PROJECTS[row.project]
    values = {
        "name": row.name,
        "budget": True,
        "number": row.number,
        "deal_number": row.number,
        "deal_type_id": project.kind,
        "end_date": calendar.days(40) if project.kind == 2 else None,
        "time_approval": row.approval,
        "closed_at": None if row.closed is None else calendar.ago(row.closed),
        "currency": COMPANIES[project.company].currency,
    }
    return _deal(calendar, row.id, values, project=project, company=project.company)


def _sales_deal(calendar: Calendar) -> Record:
    values = {
        "name": "Fjord webshop",
        "budget": False,
        "number": "31",
        "deal_number": "31",
        "deal_type_id": 2,
        "currency": "USD",
        "probability": 60,
    }
    return _deal(calendar, "4287010", values, project=None, company="7002")


def _deal(
    calendar: Calendar,
    number: str,
    values: dict[str, Any],
    *,
    project: Project | None,
    company: str,
) -> Record:
    services = [service for service in _SERVICES if service.budget == number]
    attributes: dict[str, Any] = {
        "date": calendar.days(-80),
        "end_date": None,
        "time_approval": False,
        "expense_approval": False,
        "budget_warning": 80,
        "probability": 100,
        "budget_total": 2506569,
        "budget_used": 2055387,
        "revenue": 2055387,
        "cost": 1120400,
        "profit": 934987,
        "profit_margin": "45.49",
        "budgeted_time": sum(service.budgeted for service in services),
        "deal_value": "0.0",
        "man_day_minutes": 480,
        "closed_at": None,
        "delivered_on": None,
        "created_at": calendar.ago(80),
        "last_activity_at": calendar.ago(1),
        "tag_list": [],
        "custom_fields": {},
    }
    responsible = Ref("people", project.manager if project else "9103")
    return Record(
        "deals",
        number,
        project.organization if project else NORTHLIGHT,
        attributes | values,
        {
            "company": Ref("companies", company),
            "project": None if project is None else Ref("projects", project.id),
            "responsible": responsible,
            "creator": responsible,
            "origin_deal": None,
        },
        {
            "earlier_time": sum(service.earlier for service in services),
            "earlier_billable_time": sum(s.earlier for s in services if s.billable),
        },
    )


def _service(position: int, row: Service) -> Record:
    return Record(
        "services",
        row.id,
        PROJECTS[BUDGETS[row.budget].project].organization,
        {
            "name": row.name,
            "position": position,
            "deleted_at": None,
            "billable": row.billable,
            "description": None,
            # The expense service says true as well, like the recorded ones.
            "time_tracking_enabled": True,
            "expense_tracking_enabled": not row.tracks_time,
            "booking_tracking_enabled": True,
            "budget_cap_enabled": False,
            "billing_type_id": 2 if row.billable else 3,
            "unit_id": 1,
            "price": 9500.0 if row.billable else 0.0,
            "quantity": f"{row.budgeted / 60:.1f}",
            "budgeted_time": row.budgeted,
            "estimated_time": row.budgeted,
            "booked_time": 0,
            "budget_total": row.budgeted / 60 * 9500,
            "budget_used": row.earlier / 60 * 9500,
            "custom_fields": None,
        },
        {"deal": Ref("deals", row.budget)},
        {
            "tracks_time": row.tracks_time,
            "people": row.people,
            "earlier_time": row.earlier,
            "earlier_billable_time": row.earlier if row.billable else 0,
        },
    )
