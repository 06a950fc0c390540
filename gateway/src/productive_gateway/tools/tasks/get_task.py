"""get_task: one task with everything that belongs to it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.tasks import (
    Attachment,
    Comment,
    Dependency,
    ListedTask,
    Task,
    Todo,
)
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.parameters import RequiredTask
from productive_gateway.tools.names.resolver import TASKS
from productive_gateway.tools.tasks.custom_fields import FieldValue, shown_values
from productive_gateway.tools.tasks.rows import is_overdue, listed
from productive_gateway.tools.words import richtext, untrusted

_LONGEST_DESCRIPTION: Final = 2500
"""Characters of Markdown; answers have room for about 8,000 in all."""
_COMMENT_ROOM: Final = 2500
"""Characters that all comments share."""
_SHORTEST_COMMENT: Final = 250
_MOST_HANGING: Final = 30
"""Todos, subtasks, dependencies or files that an answer shows."""


class WholeTask(Task):
    """A task with what follows from the present day, and its web link."""

    overdue: bool = has.flag()
    url: str | None = has.ident(default=None, label="")


class TaskDetails(Answer):
    """The answer of get_task."""

    task: WholeTask | None = has.one(lambda: WholeTask, label="")
    custom_fields: tuple[FieldValue, ...] = has.many(lambda: FieldValue)
    todos: tuple[Todo, ...] = has.many(lambda: Todo)
    subtasks: tuple[ListedTask, ...] = has.many(lambda: ListedTask)
    dependencies: tuple[Dependency, ...] = has.many(lambda: Dependency)
    attachments: tuple[Attachment, ...] = has.many(lambda: Attachment)
    comments: tuple[Comment, ...] = has.many(lambda: Comment, label="comments, newest first")
    more_comments: int | None = has.count(label="more comments:")


@tool(
    title="Get task",
    kind=Kind.READS,
    cost=Cost(reads=11),
    example=Example("What is task #87 about, and where does it stand?", {"task": "#87"}),
)
async def get_task(
    call: Call,
    task: RequiredTask,
    comments: Annotated[int, Field(ge=0, le=30, description="how many, newest first")] = 5,
) -> TaskDetails:
    """One task with description, hours, todos, subtasks, dependencies, files and comments.

    Call it before you answer what a task is about or where it stands, and for the ids of its parts.
    """
    found = await call.names.one(TASKS, task, "task")
    read, by_task = call.records, {"task_id": found.id}
    whole, todos, subtasks, dependencies, files, talk = await asyncio.gather(
        read.get(Task, found.id),
        read.page(Todo, by_task, size=_MOST_HANGING),
        read.page(ListedTask, {"parent_task_id": found.id}, size=_MOST_HANGING),
        read.page(Dependency, by_task, size=_MOST_HANGING),
        read.page(Attachment, by_task, size=_MOST_HANGING),
        read.page(Comment, by_task, sort="-created_at", size=max(1, comments)),
    )
    for name, rows in (("todos", todos), ("subtasks", subtasks), ("dependencies", dependencies)):
        if not rows.complete:
            call.warn(f"Only {len(rows.rows)} of {rows.total} {name} are shown.")
    project = whole.project.id if whole.project else None
    shown = talk.rows[:comments]
    room = max(_SHORTEST_COMMENT, _COMMENT_ROOM // max(1, len(shown)))
    return TaskDetails(
        headline=_headline(whole),
        task=_whole(call, whole),
        custom_fields=await shown_values(call, project, whole.custom_fields),
        todos=todos.rows,
        subtasks=tuple(listed(one, call.today) for one in subtasks.rows),
        dependencies=dependencies.rows,
        attachments=files.rows,
        comments=tuple(replace(one, body=shortened(one.body, room)) for one in shown),
        more_comments=(talk.total or len(talk.rows)) - len(shown) or None,
    )


def shortened(html: str | None, most: int) -> str | None:
    """Return a rich text with at most so many characters of Markdown."""
    found = richtext.to_markdown(html, most)
    if not found.cut:
        return html
    return richtext.to_html(f"{found.text} (cut)", richtext.mentions_in(html))


def _whole(call: Call, task: Task) -> WholeTask:
    values: dict[str, Any] = {
        one.name: getattr(task, one.name) for one in has.declared(Task) if one.name != "id"
    }
    values["description"] = shortened(task.description, _LONGEST_DESCRIPTION)
    late = is_overdue(task, call.today)
    return WholeTask(id=task.id, **values, overdue=late, url=call.link(task))


def _headline(task: Task) -> str:
    status = untrusted.name(task.status.name) if task.status else "without a status"
    whose = untrusted.name(task.assignee.name) if task.assignee else "nobody"
    return f"{untrusted.name(task.name)} ({task.id}) is {status}, assigned to {whose}."
