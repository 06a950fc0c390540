"""Tasks.

The traps: a task without a service in a budget where two fit, a number that two projects use,
titles in German and Croatian and with an emoji, an over-run and an overdue one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.seed.companies import PROJECTS


class Task(NamedTuple):
    """A row of the table of tasks; times in minutes."""

    number: str
    id: str
    title: str
    project: str
    assignee: str | None = None
    service: str | None = None
    due: int | None = None
    """Days from today."""
    estimate: int | None = None
    earlier: int = 0
    """Tracked before the entries of the seed begin."""
    closed: bool = False


_TASKS: Final = (
    Task("87", "20510087", "Homepage wireframes", "30201", "9104", None, 4, 480),
    Task("88", "20510088", "Design tokens", "30201", "9104", "16880011", 1, 240, 60),
    Task("89", "20510089", "Startseite übersetzen 🌍", "30201", "9106", None, -3, 180),
    Task("90", "20510090", "Prijava greške u košarici", "30201", "9105", "16880012", -1, 300),
    Task("91", "20510091", "Kick-off", "30201", "9103", "16880015", -20, 240, 240, closed=True),
    Task("12", "20510112", "Monthly report", "30202", "9103", "16880035", 7, 60),
    Task("13", "20510113", "Banner for the autumn sale", "30202", "9104", "16880031", 2, 90),
    Task("12", "20510212", "Onboarding screens", "30203", "9104", "16880042", 9, 600),
    Task("14", "20510214", "Push notifications", "30203", "9107", "16880041", 12, 900),
    Task("5", "20510305", "Team page", "30205"),
    Task("1", "20510901", "Sign-in", "30301", "9202", "16880301", 5, 480),
)


def tasks(calendar: Calendar) -> Iterator[Record]:
    """Yield all tasks."""
    return (_task(calendar, row) for row in _TASKS)


def _task(calendar: Calendar, row: Task) -> Record:
    project = PROJECTS[row.project]
    manager = Ref("people", project.manager)
    return Record(
        "tasks",
        row.id,
        project.organization,
        {
            "title": row.title,
            "description": "<div>As agreed with the client.</div>",
            "number": row.number,
            "task_number": row.number,
            "type_id": 1,
            "private": False,
            "due_date": None if row.due is None else calendar.days(row.due),
            "start_date": None,
            "closed": row.closed,
            "closed_at": calendar.ago(15) if row.closed else None,
            "tag_list": [],
            "initial_estimate": row.estimate,
            "remaining_time": row.estimate,
            "custom_fields": {},
            "created_at": calendar.ago(25),
            "updated_at": calendar.ago(4),
            "last_activity_at": calendar.ago(4),
        },
        {
            "project": Ref("projects", project.id),
            "assignee": None if row.assignee is None else Ref("people", row.assignee),
            "creator": manager,
            "last_actor": manager,
            "service": None if row.service is None else Ref("services", row.service),
            "parent_task": None,
        },
        {"earlier_time": row.earlier, "earlier_billable_time": row.earlier},
    )
