"""How what a call wrote is taken back: as values, as bytes for the ledger, and carried out.

Nothing is taken back that somebody changed since: each record is read again just before, and must
still hold what the call wrote.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from productive_gateway.productive.records.declared import Kind, declared
from productive_gateway.productive.records.record import Record, values_of
from productive_gateway.productive.records.store import Records
from productive_gateway.productive.records.tasks import Comment, TaskRef, Todo
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.productive.wire.errors import NotFound
from productive_gateway.tools.kit.answers import reference_text
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.kit.progress import Progress
from productive_gateway.tools.writes.compare import same


@dataclass(frozen=True, slots=True)
class Inverse:
    """How one write is taken back."""

    record: type[Record]
    id: str
    before: Mapping[str, Any] | None
    """Values to write back; None if the record is to be deleted."""
    after: Mapping[str, Any]
    """What the record must still hold."""
    action: str | None = None
    """An action, such as `restore`, that takes `before` as its values instead."""
    deleted: bool = False
    """The record was deleted: one like it is made of `before`."""


@dataclass(frozen=True, slots=True)
class Undone:
    """One write that was taken back."""

    what: str
    """The record, as answers show it."""
    deleted: bool
    archived: bool = False


def encode(inverses: Sequence[Inverse]) -> bytes:
    """Return them as bytes, in the order in which they were written."""
    rows = [
        {
            "record": _name(one.record),
            "id": one.id,
            "before": None if one.before is None else _plain(one.record, one.before),
            "after": _plain(one.record, _comparable(one)),
            **({"action": one.action} if one.action else {}),
            **({"deleted": True} if one.deleted else {}),
        }
        for one in inverses
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def decode(content: bytes) -> tuple[Inverse, ...]:
    """Return what `encode` wrote.

    Raises:
        LookupError: a later or earlier version of this program wrote it, for a record that is not
            known here.
    """
    known = {_name(cls): cls for cls in _subclasses(Record)}
    return tuple(
        Inverse(
            known[row["record"]],
            row["id"],
            row["before"],
            row["after"],
            row.get("action"),
            row.get("deleted", False),
        )
        for row in json.loads(content)
    )


async def take_back(
    records: Records,
    inverses: Sequence[Inverse],
    *,
    begin: Callable[[], Awaitable[object]],
    progress: Progress | None = None,
) -> tuple[Undone, ...]:
    """Undo what was written, the last first; nothing, if one of the records changed since.

    Args:
        records: of the person.
        inverses: what takes it back.
        begin: is awaited before the first change; uses up the handle.
        progress: hears of each change.

    Raises:
        Exception: what `begin` raises; nothing was taken back.
        ToolError: a record changed since, or is gone; nothing was taken back.
        ProductiveError: Productive refused it, or its answer was lost.
    """
    last = _last(inverses)
    present = await asyncio.gather(
        *(_unchanged(records, one, last[one.record.type, one.id]) for one in inverses)
    )
    made = {(one.record.type, one.id) for one in inverses if _creates(one)}
    await asyncio.gather(
        *(
            _nothing_hangs_on(records, record, made)
            for one, record in zip(inverses, present, strict=True)
            if _creates(one) and record is not None
        )
    )
    await begin()
    undone: list[Undone] = []
    for one, record in reversed(list(zip(inverses, present, strict=True))):
        if undone and progress is not None:
            done = len(undone)
            await progress(done, len(inverses), f"{done} of {len(inverses)} taken back.")
        undone.append(await _taken_back(records, one, record))
    return tuple(undone)


_ARCHIVED: Final = frozenset({"folders", "task_lists"})
"""What Productive does not delete: a new one is archived instead."""


def _named(record: Record) -> str:
    kind = type(record).type
    kind = _KINDS.get(kind, kind.replace("_", " "))
    return f"{kind} {reference_text(record)}"


_KINDS: Final = {
    "tasks": "task",
    "todos": "todo",
    "comments": "comment",
    "task_dependencies": "dependency",
    "task_lists": "task list",
    "folders": "folder",
    "time_entries": "time entry",
    "timesheets": "submitted day",
}


async def _taken_back(records: Records, one: Inverse, record: Record | None) -> Undone:
    if record is None:
        return Undone(_named(await _made_again(records, one)), deleted=False)
    action = one.action
    if _creates(one) and one.record.type in _ARCHIVED:
        action = "archive"
    if action is not None:
        await records.act(one.record, action, one.before or None, id=one.id)
    elif one.before is None:
        await records.delete(one.record, one.id)
        return Undone(_named(record), deleted=True)
    else:
        await records.update(one.record, one.id, one.before)
    return Undone(_named(record), deleted=False, archived=action == "archive")


def _creates(one: Inverse) -> bool:
    """Return whether the write created the record."""
    return one.before is None and one.action is None


def _last(inverses: Sequence[Inverse]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what each record must hold after the last of the writes to it."""
    held: dict[tuple[str, str], dict[str, Any]] = {}
    for one in inverses:
        held.setdefault((one.record.type, one.id), {}).update(one.after)
    return held


