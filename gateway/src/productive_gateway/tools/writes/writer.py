"""Writes records for one call: each write is compared with its result, and its inverse is kept.

Productive ignores attributes that it does not know and answers 200, so only the record of the
answer says what was really written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from productive_gateway.productive.records.declared import (
    Declared,
    Field,
    Kind,
    declared,
    line,
    word,
)
from productive_gateway.productive.records.record import Record, values_of
from productive_gateway.productive.records.store import Records, Values
from productive_gateway.tools.kit.answers import inline_text
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.words import richtext

R = TypeVar("R", bound=Record)


class Change(Declared):
    """What was changed in one field."""

    field: str = word(label="")
    before: str | None = line(label="from")
    after: str | None = line(label="to")


@dataclass(frozen=True, slots=True)
class Inverse:
    """How one write is undone."""

    record: type[Record]
    id: str
    before: Mapping[str, Any] | None
    """Values to write back; None if the record is to be deleted."""
    after: Mapping[str, Any]
    """What the record must still hold, so that nobody else's change is undone."""


class Writer:
    """The writes of one call."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.inverses: list[Inverse] = []

    async def create(self, cls: type[R], values: Values) -> R:
        """Create a record.

        Raises:
            ToolError: Productive wrote something else than was asked for.
            StateUnknown: it may or may not have been created.
            ProductiveError: it was not created.
        """
        made = await self._records.create(cls, values)
        self._keep(made, None, values)
        check(made, values)
        return made

    async def create_many(self, cls: type[R], several: Sequence[Values]) -> tuple[R, ...]:
        """Create records by one request; what they refer to is not in the answer.

        Raises:
            StateUnknown: they may or may not have been created.
            ProductiveError: none was created.
        """
        made = await self._records.create_many(cls, several)
        for record, values in zip(made, several, strict=True):
            self._keep(record, None, values)
        return made

    async def update(self, before: R, values: Values) -> R:
        """Change fields of a record that was just read.

        Raises:
            ToolError: Productive wrote something else than was asked for.
            StateUnknown: it may or may not have been changed.
            ProductiveError: it was not changed.
        """
        after = await self._records.update(type(before), before.id, values)
        self._keep(after, values_of(before, values), values)
        check(after, values)
        return after

    async def delete(self, record: Record) -> None:
        """Delete a record; there is no way back.

        Raises:
            StateUnknown: it may or may not have been deleted.
            ProductiveError: it was not deleted.
        """
        await self._records.delete(type(record), record.id)

    def _keep(self, record: Record, before: Values | None, written: Values) -> None:
        self.inverses.append(Inverse(type(record), record.id, before, dict(written)))


def check(record: Record, values: Values) -> None:
    """Compare a record with what was to be written.

    Raises:
        ToolError: they differ; the message names the fields.
    """
    wrong = differences(record, values)
    if wrong:
        raise ToolError(
            Problem(
                "write_not_effective",
                f"{record.id} was written, but Productive did not apply: {', '.join(wrong)}.",
                "Do not repeat it; tell the user to correct this in Productive.",
            )
        )


def differences(record: Record, values: Values) -> list[str]:
    """Return the names of the fields in which a record differs from what was to be written."""
    kinds = {one.name: one.kind for one in declared(type(record))}
    known = [name for name in values if name in kinds]
    found = values_of(record, known)
    return [name for name in known if not _same(kinds[name], values[name], found[name])]


def changes(before: Record, after: Record, names: Sequence[str]) -> tuple[Change, ...]:
    """Return which of some fields changed, as people read them."""
    fields = {one.name: one for one in declared(type(before))}
    return tuple(
        Change(
            field=fields[name].label or name,
            before=_shown(fields[name], getattr(before, name)),
            after=_shown(fields[name], getattr(after, name)),
        )
        for name in names
        if not _same(fields[name].kind, getattr(before, name), getattr(after, name))
    )


def _same(kind: Kind, wanted: Any, found: Any) -> bool:
    if kind in {Kind.RICH, Kind.LINE}:
        # Productive may wrap a text in tags; only the words are compared.
        return _words(wanted) == _words(found)
    if kind in {Kind.MANY, Kind.NAMES}:
        return frozenset(wanted or ()) == frozenset(found or ())
    return bool(wanted == found or (not wanted and not found))


def _words(html: str | None) -> list[str]:
    return richtext.plain(html or "").split()


_CUT: Final = 200


def _shown(one: Field, value: Any) -> str | None:
    if value is None or value in ("", (), False):
        return None
    return inline_text(one, value)[:_CUT]
