"""Tasks and what belongs to them: todos, dependencies, comments, changes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.budgets import ServiceRef
from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.projects import (
    ProjectRef,
    StatusName,
    StatusRef,
    TaskListRef,
    WorkflowStatus,
)
from productive_gateway.productive.records.record import Record


class TaskRef(Record, type="tasks", link="task"):
    """A task by title."""

    name: str = has.name("title")
    number: str | None = has.ident("task_number", default=None)


class OpenTask(TaskRef):
    """A task as far as counts of a project need it."""

    kind: str | None = has.word("type_id", {3: "milestone"}, shown=False)
    due: date | None = has.day("due_date")
    status: StatusRef | None = has.one(lambda: StatusRef, "workflow_status", shown=False)


class ListedTask(TaskRef):
    """A task as a long list shows it."""

    kind: str | None = has.word("type_id", {3: "milestone"}, label="")
    closed: bool = has.flag("closed")
    due: date | None = has.day("due_date")
    overdue: bool = has.flag()
    """Depends on the present day, so the tool that shows the task sets it."""
    project: ProjectRef | None = has.one(lambda: ProjectRef, "project", label="")
    status: StatusName | None = has.one(lambda: StatusName, "workflow_status", label="")
    assignee: PersonRef | None = has.one(lambda: PersonRef, "assignee")


class TaskRow(TaskRef):
    """A task with what people plan by."""

    kind: str | None = has.word("type_id", {3: "milestone"}, label="")
    closed: bool = has.flag("closed")
    due: date | None = has.day("due_date")
    start: date | None = has.day("start_date")
    estimate: int | None = has.minutes("initial_estimate")
    worked: int | None = has.minutes("worked_time")
    remaining: int | None = has.minutes("remaining_time")
    tags: tuple[str, ...] = has.names("tag_list")
    project: ProjectRef | None = has.one(lambda: ProjectRef, "project")
    list: TaskListRef | None = has.one(lambda: TaskListRef, "task_list")
    status: WorkflowStatus | None = has.one(lambda: WorkflowStatus, "workflow_status")
    assignee: PersonRef | None = has.one(lambda: PersonRef, "assignee")
    service: ServiceRef | None = has.one(lambda: ServiceRef, "service", shown=False)
    custom_fields: Any = has.raw("custom_fields")
    """By the ids of the fields; options are ids as well."""
    open_subtasks: int | None = has.count("open_subtask_count", shown=False)
    """None may also mean that Productive did not count them."""


class ProbedTask(TaskRef):
    """An open task as far as it is needed to find one that was just created."""

    created: datetime | None = has.moment("created_at", shown=False)
    project: ProjectRef | None = has.one(lambda: ProjectRef, "project", shown=False)


class Task(TaskRow, found_by={"project": "project_id", "name": "title"}):
    """A task with everything of its own."""

    private: bool = has.flag("private")
    created: datetime | None = has.moment("created_at")
    creator: PersonRef | None = has.one(lambda: PersonRef, "creator")
    parent: TaskRef | None = has.one(lambda: TaskRef, "parent_task", label="subtask of")
    description: str | None = has.rich("description")


class Todo(Record, type="todos", found_by={"task": "task_id"}):
    """A line of a task's checklist."""

    name: str = has.name("description")
    closed: bool = has.flag("closed", label="done")
    assignee: PersonRef | None = has.one(lambda: PersonRef, "assignee")
    task: TaskRef | None = has.one(lambda: TaskRef, "task", shown=False)


class Dependency(Record, type="task_dependencies"):
    """A link between two tasks."""

    kind: str | None = has.word(
        "type_id", {1: "blocks", 2: "is blocked by", 3: "relates to"}, label=""
    )
    task: TaskRef | None = has.one(lambda: TaskRef, "task", shown=False)
    other: TaskRef | None = has.one(lambda: TaskRef, "dependent_task", label="")


class Comment(Record, type="comments", found_by={"task": "task_id"}, newest_first="-created_at"):
    """A comment."""

    at: datetime | None = has.moment("created_at", label="")
    creator: PersonRef | None = has.one(lambda: PersonRef, "creator", label="by")
    internal: bool = has.flag("hidden")
    pinned: bool = has.flag("pinned_at")
    edited: bool = has.flag("edited_at")
    body: str | None = has.rich("body")
    task: TaskRef | None = has.one(lambda: TaskRef, "task", shown=False)
    reactions: Any = has.raw("reactions")
    """Ids of people by reaction."""


class Discussion(Record, type="discussions"):
    """A thread of comments on a page."""

    excerpt: str | None = has.line("excerpt")
    resolved: bool = has.flag("resolved_at")


class FieldOption(Record, type="custom_field_options"):
    """One of the values that a custom field may have."""

    name: str = has.name("name")
    archived: bool = has.flag("archived_at", shown=False)


FIELD_KINDS: Final = {
    1: "text",
    2: "number",
    3: "select",
    4: "date",
    5: "multi-select",
    6: "person",
    7: "attachment",
}


class CustomField(Record, type="custom_fields"):
    """A field that the organization, or one project, adds to its tasks."""

    name: str = has.name("name")
    kind: str | None = has.word("data_type_id", FIELD_KINDS, label="")
    everywhere: bool = has.flag("global", shown=False)
    required: bool = has.flag("required")
    archived: bool = has.flag("archived_at", shown=False)
    project: ProjectRef | None = has.one(lambda: ProjectRef, "project", shown=False)
    options: tuple[FieldOption, ...] = has.many(lambda: FieldOption, "options")


class Attachment(Record, type="attachments"):
    """A file."""

    name: str = has.name("name")
    content_type: str | None = has.line("content_type", label="")
    size: int | None = has.count("size", label="bytes")