async def _made_again(records: Records, one: Inverse) -> Record:
    return await records.create(one.record, one.before or {})


async def _unchanged(records: Records, inverse: Inverse, after: Mapping[str, Any]) -> Record | None:
    """Return the record as it is now; None for one that was deleted."""
    if inverse.deleted:
        return None
    try:
        record = await records.get(inverse.record, inverse.id)
    except NotFound as error:
        raise _changed(f"{inverse.id} no longer exists") from error
    fields = {one.name: one for one in declared(inverse.record)}
    names = [name for name in after if name in fields]
    found = _plain(inverse.record, values_of(record, names))
    wrong = [
        fields[name].label or name
        for name in names
        if not same(fields[name].kind, after[name], found[name])
    ]
    if wrong:
        raise _changed(f"{reference_text(record)}: {', '.join(wrong)}")
    return record


async def _nothing_hangs_on(
    records: Records, record: Record, made: Container[tuple[str, str]]
) -> None:
    """Refuse to delete a record on which somebody else has put something since.

    Args:
        records: reads what hangs on it.
        record: what was created.
        made: type and id of all that was created with it.

    Raises:
        ToolError: something hangs on it.
    """
    for cls, filter_, what in _HANGING.get(type(record).type, ()):
        rows = (await records.page(cls, {filter_: record.id}, size=100)).rows
        since = [one for one in rows if (cls.type, one.id) not in made]
        if since:
            raise _changed(f"{reference_text(record)} has {len(since)} {what}")


_HANGING: Final[Mapping[str, Sequence[tuple[type[Record], str, str]]]] = {
    "tasks": (
        (Comment, "task_id", "comments"),
        (Todo, "task_id", "todos"),
        (TimeEntry, "task_id", "time entries"),
        (TaskRef, "parent_task_id", "subtasks"),
    ),
}
"""What would be deleted, or lose its task, with a record."""


def _comparable(one: Inverse) -> dict[str, Any]:
    """Return what the record must hold, as far as it has fields for it."""
    fields = {field.name for field in declared(one.record)}
    return {name: value for name, value in one.after.items() if name in fields}


def _changed(what: str) -> ToolError:
    return ToolError(
        Problem(
            "changed_since",
            f"Nothing was undone, because something was changed since: {what}.",
            "Look at the present state, and change back what the user wants with the other tools.",
        )
    )


def _plain(cls: type[Record], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON: days and times as texts, links by id."""
    kinds = {one.name: one.kind for one in declared(cls)}
    return {name: _as_json(kinds.get(name), value) for name, value in values.items()}


def _as_json(kind: Kind | None, value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if kind is Kind.NUMBER and value is not None:
        return str(value)
    return value.isoformat() if kind in _DATED and hasattr(value, "isoformat") else value


_DATED: Final = frozenset({Kind.DAY, Kind.MOMENT})


def _name(cls: type[Record]) -> str:
    return f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"


def _subclasses(cls: type[Record]) -> Iterator[type[Record]]:
    for one in cls.__subclasses__():
        yield one
        yield from _subclasses(one)
