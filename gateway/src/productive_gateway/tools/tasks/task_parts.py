"""Todos, dependencies and the place of a task: changes that are writes of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from productive_gateway.productive.records.tasks import Dependency, TaskRef, TaskRow, Todo
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import row_text
from productive_gateway.tools.kit.read import invalid
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.options import Option, Options
from productive_gateway.tools.names.resolver import TASKS
from productive_gateway.tools.tasks.steps import Steps
from productive_gateway.tools.words import untrusted
from productive_gateway.tools.writes.compare import Change

DependencyKind = Literal["blocks", "is blocked by", "relates to"]
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class WantedParts:
    """The changes as the model writes them: texts, ids, or names of tasks."""

    add_todos: Sequence[str]
    close_todos: Sequence[str]
    reopen_todos: Sequence[str]
    blocked_by: Sequence[str]
    blocks: Sequence[str]
    relates_to: Sequence[str]
    remove_dependencies: Sequence[str]
    move_before: str | None
    move_after: str | None

    def dependencies(self) -> Iterator[tuple[DependencyKind, str, str]]:
        """Yield kind, other task, and argument of each dependency to be added."""
        for n, text in enumerate(self.blocked_by):
            yield "is blocked by", text, f"blocked_by[{n}]"
        for n, text in enumerate(self.blocks):
            yield "blocks", text, f"blocks[{n}]"
        for n, text in enumerate(self.relates_to):
            yield "relates to", text, f"relates_to[{n}]"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task is to be in its list."""

    side: Literal["move_before", "move_after"]
    other: TaskRow
    back: tuple[str, dict[str, str]] | None
    """The action that puts it back to where it is now; None if that is not known."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The changes, resolved."""

    todos: tuple[str, ...]
    closing: tuple[Todo, ...]
    reopening: tuple[Todo, ...]
    new: tuple[tuple[DependencyKind, TaskRow], ...]
    old: tuple[Dependency, ...]
    place: Place | None


async def plan_parts(call: Call, task: TaskRow, wanted: WantedParts) -> Parts:
    """Resolve the changes; what is so already is left out.

    Raises:
        ToolError: something cannot be found.
    """
    (closing, reopening), (new, old), place = await asyncio.gather(
        _todos(call, task, wanted), _dependencies(call, task, wanted), _place(call, task, wanted)
    )
    added = tuple(" ".join(one.split()) for one in wanted.add_todos if one.strip())
    return Parts(added, closing, reopening, new, old, place)


async def write_parts(call: Call, steps: Steps, task: TaskRow, parts: Parts) -> list[Change]:
    """Write the changes and return those that were made."""
    changed = await _write_todos(call, steps, task, parts)
    changed += await _write_dependencies(call, steps, task, parts)
    if parts.place is not None:
        changed += await _move(call, steps, task, parts.place)
    return changed


async def _todos(
    call: Call, task: TaskRow, wanted: WantedParts
) -> tuple[tuple[Todo, ...], tuple[Todo, ...]]:
    if not (wanted.close_todos or wanted.reopen_todos):
        return (), ()
    rows = (await call.records.page(Todo, {"task_id": task.id}, size=_MOST)).rows
    return (
        _chosen(call, rows, wanted.close_todos, "close_todos", closed=True),
        _chosen(call, rows, wanted.reopen_todos, "reopen_todos", closed=False),
    )


def _chosen(
    call: Call, rows: Sequence[Todo], texts: Sequence[str], field: str, *, closed: bool
) -> tuple[Todo, ...]:
    options = Options(
        Option(
            RecordKind.TODO, one.id, one.name, inactive="closed" if closed and one.closed else None
        )
        for one in rows
    )
    chosen = {
        call.names.choose(RecordKind.TODO, text, f"{field}[{n}]", options)
        for n, text in enumerate(texts)
    }
    return tuple(one for one in rows if one.id in chosen and one.closed != closed)


async def _dependencies(
    call: Call, task: TaskRow, wanted: WantedParts
) -> tuple[tuple[tuple[DependencyKind, TaskRow], ...], tuple[Dependency, ...]]:
    adding = list(wanted.dependencies())
    if not (adding or wanted.remove_dependencies):
        return (), ()
    page, others = await asyncio.gather(
        call.records.page(Dependency, {"task_id": task.id}, size=_MOST),
        asyncio.gather(*(_other(call, task, text, field) for _, text, field in adding)),
    )
    there = {(one.kind, one.other.id) for one in page.rows if one.other is not None}
    new = tuple(
        (kind, other)
        for (kind, _, _), other in zip(adding, others, strict=True)
        if (kind, other.id) not in there
    )
    return new, _removed(call, page.rows, wanted.remove_dependencies)


