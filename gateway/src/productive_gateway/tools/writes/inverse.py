"""How what a call wrote is taken back: as values, as bytes for the ledger, and carried out.

Nothing is taken back that somebody changed since: each record is read again just before, and must
still hold what the call wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from productive_gateway.productive.records.declared import Kind, declared
from productive_gateway.productive.records.record import Record, values_of
from productive_gateway.productive.records.store import Records
from productive_gateway.productive.wire.errors import NotFound
from productive_gateway.tools.kit.answers import reference_text
from productive_gateway.tools.kit.errors import Problem, ToolError
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


@dataclass(frozen=True, slots=True)
class Undone:
    """One write that was taken back."""

    what: str
    """The record, as answers show it."""
    deleted: bool


def encode(inverses: Sequence[Inverse]) -> bytes:
    """Return them as bytes, in the order in which they were written."""
    rows = [
        {
            "record": _name(one.record),
            "id": one.id,
            "before": None if one.before is None else _plain(one.record, one.before),
            "after": _plain(one.record, one.after),
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
        Inverse(known[row["record"]], row["id"], row["before"], row["after"])
        for row in json.loads(content)
    )


async def take_back(records: Records, inverses: Sequence[Inverse]) -> tuple[Undone, ...]:
    """Undo what was written, the last first; nothing, if one of the records changed since.

    Raises:
        ToolError: a record changed since, or is gone; nothing was taken back.
        ProductiveError: Productive refused it, or its answer was lost.
    """
    present = [await _unchanged(records, one) for one in inverses]
    undone = []
    for one, record in reversed(list(zip(inverses, present, strict=True))):
        if one.before is None:
            await records.delete(one.record, one.id)
        else:
            await records.update(one.record, one.id, one.before)
        undone.append(Undone(reference_text(record), deleted=one.before is None))
    return tuple(undone)


async def _unchanged(records: Records, inverse: Inverse) -> Record:
    try:
        record = await records.get(inverse.record, inverse.id)
    except NotFound as error:
        raise _changed(f"{inverse.id} no longer exists") from error
    fields = {one.name: one for one in declared(inverse.record)}
    names = [name for name in inverse.after if name in fields]
    found = _plain(inverse.record, values_of(record, names))
    wrong = [
        fields[name].label or name
        for name in names
        if not same(fields[name].kind, inverse.after[name], found[name])
    ]
    if wrong:
        raise _changed(f"{reference_text(record)}: {', '.join(wrong)}")
    return record


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
