"""update_task: everything that can be changed about one task, in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.tasks import (
    Comment,
    Task,
    TaskRow,
)
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.failure import Failure
from productive_gateway.tools.kit.parameters import (
    CustomFields,
    Day,
    Hours,
    Line,
    Names,
    Person,
    Reference,
    RequiredTask,
    Text,
    word_in,
)
from productive_gateway.tools.kit.read import read_markdown
from productive_gateway.tools.names.resolver import TASKS
from productive_gateway.tools.tasks.comment_text import MadeComment, is_hidden
from productive_gateway.tools.tasks.custom_fields import shown_values
from productive_gateway.tools.tasks.rows import ShownTask, shown
from productive_gateway.tools.tasks.steps import Steps
from productive_gateway.tools.tasks.task_changes import Wanted, changes_of
from productive_gateway.tools.tasks.task_parts import WantedParts, plan_parts, write_parts
from productive_gateway.tools.words import untrusted
from productive_gateway.tools.writes.compare import Change, changes

Mode = Annotated[Literal["replace", "append"], BeforeValidator(word_in)]


class Updated(Answer):
    """The answer of update_task."""

    task: ShownTask | None = has.one(lambda: ShownTask, label="")
    changed: tuple[Change, ...] = has.many(lambda: Change)
    comment: MadeComment | None = has.one(lambda: MadeComment)
    failed: tuple[Failure, ...] = has.many(lambda: Failure, label="not done")


@tool(
    title="Update task",
    kind=Kind.CHANGES,
    cost=Cost(reads=12, writes=8),
    example=Example(
        "Wireframes are done, and tell the others", {"task": "#87", "status": "In review"}
    ),
)
async def update_task(
    call: Call,
    *,
    task: RequiredTask,
    title: Line = None,
    status: Annotated[Reference, Field(description='"In review", or todo, done …')] = None,
    assignee: Annotated[Person, Field(description='"me", name, e-mail, id; "none" clears')] = None,
    due: Annotated[Day, Field(description='like "friday", "24.11."; "none" clears')] = None,
    start: Day = None,
    estimate_hours: Hours = None,
    remaining_hours: Hours = None,
    task_list: Reference = None,
    move_before: Annotated[Reference, Field(description="another task of the list")] = None,
    move_after: Reference = None,
    add_tags: Names = None,
    remove_tags: Names = None,
    description: Annotated[Text, Field(description="Markdown")] = None,
    description_mode: Mode = "replace",
    custom_fields: CustomFields = None,
    add_todos: Names = None,
    close_todos: Names = None,
    reopen_todos: Names = None,
    blocked_by: Annotated[Names, Field(description="tasks")] = None,
    blocks: Names = None,
    relates_to: Names = None,
    remove_dependencies: Names = None,
    comment: Annotated[Text, Field(description="Markdown, internal")] = None,
) -> Updated:
    """Change a task: status, assignee, dates, hours, list, place, tags, texts, todos, links.

    Only what is given changes, and the answer says from what to what. A comment can go along in the
    same call. Use it to close a task, too: status="done".
    """
    row: TaskRow = await call.names.one(TASKS, task, "task")
    if description is not None:
        row = await call.records.get(Task, row.id)
    wanted = Wanted(
        title=title,
        status=status,
        assignee=assignee,
        due=due,
        start=start,
        estimate_hours=estimate_hours,
        remaining_hours=remaining_hours,
        task_list=task_list,
        add_tags=add_tags or (),
        remove_tags=remove_tags or (),
        description=description,
        description_mode=description_mode,
        custom_fields=custom_fields,
    )
    wanted_parts = WantedParts(
        add_todos=add_todos or (),
        close_todos=close_todos or (),
        reopen_todos=reopen_todos or (),
        blocked_by=blocked_by or (),
        blocks=blocks or (),
        relates_to=relates_to or (),
        remove_dependencies=remove_dependencies or (),
        move_before=move_before,
        move_after=move_after,
    )
    values, parts = await asyncio.gather(
        changes_of(call, row, wanted), plan_parts(call, row, wanted_parts)
    )
    html = read_markdown(comment, "comment") if comment is not None else ""
    hidden = comment is not None and await is_hidden(call, row.project.id if row.project else None)
    steps, changed, after = Steps(call), list[Change](), row
    if values:
        after = await call.writes.update(row, values)
        changed += changes(row, after, [name for name in values if name != "custom_fields"])
        changed += await _custom_changes(call, row, after)
        steps.begun = True
    changed += await write_parts(call, steps, after, parts)
    made = None
    if comment is not None:
        body = {"body": html, "internal": hidden, "task": row.id}
        made = await steps.run("comment", call.writes.create(Comment, body))
    fields = list(dict.fromkeys(one.field for one in changed))
    return Updated(
        headline=_headline(after, fields, commented=made is not None),
        task=shown(call, after),
        changed=tuple(changed),
        comment=MadeComment(id=made.id, internal=made.internal) if made else None,
        failed=tuple(steps.failed),
    )


def _headline(task: TaskRow, fields: Sequence[str], *, commented: bool) -> str:
    name = f"{untrusted.name(task.name)} ({task.id})"
    too = " A comment was added." if commented else ""
    if not fields:
        return f"Commented on {name}." if commented else f"Nothing to change: {name} is like that."
    return f"Changed {', '.join(fields)} of {name}.{too}"


async def _custom_changes(call: Call, before: TaskRow, after: TaskRow) -> list[Change]:
    if before.custom_fields == after.custom_fields:
        return []
    project = before.project.id if before.project else None
    old = await _values(call, project, before)
    new = await _values(call, project, after)
    return [
        Change(field=name, before=old.get(name), after=new.get(name))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    ]


async def _values(call: Call, project: str | None, task: TaskRow) -> dict[str, str | None]:
    found = await shown_values(call, project, task.custom_fields)
    return {one.field: one.value for one in found}