async def _other(call: Call, task: TaskRow, text: str, field: str) -> TaskRow:
    scope = {"project_id": task.project.id} if task.project else {}
    other = await call.names.one(TASKS, text, field, within=scope)
    if other.id == task.id:
        raise invalid(field, "That is the task itself.", "Ask the user which other task is meant.")
    return other


def _removed(
    call: Call, present: Sequence[Dependency], texts: Sequence[str]
) -> tuple[Dependency, ...]:
    by_id = {one.id: one for one in present}
    by_other = {one.other.id: one for one in present if one.other is not None}
    options = Options(
        Option(RecordKind.TASK, one.other.id, one.other.name, number=one.other.number)
        for one in present
        if one.other is not None
    )
    found: dict[str, Dependency] = {}
    for n, text in enumerate(texts):
        one = by_id.get(text.strip())
        if one is None:
            where = f"remove_dependencies[{n}]"
            one = by_other[call.names.choose(RecordKind.TASK, text, where, options)]
        found[one.id] = one
    return tuple(found.values())


async def _place(call: Call, task: TaskRow, wanted: WantedParts) -> Place | None:
    if wanted.move_before is not None and wanted.move_after is not None:
        raise invalid("move_before", "Give either move_before or move_after, not both.")
    side: Literal["move_before", "move_after"]
    if wanted.move_before is not None:
        side, text = "move_before", wanted.move_before
    elif wanted.move_after is not None:
        side, text = "move_after", wanted.move_after
    else:
        return None
    other, back = await asyncio.gather(_other(call, task, text, side), _way_back(call, task))
    return Place(side, other, back)


async def _write_todos(call: Call, steps: Steps, task: TaskRow, parts: Parts) -> list[Change]:
    changed: list[Change] = []
    if parts.todos:
        new = [{"name": text, "task": task.id} for text in parts.todos]
        made = await steps.run("add_todos", call.writes.create_many(Todo, new))
        changed += [Change(field="todo", after=row_text(one)) for one in made or ()]
    for todos, closed in ((parts.closing, True), (parts.reopening, False)):
        for one in todos:
            write = call.writes.update(one, {"closed": closed})
            if await steps.run(f"todo {one.name}", write) is not None:
                before, after = ("open", "done") if closed else ("done", "open")
                name = f"todo {untrusted.name(one.name)}"
                changed.append(Change(field=name, before=before, after=after))
    return changed


async def _write_dependencies(
    call: Call, steps: Steps, task: TaskRow, parts: Parts
) -> list[Change]:
    changed: list[Change] = []
    for gone in parts.old:
        other = gone.other
        again = {"kind": gone.kind, "task": task.id, "other": other.id} if other else None
        if await steps.done("remove_dependencies", call.writes.delete(gone, again=again)):
            changed.append(Change(field="dependency", before=row_text(gone)))
    for kind, task_ in parts.new:
        values = {"kind": kind, "task": task.id, "other": task_.id}
        made = await steps.run(kind, call.writes.create(Dependency, values))
        if made is not None:
            changed.append(Change(field="dependency", after=row_text(made)))
    return changed


async def _move(call: Call, steps: Steps, task: TaskRow, place: Place) -> list[Change]:
    values = {f"{place.side}_id": place.other.id}
    write = call.writes.act(task, "reposition", values, undone_by=place.back)
    if not await steps.done(place.side, write):
        return []
    side = "before" if place.side == "move_before" else "after"
    other = f"{untrusted.name(place.other.name)} ({place.other.id})"
    return [Change(field="place", after=f"{side} {other}")]


async def _way_back(call: Call, task: TaskRow) -> tuple[str, dict[str, str]] | None:
    """Return the action that puts a task back to where it is; None if its place is not known."""
    if task.list is None:
        return None
    rows = (await call.records.all(TaskRef, {"task_list_id": task.list.id}, sort="placement")).rows
    ids = [one.id for one in rows]
    if task.id not in ids or len(ids) == 1:
        return None
    at = ids.index(task.id)
    beside = {"move_after_id": ids[at - 1]} if at else {"move_before_id": ids[1]}
    return "reposition", beside
