"""Budgets and the services in them.

The traps: "Design" and "Project management" in every budget, a closed budget, one with time
approval, an expense service whose attribute says that it takes time, services for developers only,
a budget with 14 services, two called "Concept", one budget over its limit, one without an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.seed.build import build, to
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.seed.companies import COMPANIES, PROJECTS, Project
from productive_dev.simulator.seed.organizations import HARBOUR, NORTHLIGHT

_DEVELOPERS: Final = ("9102", "9105", "9107")
_BY_ASSIGNMENT: Final = 2
_TOTAL: Final = 2_506_569


class Budget(NamedTuple):
    """A row of the table of budgets."""

    id: str
    name: str
    number: str
    project: str
    approval: bool = False
    closed: int | None = None
    """Days ago."""
    used: int = 50
    """Percent."""


class Service(NamedTuple):
    """A row of the table of services; times in minutes."""

    id: str
    name: str
    budget: str
    billable: bool = True
    budgeted: int = 0
    earlier: int = 0
    """Tracked before the entries of the seed begin."""
    people: tuple[str, ...] = ()
    """Who may track; nobody named is everybody."""
    tracks_time: bool = True
    limited: bool = False
    """Whether tracking ends with the budgeted time."""


BUDGETS: Final = {
    row.id: row
    for row in (
        Budget("4287001", "Relaunch phase 2", "22", "30201", used=82),
        Budget("4287002", "Relaunch phase 1", "18", "30201", closed=60, used=98),
        Budget("4287003", "Care retainer", "23", "30202", approval=True, used=35),
        Budget("4287004", "Mobile app MVP", "24", "30203", used=107),
        Budget("4287005", "Internal work", "2", "30204"),
        Budget("4287006", "Company website", "5", "30205"),
        Budget("4287007", "Bakery shop", "11", "30206"),
        Budget("4287008", "Rebrand 2026", "25", "30207"),
        Budget("4287011", "Identity", "26", "30208"),
        Budget("4287012", "Report 2026", "27", "30209"),
        Budget("4287301", "Lab portal", "1", "30301"),
    )
}
_CHAPTER_WORK: Final = (
    *("Layout", "Photography", "Charts", "Proofreading", "Translation", "Typesetting"),
    *("Web edition", "Accessibility", "Print supervision", "Editorial", "Illustration"),
    *("Interviews", "Fact check", "Data check"),
)
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
    Service("16880081", "Concept", "4287008", True, 2400, 600),
    Service("16880082", "Workshops", "4287008", True, 600, 540, limited=True),
    Service("16880086", "Concept", "4287011", True, 2400),
    *(
        Service(str(16880090 + number), name, "4287012", True, 1200)
        for number, name in enumerate(_CHAPTER_WORK, start=1)
    ),
    Service("16880301", "Research", "4287301", False, 2400),
)
_STAGES: Final = (("Open", 1, 50), ("Won", 2, 100), ("Lost", 3, 0))


def budgets(calendar: Calendar) -> Iterator[Record]:
    """Yield stages, budgets, one sales deal, services and who may track on them."""
    yield from _stages()
    for budget in BUDGETS.values():
        yield _budget(calendar, budget)
    yield _sales_deal(calendar)
    number = 8801
    for position, service in enumerate(_SERVICES, start=1):
        yield _service(position, service)
        for person in service.people:
            yield build(
                "service_assignments",
                str(number),
                NORTHLIGHT,
                None,
                {"person": Ref("people", person), "service": Ref("services", service.id)},
            )
            number += 1


def _stages() -> Iterator[Record]:
    for pipeline, organization, name, kind in (
        ("901", NORTHLIGHT, "Sales", 1),
        ("902", NORTHLIGHT, "Production", 2),
        ("903", HARBOUR, "Production", 2),
    ):
        yield build("pipelines", pipeline, organization, {"name": name, "pipeline_type_id": kind})
        for position, (stage, status, probability) in enumerate(_STAGES, start=1):
            yield build(
                "deal_statuses",
                f"{pipeline}{position}",
                organization,
                {
                    "name": stage,
                    "position": position,
                    "status_id": status,
                    "probability": probability,
                    "lost_reason_enabled": status == 3,
                },
                {"pipeline": Ref("pipelines", pipeline)},
            )


def _budget(calendar: Calendar, row: Budget) -> Record:
    project = PROJECTS[row.project]
    used = _TOTAL * row.used // 100
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
        "tracking_type_id": _BY_ASSIGNMENT if _restricted(row.id) else 1,
        **_threefold("budget_used", used),
        **_threefold("revenue", used),
    }
    return _deal(calendar, row.id, values, project=project, company=project.company)


def _restricted(budget: str) -> bool:
    return any(service.people for service in _SERVICES if service.budget == budget)


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
    organization = project.organization if project else NORTHLIGHT
    attributes: dict[str, Any] = {
        "date": calendar.days(-80),
        "budget_warning": 80,
        **_threefold("budget_total", _TOTAL),
        **_threefold("cost", 1_120_400),
        **_threefold("profit", 934_987),
        "profit_margin": "45.49",
        "budgeted_time": sum(service.budgeted for service in services),
        "estimated_time": sum(service.budgeted for service in services),
        "exchange_date": calendar.days(-80),
        "sales_status_updated_at": calendar.ago(70),
        "created_at": calendar.ago(80),
        "last_activity_at": calendar.ago(1),
        "currency_normalized": values["currency"],
    }
    responsible = Ref("people", project.manager if project else "9103")
    pipeline = "903" if organization == HARBOUR else "902" if project else "901"
    return build(
        "deals",
        number,
        organization,
        attributes | values,
        {
            "company": Ref("companies", company),
            "project": to("projects", project.id if project else None),
            "responsible": responsible,
            "creator": responsible,
            "pipeline": Ref("pipelines", pipeline),
            "deal_status": Ref("deal_statuses", f"{pipeline}1"),
            "subsidiary": Ref("subsidiaries", f"8{organization}"),
        },
        facts={
            "earlier_time": sum(service.earlier for service in services),
            "earlier_billable_time": sum(s.earlier for s in services if s.billable),
        },
    )


def _service(position: int, row: Service) -> Record:
    project = PROJECTS[BUDGETS[row.budget].project]
    currency = COMPANIES[project.company].currency
    price = 9500.0 if row.billable else 0.0
    return build(
        "services",
        row.id,
        project.organization,
        {
            "name": row.name,
            "position": position,
            "billable": row.billable,
            "initial_service_id": int(row.id),
            # The expense service says that it takes time as well, like the recorded ones.
            "time_tracking_enabled": True,
            "expense_tracking_enabled": not row.tracks_time,
            "billing_type_id": 2 if row.billable else 3,
            "unit_id": 1,
            **_threefold("price", price),
            "quantity": f"{row.budgeted / 60:.1f}",
            "budgeted_time": row.budgeted or None,
            "estimated_time": row.budgeted,
            **_threefold("budget_total", row.budgeted / 60 * price),
            "limitation_type": "quantity_limitation" if row.limited else "no_limitation",
            "currency": currency,
            "currency_normalized": currency,
        },
        {"deal": Ref("deals", row.budget)},
        facts={
            "tracks_time": row.tracks_time,
            "earlier_time": row.earlier,
            "earlier_billable_time": row.earlier if row.billable else 0,
        },
    )


def _threefold(name: str, value: float) -> dict[str, float]:
    return {f"{name}{form}": value for form in ("", "_default", "_normalized")}
