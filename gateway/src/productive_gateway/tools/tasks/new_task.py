"""A task that is to be created: as the model writes it, and resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.projects import (
    ProjectRef,
    TaskListRef,
    WorkflowStatus,
)
from productive_gateway.productive.records.tasks import TaskRow
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.arguments import Arguments, as_list
from productive_gateway.tools.kit.parameters import (
    CustomFields,
    Day,
    Hours,
    Names,
    Person,
    Project,
    Reference,
    Task,
    Text,
    text_in,
)
from productive_gateway.tools.kit.read import invalid, read_day, read_markdown, read_minutes
from productive_gateway.tools.names.resolver import PROJECTS, TASKS
from productive_gateway.tools.tasks import custom_fields as fields
from productive_gateway.tools.tasks.assignees import assignee_of, is_none
from productive_gateway.tools.tasks.statuses import status_in
from productive_gateway.tools.tasks.task_lists import list_for

LONGEST_TITLE: Final = 500

Title = Annotated[str, BeforeValidator(text_in), Field(max_length=LONGEST_TITLE)]


class NewTask(Arguments):
    """One task as the model writes it."""

    title: Title
    project: Project = None
    task_list: Reference = None
    assignee: Person = None
    due: Day = None
    start: Day = None
    estimate_hours: Hours = None
    description: Annotated[Text, Field(description="Markdown")] = None
    status: Reference = None
    parent: Annotated[Task, Field(description="makes it a subtask")] = None
    tags: Names = None
    milestone: bool = False
    custom_fields: CustomFields = None
    todos: Annotated[Names, Field(description="checklist")] = None


NewTasks = Annotated[list[NewTask], BeforeValidator(as_list), Field(min_length=1, max_length=20)]


@dataclass(frozen=True, slots=True)
class Planned:
    """One task, resolved and checked."""

    title: str
    project: ProjectRef
    list: TaskListRef
    values: Mapping[str, Any]
    """What is written, by the fields of `records.tasks.Task`."""
    status: WorkflowStatus | None
    assignee: PersonRef | None
    todos: tuple[str, ...]
    remarks: tuple[str, ...]
    """What the user should know about how a word was understood."""

    @property
    def key(self) -> tuple[str, str]:
        """What makes two tasks the same: project and title."""
        return self.project.id, same_title(self.title)


def same_title(title: str) -> str:
    """Return the form in which titles are compared."""
    return " ".join(title.split()).casefold()


async def plan(call: Call, given: NewTask, where: str) -> Planned:
    """Resolve and check one task.

    Args:
        call: the running call.
        given: the task.
        where: its place among the arguments, such as `tasks[0]`.

    Raises:
        ToolError: something in it cannot be used.
    """
    title = " ".join(given.title.split())
    parent = await _parent(call, given, where)
    project, workflow = await _project(call, given, parent, where)
    if parent is not None and parent.list is not None:
        place: TaskListRef = parent.list
    else:
        place = await list_for(call, project.id, given.task_list, f"{where}.task_list")
    values: dict[str, Any] = {"name": title, "project": project.id, "list": place.id}
    if parent is not None:
        values["parent"] = parent.id
    remarks: tuple[str, ...] = ()
    status: WorkflowStatus | None = None
    assignee: PersonRef | None = None
    if given.status is not None:
        status, remark = await status_in(call, workflow, given.status, f"{where}.status")
        remarks = (remark,) if remark else ()
        values["status"] = status.id
    if given.assignee is not None and not is_none(given.assignee):
        assignee = await assignee_of(call, given.assignee, f"{where}.assignee")
        values["assignee"] = assignee.id
    values |= _days(call.today, given, where)
    if given.estimate_hours is not None:
        minutes = read_minutes(given.estimate_hours, f"{where}.estimate_hours")
        # Productive shows the remaining time, and does not set it along with the estimate.
        values |= {"estimate": minutes, "remaining": minutes}
    if given.description is not None:
        values["description"] = read_markdown(given.description, f"{where}.description")
    if given.tags:
        values["tags"] = tuple(dict.fromkeys(given.tags))
    if given.milestone:
        values["kind"] = "milestone"
    if given.custom_fields:
        values["custom_fields"] = await fields.merged(
            call, project.id, given.custom_fields, None, f"{where}.custom_fields"
        )
    await fields.check_required(
        call, project.id, values.get("custom_fields"), f"{where}.custom_fields"
    )
    todos = tuple(" ".join(one.split()) for one in given.todos or () if one.strip())
    return Planned(title, project, place, values, status, assignee, todos, remarks)


async def _parent(call: Call, given: NewTask, where: str) -> TaskRow | None:
    if given.parent is None:
        return None
    return await call.names.one(TASKS, given.parent, f"{where}.parent", within=None)


async def _project(
    call: Call, given: NewTask, parent: TaskRow | None, where: str
) -> tuple[ProjectRef, str | None]:
    """Return the project, and the id of its workflow."""
    if given.project is not None:
        found = await call.names.one(PROJECTS, given.project, f"{where}.project", inactive=False)
        if parent is not None and parent.project is not None and parent.project.id != found.id:
            raise invalid(
                f"{where}.parent",
                f"The parent {parent.name} ({parent.id}) is in {parent.project.name} "
                f"({parent.project.id}), not in {found.name} ({found.id}).",
                "Leave project out, or ask the user for another parent.",
            )
        workflow = found.workflow.id if found.workflow else None
        return ProjectRef(id=found.id, name=found.name), workflow
    if parent is not None and parent.project is not None:
        held = parent.status.workflow if parent.status else None
        return parent.project, held.id if held else None
    raise invalid(
        f"{where}.project",
        "The task does not say which project it is for.",
        "Set project; ask the user if you do not know it.",
    )


def _days(today: date, given: NewTask, where: str) -> dict[str, date]:
    found: dict[str, date] = {}
    for name, text in (("due", given.due), ("start", given.start)):
        if text is not None:
            found[name] = read_day(text, f"{where}.{name}", today, direction="future")
    if "due" in found and "start" in found and found["start"] > found["due"]:
        raise invalid(f"{where}.due", "The task would be due before it starts.")
    return found
