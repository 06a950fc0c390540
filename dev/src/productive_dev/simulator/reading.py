"""Ways to read a record for filters and sorts: an attribute, a related id, a fact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from productive_dev.simulator.filters import Filter, Kind, Read, SortKey
from productive_dev.simulator.records import Record, Ref, State


def attribute(name: str) -> Read:
    """Read an attribute; lists give several values."""
    return lambda _, record: _texts(record.attributes.get(name))


def related(path: str) -> Read:
    """Read the id at the end of a dotted path of relations."""
    *way, last = path.split(".")

    def read(state: State, record: Record) -> Sequence[str]:
        holder = state.follow(record, *way)
        target = holder.relations.get(last) if holder else None
        if isinstance(target, Ref):
            return (target.id,)
        return tuple(ref.id for ref in target or ())

    return read


def record_id(_: State, record: Record) -> Sequence[str]:
    """Read the record's own id."""
    return (record.id,)


def set_or_not(name: str) -> Read:
    """Read "1" while an attribute is null and "2" once it is set: active and archived."""
    return lambda _, record: ("1" if record.attributes.get(name) is None else "2",)


def ids() -> Filter:
    """Return the filter every resource has."""
    return Filter(record_id, Kind.ID)


def to(path: str) -> Filter:
    """Return a filter by a related record."""
    return Filter(related(path), Kind.ID)


def text(*names: str) -> Filter:
    """Return a filter by texts, equal unless an operator says otherwise."""
    return Filter(_any(names), Kind.TEXT)


def search(*names: str) -> Filter:
    """Return a free-text filter; which attributes the original searches is inferred."""
    return Filter(_any(names), Kind.TEXT, default="contains")


def choice(read: Read) -> Filter:
    """Return a filter by one of the numbers that stand for states."""
    return Filter(read, Kind.CHOICE)


def flag(read: Read) -> Filter:
    """Return a filter by true or false."""
    return Filter(read, Kind.FLAG)


def day(name: str, default: str = "eq") -> Filter:
    """Return a filter by a date."""
    return Filter(lambda _, record: _days(record.attributes.get(name)), Kind.DAY, default)


def inert(kind: Kind = Kind.ID) -> Filter:
    """Return a filter that is accepted and does nothing."""
    return Filter(lambda _, __: (), kind, inert=True)


def by(name: str, *path: str) -> SortKey:
    """Sort by an attribute, or by one of a related record; null comes last."""

    def key(state: State, record: Record) -> tuple[bool, float, str]:
        holder = state.follow(record, *path)
        value = holder.attributes.get(name) if holder else None
        if isinstance(value, int | float):
            return (False, value, "")
        return (value is None, 0, str(value or "").casefold())

    return key


def _any(names: tuple[str, ...]) -> Read:
    return lambda _, record: tuple(
        value for name in names for value in _texts(record.attributes.get(name))
    )


def _texts(value: Any) -> Sequence[str]:
    if value is None:
        return ()
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, list | tuple):
        return tuple(str(item) for item in value)
    return (str(value),)


def _days(value: Any) -> Sequence[str]:
    # Filters on instants compare the date only, unless a feature flag asks otherwise (guide).
    return () if value is None else (str(value)[:10],)
