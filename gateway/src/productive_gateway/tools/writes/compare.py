"""Compares what was to be written with what a record holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from productive_gateway.productive.records.declared import (
    Declared,
    Field,
    Kind,
    declared,
    line,
    word,
)
from productive_gateway.productive.records.record import Record, values_of
from productive_gateway.productive.records.store import Values
from productive_gateway.tools.kit.answers import inline_text
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.words import richtext


class Change(Declared):
    """What was changed in one field."""

    field: str = word(default="", label="")
    before: str | None = line(label="from", default=None)
    after: str | None = line(label="to", default=None)


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
    return [name for name in known if not same(kinds[name], values[name], found[name])]


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
        if not same(fields[name].kind, getattr(before, name), getattr(after, name))
    )


def same(kind: Kind, wanted: Any, found: Any) -> bool:
    """Return whether two values of a field are the same to the person who wrote one of them."""
    if kind in {Kind.RICH, Kind.LINE}:
        # Productive may wrap a text in tags; only the words are compared.
        return _words(wanted) == _words(found)
    if kind in {Kind.MANY, Kind.NAMES}:
        return frozenset(wanted or ()) == frozenset(found or ())
    return bool(wanted == found or (not wanted and not found))


def _words(html: str | None) -> list[str]:
    return richtext.plain(html, _COMPARED).split()


_COMPARED: Final = 50_000
"""Characters; no tool writes more."""
_CUT: Final = 200


def _shown(one: Field, value: Any) -> str | None:
    if value is None or value in ("", (), False):
        return None
    return inline_text(one, value)[:_CUT]
