"""delete_item: deletes one thing for good, after the user agreed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.record import Record
from productive_gateway.productive.records.tasks import Comment, Dependency, TaskRef, TaskRow, Todo
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer, reference_text, row_text
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.kit.parameters import (
    LONGEST_REFERENCE,
    Confirm,
    reference_in,
    word_in,
)
from productive_gateway.tools.kit.read import invalid
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.link import LinkError
from productive_gateway.tools.names.reference import parse_reference
from productive_gateway.tools.words import richtext, untrusted

ItemKind = Annotated[
    Literal["task", "todo", "comment", "dependency", "time_entry"], BeforeValidator(word_in)
]
Item = Annotated[
    str,
    BeforeValidator(reference_in),
    Field(max_length=LONGEST_REFERENCE, description="id, as answers show it, or link"),
]
_QUOTED: Final = 80


class Deleted(Answer):
    """The answer of delete_item."""

    kind: str | None = has.word(default=None, label="")
    id: str | None = has.ident(default=None, label="")


@dataclass(frozen=True, slots=True)
class _Deletable:
    record: type[Record]
    named: RecordKind
    toolset: str
    preview: Callable[[Call, Record], Awaitable[list[str]]]


@tool(
    title="Delete item",
    kind=Kind.DELETES,
    cost=Cost(reads=5, writes=1),
    example=Example("Delete the comment 880012", {"kind": "comment", "item": "880012"}),
)
async def delete_item(
    call: Call, *, kind: ItemKind, item: Item, confirm: Confirm = None
) -> Deleted:
    """Delete a task, todo, comment, dependency or time entry for good, by its id.

    The user is always shown what would be lost, and asked first. It cannot be undone: to close a
    task or archive a list, use update_task or organize_project.
    """
    about = _DELETABLE[kind]
    if about.toolset not in call.allowed.toolsets:
        raise ToolError(
            Problem(
                "not_allowed_here",
                f'The toolset "{about.toolset}" is not switched on for you.',
                f"Do not repeat it. Ask {call.explain.whom_to_ask} if you need it.",
            )
        )
    record = await call.records.get(about.record, _id(call, about.named, item))
    name = f"{about.named} {reference_text(record)}"
    await call.confirm(
        f"Delete the {name} for good", await about.preview(call, record), given=confirm
    )
    await call.writes.delete(record)
    return Deleted(headline=f"Deleted the {name}. This cannot be undone.", kind=kind, id=record.id)


def _id(call: Call, kind: RecordKind, text: str) -> str:
    """Return the id in a reference: what is deleted is never found by a name that is similar."""
    try:
        found = parse_reference(text, kind, organization=call.me.organization_id)
    except LinkError as error:
        raise invalid("item", str(error), "Give the id, as answers show it.") from error
    if not found.ids:
        raise invalid(
            "item",
            f"What is to be deleted is named by its id, and {untrusted.name(text)} is none.",
            "Look it up first, then give its id.",
        )
    return found.ids[0]


async def _task(call: Call, record: Record) -> list[str]:
    by_task = {"task_id": record.id}
    subtasks, todos, comments = await asyncio.gather(
        call.records.page(TaskRef, {"parent_task_id": record.id}, size=1),
        call.records.page(Todo, by_task, size=1),
        call.records.page(Comment, by_task, size=1),
    )
    project = record.project if isinstance(record, TaskRow) else None
    where = f" in {reference_text(project)}" if project is not None else ""
    lines = [f"{reference_text(record)}{where}"]
    counts = ((subtasks, "subtasks"), (todos, "todos"), (comments, "comments"))
    gone = [f"{page.total} {what}" for page, what in counts if page.total]
    if gone:
        lines.append(f"{', '.join(gone)} would go with it")
    if isinstance(record, TaskRow) and record.worked:
        lines.append("time that was tracked on it stays, without a task")
    return lines


async def _comment(_: Call, record: Record) -> list[str]:
    body = record.body if isinstance(record, Comment) else None
    quoted = untrusted.line(richtext.plain(body, _QUOTED), _QUOTED)
    return [row_text(record), f'"{quoted}"']


async def _row(_: Call, record: Record) -> list[str]:
    return [row_text(record)]


_DELETABLE: Final[Mapping[str, _Deletable]] = {
    "task": _Deletable(TaskRow, RecordKind.TASK, "tasks", _task),
    "todo": _Deletable(Todo, RecordKind.TODO, "tasks", _row),
    "comment": _Deletable(Comment, RecordKind.COMMENT, "tasks", _comment),
    "dependency": _Deletable(Dependency, RecordKind.DEPENDENCY, "tasks", _row),
    "time_entry": _Deletable(TimeEntry, RecordKind.TIME_ENTRY, "time", _row),
}
