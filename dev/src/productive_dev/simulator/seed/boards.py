"""Workflows, folders, task lists, and who belongs to which project.

The traps: a German workflow and a minimal one, an archived list and an archived folder, lists of
one name in two folders, a project that most people do not belong to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypedDict

from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.seed.build import build
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.seed.companies import PROJECTS
from productive_dev.simulator.seed.organizations import HARBOUR, NORTHLIGHT
from productive_dev.simulator.seed.people import STAFF

_WORKFLOWS: Final = (
    (
        "610",
        NORTHLIGHT,
        "Default",
        (("To do", 1), ("In progress", 2), ("In review", 2), ("Done", 3)),
    ),
    ("611", NORTHLIGHT, "Deutsch", (("Offen", 1), ("In Arbeit", 2), ("Abgenommen", 3))),
    ("612", NORTHLIGHT, "Minimal", (("Open", 1), ("Closed", 3))),
    ("613", HARBOUR, "Default", (("To do", 1), ("Done", 3))),
)
_LISTS: Final = ("Sprint 12", "Backlog")
_CLOSED_PROJECT: Final = "30208"
"""Only its manager and one more person belong to it."""


class _Where(TypedDict):
    project: str
    organization: str


def folder_of(project: str) -> str:
    """Return the id of a project's first folder."""
    return str(41000 + int(project) - 30200)


def list_of(project: str, position: int = 0) -> str:
    """Return the id of a list in a project's first folder."""
    return str(52000 + (int(project) - 30200) * 10 + position)


def status_of(project: str, category: int) -> str:
    """Return the first status of a category in a project's workflow."""
    number = PROJECTS[project].workflow
    statuses = next(rows for n, _, _, rows in _WORKFLOWS if n == number)
    position = next(p for p, (_, c) in enumerate(statuses, start=1) if c == category)
    return f"{number}{position}"


def boards(calendar: Calendar) -> Iterator[Record]:
    """Yield workflows, folders, task lists and memberships."""
    for number, organization, name, statuses in _WORKFLOWS:
        yield build("workflows", number, organization, {"name": name})
        for position, (status, category) in enumerate(statuses, start=1):
            yield build(
                "workflow_statuses",
                f"{number}{position}",
                organization,
                {"name": status, "position": position, "category_id": category, "color_id": 4},
                {"workflow": Ref("workflows", number)},
            )
    for project in PROJECTS.values():
        yield from _places(calendar, project.id, project.organization)
    yield from _memberships()


def _places(calendar: Calendar, project: str, organization: str) -> Iterator[Record]:
    folder = folder_of(project)
    where: _Where = {"project": project, "organization": organization}
    yield _folder(calendar, folder, **where, name="Delivery")
    for position, name in enumerate(_LISTS):
        yield _list(calendar, list_of(project, position), folder, **where, name=name)
    if project == "30201":
        yield _folder(calendar, "41901", **where, name="Ideas")
        yield _list(calendar, "52901", "41901", **where, name="Backlog")
        yield _list(calendar, "52902", folder, **where, name="Sprint 11", archived=True)
        yield _folder(calendar, "41902", **where, name="Phase 1", archived=True)


def _folder(
    calendar: Calendar,
    number: str,
    *,
    project: str,
    organization: str,
    name: str,
    archived: bool = False,
) -> Record:
    return build(
        "folders",
        number,
        organization,
        {
            "name": name,
            "position": int(number) - 41000,
            "created_at": calendar.ago(200),
            "archived_at": calendar.ago(60) if archived else None,
        },
        {"project": Ref("projects", project)},
    )


def _list(
    calendar: Calendar,
    number: str,
    folder: str,
    *,
    project: str,
    organization: str,
    name: str,
    archived: bool = False,
) -> Record:
    return build(
        "task_lists",
        number,
        organization,
        {
            "name": name,
            "position": int(number) - 52000,
            "placement": (int(number) - 51999) * 1500,
            "created_at": calendar.ago(200),
            "archived_at": calendar.ago(30) if archived else None,
        },
        {"project": Ref("projects", project), "folder": Ref("folders", folder)},
    )


def _memberships() -> Iterator[Record]:
    number = 1448
    for project in PROJECTS.values():
        members = [row.number for row in STAFF if row.organization == project.organization]
        if project.id == _CLOSED_PROJECT:
            members = ["9105"]
        if project.id == "30203":
            members.remove("9108")
        if project.id == "30201":
            members.append("9123")
        for person in members:
            yield build(
                "memberships",
                str(number),
                project.organization,
                {"target_type": "project", "target_id": project.id},
                {"person": Ref("people", person), "project": Ref("projects", project.id)},
            )
            number += 1
