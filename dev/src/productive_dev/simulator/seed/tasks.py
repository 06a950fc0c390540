"""Tasks, with what hangs on them, and the custom fields that they have.

The traps: a task without a service in a budget where two fit, a number that two projects use,
titles in German and Croatian and with an emoji, an over-run and an overdue one, a private one, a
milestone, a description of 30 KB, a required custom field, more tasks of one person than a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.seed.boards import list_of, status_of
from productive_dev.simulator.seed.build import build, to
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.seed.companies import PROJECTS
from productive_dev.simulator.seed.organizations import NORTHLIGHT


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
    parent: str | None = None


_TASKS: Final = (
    Task("87", "20510087", "Homepage wireframes", "30201", "9104", None, 4, 480),
    Task("88", "20510088", "Design tokens", "30201", "9104", "16880011", 1, 240, 60),
    Task("89", "20510089", "Startseite übersetzen 🌍", "30201", "9106", None, -3, 180),
    Task("90", "20510090", "Prijava greške u košarici", "30201", "9105", "16880012", -1, 300),
    Task("91", "20510091", "Kick-off", "30201", "9103", "16880015", -20, 240, 240, closed=True),
    Task("92", "20510092", "Mobile variant", "30201", "9104", parent="20510087"),
    Task("93", "20510093", "Tablet variant", "30201", "9106", parent="20510087"),
    Task("94", "20510094", "Print variant", "30201", closed=True, parent="20510087"),
    Task("95", "20510095", "Go-live", "30201", "9103", due=30),
    Task("96", "20510096", "Salary round", "30201", "9105"),
    Task("12", "20510112", "Monthly report", "30202", "9103", "16880035", 7, 60),
    Task("13", "20510113", "Banner for the autumn sale", "30202", "9104", "16880031", 2, 90),
    Task("12", "20510212", "Onboarding screens", "30203", "9104", "16880042", 9, 600),
    Task("14", "20510214", "Push notifications", "30203", "9107", "16880041", 12, 900),
    Task("5", "20510305", "Team page", "30205"),
    Task("301", "20510701", "Logo skizzieren", "30207", "9106", "16880081", 6, 300),
    Task("1", "20510901", "Sign-in", "30301", "9202", "16880301", 5, 480),
)
_CHAPTERS: Final = 60
_PRIVATE: Final = {"20510096": ("9103", "9105")}
_MILESTONES: Final = frozenset({"20510095"})
_DESCRIPTIONS: Final = {
    "20510087": "<div>Three variants</div><ul><li>desktop</li><li>tablet</li></ul>",
    "20510088": "<div>" + "<p>Spacing, colour and type, step by step.</p>" * 650 + "</div>",
}
_VALUES: Final[dict[str, dict[str, Any]]] = {
    "20510087": {"3311": "48120", "3312": ["48131"], "3313": 5, "3315": "9103"},
    "20510212": {"3316": "48141"},
    "20510214": {"3316": "48142", "3314": "2026-12-15"},
}


def tasks(calendar: Calendar) -> Iterator[Record]:
    """Yield tasks, todos, dependencies, attachments and custom fields."""
    yield from _custom_fields(calendar)
    for row in _TASKS:
        yield _task(calendar, row)
    for number in range(1, _CHAPTERS + 1):
        yield _task(calendar, _chapter(number))
    yield from _todos(calendar)
    yield from _dependencies(calendar)
    yield build(
        "attachments",
        "91001",
        NORTHLIGHT,
        {
            "name": "wireframes.png",
            "content_type": "image/png",
            "size": 24_512,
            "url": "http://files.simulator.invalid/attachments/files/91001/wireframes.png",
            "attachment_type": "task",
            "attachable_type": "Task",
            "attachable_id": 20510087,
            "created_at": calendar.ago(3),
        },
        {"creator": Ref("people", "9104"), "task": Ref("tasks", "20510087")},
    )


def _chapter(number: int) -> Task:
    owner = ("9104", "9104", "9105", None, "9106")[number % 5]
    return Task(
        str(200 + number),
        str(20510400 + number),
        f"Chapter {number:02}",
        "30209",
        owner,
        "16880091",
        number - 20,
        120,
        closed=number % 6 == 0,
    )


def _task(calendar: Calendar, row: Task) -> Record:
    project = PROJECTS[row.project]
    manager = Ref("people", project.manager)
    people = _PRIVATE.get(row.id, (project.manager, *((row.assignee,) if row.assignee else ())))
    return build(
        "tasks",
        row.id,
        project.organization,
        {
            "title": row.title,
            "description": _DESCRIPTIONS.get(row.id, "<div>As agreed with the client.</div>"),
            "number": row.number,
            "task_number": row.number,
            "type_id": 3 if row.id in _MILESTONES else 1,
            "private": row.id in _PRIVATE,
            "due_date": None if row.due is None else calendar.days(row.due),
            "closed": row.closed,
            "closed_at": calendar.ago(15) if row.closed else None,
            "tag_list": ["design"] if row.assignee == "9104" else [],
            "initial_estimate": row.estimate,
            "remaining_time": row.estimate,
            "custom_fields": _VALUES.get(row.id),
            "created_at": calendar.ago(25),
            "updated_at": calendar.ago(4),
            "last_activity_at": calendar.ago(4),
            "placement": int(row.number) * 1000,
            "email_key": f"{int(row.id):032x}",
        },
        {
            "project": Ref("projects", project.id),
            "task_list": Ref("task_lists", list_of(project.id)),
            "workflow_status": Ref(
                "workflow_statuses", status_of(project.id, 3 if row.closed else 1)
            ),
            "assignee": to("people", row.assignee),
            "creator": manager,
            "last_actor": manager,
            "service": to("services", row.service),
            "parent_task": to("tasks", row.parent),
            "subscribers": tuple(Ref("people", one) for one in dict.fromkeys(people)),
        },
        facts={"earlier_time": row.earlier, "earlier_billable_time": row.earlier},
    )


def _todos(calendar: Calendar) -> Iterator[Record]:
    rows = (("Mobile variant", False), ("Ask for the logo", True), ("Check contrast", True))
    for position, (description, closed) in enumerate(rows, start=1):
        yield build(
            "todos",
            str(77119 + position),
            NORTHLIGHT,
            {
                "description": description,
                "closed": closed,
                "closed_at": calendar.ago(2) if closed else None,
                "position": position,
                "created_at": calendar.ago(5),
            },
            {"task": Ref("tasks", "20510087"), "assignee": Ref("people", "9104")},
        )


def _dependencies(calendar: Calendar) -> Iterator[Record]:
    pairs = (("20510087", "20510088", 2), ("20510088", "20510087", 1))
    for number, (task, other, kind) in enumerate(pairs, start=64001):
        yield build(
            "task_dependencies",
            str(number),
            NORTHLIGHT,
            {"type_id": kind, "created_at": calendar.ago(10)},
            {
                "task": Ref("tasks", task),
                "dependent_task": Ref("tasks", other),
                "creator": Ref("people", "9103"),
            },
        )


def _custom_fields(calendar: Calendar) -> Iterator[Record]:
    for number, name, kind, options in (
        ("3311", "Priority", 3, (("48120", "High"), ("48121", "Normal"), ("48122", "Low"))),
        ("3312", "Labels", 5, (("48131", "UX"), ("48132", "Copy"))),
        ("3313", "Story points", 2, ()),
        ("3314", "Release date", 4, ()),
        ("3315", "Reviewer", 6, ()),
        ("3316", "Platform", 3, (("48141", "iOS"), ("48142", "Android"))),
    ):
        local = number == "3316"
        yield build(
            "custom_fields",
            number,
            NORTHLIGHT,
            {
                "name": name,
                "data_type_id": kind,
                "customizable_type": "Tasks",
                "global": not local,
                "required": local,
                "position": int(number) - 3310,
                "created_at": calendar.ago(300),
            },
            {"project": to("projects", "30203" if local else None)},
        )
        for position, (option, label) in enumerate(options, start=1):
            yield build(
                "custom_field_options",
                option,
                NORTHLIGHT,
                {"name": label, "position": position, "color_id": position},
                {"custom_field": Ref("custom_fields", number)},
            )
