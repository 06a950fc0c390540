"""list_tasks: tasks by person, project, date, status and more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.projects import KnownProject
from productive_gateway.productive.records.tasks import ListedTask, TaskRef, TaskRow
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import (
    Cursor,
    CustomFields,
    Day,
    Limit,
    Names,
    Period,
    Person,
    Project,
    Query,
    Reference,
    Task,
    word_in,
)
from productive_gateway.tools.kit.read import read_day, read_period
from productive_gateway.tools.names.resolver import PROJECTS, TASK_LISTS, TASKS
from productive_gateway.tools.tasks import custom_fields as fields
from productive_gateway.tools.tasks.assignees import is_none, person_id
from productive_gateway.tools.tasks.rows import listed, shown
from productive_gateway.tools.tasks.statuses import status_filter

State = Annotated[Literal["open", "closed", "all"] | None, BeforeValidator(word_in)]
Sort = Annotated[
    Literal["due", "updated", "created", "title", "position"], BeforeValidator(word_in)
]
Detail = Annotated[Literal["concise", "full"], BeforeValidator(word_in)]
_SORTS: Final = {
    "due": "due_date",
    "updated": "-last_activity_at",
    "created": "-created_at",
    "title": "title",
    "position": "placement",
}


class TaskList(Answer):
    """The answer of list_tasks."""

    tasks: tuple[TaskRef, ...] = has.many(lambda: TaskRef, label="")
    total: int | None = has.count()
    link: str | None = has.ident(default=None, label="links:")
    """Where a task is in the web application; one line instead of a link in every row."""


@tool(
    title="List tasks",
    kind=Kind.READS,
    cost=Cost(reads=5),
    example=Example("What do I have to do this week?", {"assignee": "me", "due": "this_week"}),
)
async def list_tasks(
    call: Call,
    *,
    assignee: Annotated[Person, Field(description='"me", name, e-mail, id or "none"')] = None,
    project: Project = None,
    state: State = None,
    status: Annotated[Reference, Field(description='"In review", or todo, done …')] = None,
    due: Period = None,
    overdue: bool = False,
    task_list: Reference = None,
    parent: Task = None,
    tags: Names = None,
    query: Query = None,
    updated_since: Day = None,
    custom_fields: CustomFields = None,
    sort: Sort = "due",
    detail: Detail = "concise",
    limit: Limit = 25,
    cursor: Cursor = None,
) -> TaskList:
    """Tasks by person, project, due date, status, list, tags or words; open ones by default.

    Use assignee="me" for the user's own. detail="full" adds hours, list, start and tags; get_task
    has the rest of one task.
    """
    within = await call.names.one(PROJECTS, project, "project") if project else None
    found = await asyncio.gather(
        _person(call, assignee),
        _status(call, within, status),
        _list(call, within, task_list),
        _parent(call, within, parent),
        _custom(call, within, custom_fields),
    )
    filters: dict[str, Any] = {"project_id": within.id if within else None, "query": query}
    for one in found:
        filters |= one
    filters["status"] = {"open": "1", "closed": "2"}.get(state or ("all" if status else "open"))
    filters["overdue_status"] = "2" if overdue else None
    filters["tags"] = ",".join(tags) if tags else None
    if due is not None:
        period = read_period(due, "due", call.today, direction="future")
        filters |= {"due_date_after": period.first, "due_date_before": period.last}
    if updated_since is not None:
        day = read_day(updated_since, "updated_since", call.today, direction="past")
        filters["last_activity_after"] = day
    cls: type[TaskRef] = TaskRow if detail == "full" else ListedTask
    page = await call.page(cls, filters, limit=limit, cursor=cursor, sort=_SORTS[sort])
    kind = {"1": "open task", "2": "closed task"}.get(filters["status"], "task")
    return TaskList(
        headline=page.counted(kind),
        tasks=tuple(_row(call, row) for row in page.rows),
        total=page.total,
        link=_links(call, page.rows),
        next_cursor=page.next_cursor,
    )


def _row(call: Call, row: TaskRef) -> TaskRef:
    if isinstance(row, TaskRow):
        return shown(call, row)
    return listed(row, call.today) if isinstance(row, ListedTask) else row


def _links(call: Call, rows: Sequence[TaskRef]) -> str | None:
    for row in rows:
        link = call.link(row) or ""
        return link.removesuffix(row.id) + "<id>"
    return None


async def _person(call: Call, text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    if is_none(text):
        return {"assignee_id][eq": ""}
    return {"assignee_id": await person_id(call, text, "assignee")}


async def _status(call: Call, within: KnownProject | None, text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    workflow = within.workflow if within else None
    return await status_filter(call, workflow.id if workflow else None, text, "status")


async def _list(call: Call, within: KnownProject | None, text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    scope = {"project_id": within.id} if within else {}
    return {"task_list_id": (await call.names.one(TASK_LISTS, text, "task_list", within=scope)).id}


async def _parent(call: Call, within: KnownProject | None, text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    scope = {"project_id": within.id} if within else {}
    return {"parent_task_id": (await call.names.one(TASKS, text, "parent", within=scope)).id}


async def _custom(
    call: Call, within: KnownProject | None, given: dict[str, Any] | None
) -> dict[str, Any]:
    if not given:
        return {}
    return await fields.filters(call, within.id if within else None, given, "custom_fields")
