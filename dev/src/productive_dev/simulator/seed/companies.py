"""Companies and projects.

The traps: "Website relaunch" beside "Website care", an archived project of an archived company, two
projects called "Rebrand", and numbers that are no digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.seed.build import build
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.seed.organizations import HARBOUR, NORTHLIGHT


class Company(NamedTuple):
    """A row of the table of companies."""

    id: str
    organization: str
    name: str
    code: str
    currency: str
    archived: bool = False


class Project(NamedTuple):
    """A row of the table of projects."""

    id: str
    organization: str
    name: str
    number: str
    kind: int
    """1 internal, 2 for a client."""
    company: str
    manager: str
    archived: bool = False
    workflow: str = "610"


COMPANIES: Final = {
    row.id: row
    for row in (
        Company("7001", NORTHLIGHT, "Blue Harbor GmbH", "BHG", "EUR"),
        Company("7002", NORTHLIGHT, "Fjord Outdoor AS", "FJO", "USD"),
        Company("7003", NORTHLIGHT, "Old Mill Bakery", "OMB", "EUR", archived=True),
        Company("7004", NORTHLIGHT, "Alpine Rail AG", "ALP", "EUR"),
        Company("7005", NORTHLIGHT, "Nordic Foods Oy", "NOF", "EUR"),
        Company("7009", NORTHLIGHT, "Northlight Studio", "NLS", "EUR"),
        Company("7101", HARBOUR, "Harbour Lab", "HLB", "GBP"),
    )
}
PROJECTS: Final = {
    row.id: row
    for row in (
        Project("30201", NORTHLIGHT, "Website relaunch", "14", 2, "7001", "9103"),
        Project("30202", NORTHLIGHT, "Website care", "15", 2, "7001", "9103"),
        Project("30203", NORTHLIGHT, "Mobile app", "17", 2, "7002", "9103"),
        Project("30204", NORTHLIGHT, "Internal", "1", 1, "7009", "9101", workflow="612"),
        Project("30205", NORTHLIGHT, "Company website", "3", 1, "7009", "9103", workflow="612"),
        Project("30206", NORTHLIGHT, "Bakery shop", "9", 2, "7003", "9103", archived=True),
        Project("30207", NORTHLIGHT, "Rebrand", "18", 2, "7004", "9103", workflow="611"),
        Project("30208", NORTHLIGHT, "Rebrand", "1-2025-2", 2, "7005", "9101"),
        Project("30209", NORTHLIGHT, "Annual report", "2026-02-17", 2, "7004", "9103"),
        Project("30301", HARBOUR, "Lab portal", "1", 1, "7101", "9201", workflow="613"),
    )
}


def companies(calendar: Calendar) -> Iterator[Record]:
    """Yield companies and their projects."""
    for company in COMPANIES.values():
        yield _company(calendar, company)
    for project in PROJECTS.values():
        yield _project(calendar, project)


def _company(calendar: Calendar, row: Company) -> Record:
    return build(
        "companies",
        row.id,
        row.organization,
        {
            "name": row.name,
            "billing_name": row.name,
            "default_currency": row.currency,
            "created_at": calendar.ago(400),
            "last_activity_at": calendar.ago(2),
            "archived_at": calendar.ago(90) if row.archived else None,
            "company_code": row.code,
            "due_days": 30,
            "contact": {"emails": [], "phones": [], "websites": []},
        },
    )


def _project(calendar: Calendar, row: Project) -> Record:
    return build(
        "projects",
        row.id,
        row.organization,
        {
            "name": row.name,
            "number": row.number,
            "project_number": row.number,
            "project_type_id": row.kind,
            "project_color_id": 7,
            "last_activity_at": calendar.ago(1, 17),
            "archived_at": calendar.ago(80) if row.archived else None,
            "created_at": calendar.ago(260),
        },
        {
            "company": Ref("companies", row.company),
            "project_manager": Ref("people", row.manager),
            "last_actor": Ref("people", row.manager),
            "workflow": Ref("workflows", row.workflow),
        },
    )
