"""Attributes and relations of a resource, each declared in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.filters import Filter, Read, attribute, related, texts_of
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.marks import Written, read_marks
from productive_dev.simulator.declare.sorts import SortKey, by, key_of
from productive_dev.simulator.records import Record, Ref

Compute = Callable[[Context, Record], Any]
Find = Callable[[Context, Record], Sequence[Ref]]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its kind, its value in a new record, who may see it."""

    name: str
    kind: Kind
    written: Written
    required: bool
    filter: str | None
    sort: str | None
    default: Any = None
    compute: Compute | None = None
    """Gives the value at each reading, where it follows from other records."""
    financial: bool = False
    """Hidden from members."""

    def value(self, context: Context, record: Record) -> Any:
        """Return the value that an answer shows."""
        if self.compute is not None:
            return self.compute(context, record)
        return record.attributes.get(self.name)

    def read(self, context: Context, record: Record) -> Sequence[str]:
        """Return the value as filters compare it."""
        return texts_of(self.value(context, record))

    def key(self, context: Context, record: Record) -> tuple[bool, float, str]:
        """Return the value as sorts compare it."""
        return key_of(self.value(context, record))


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation: where it leads, and whether a write may set it."""

    name: str
    target: str | None
    """Type of what it points at; None exists in the original and is always empty here."""
    many: bool
    written: Written
    required: bool
    includable: bool
    filter: str | None
    sort: str | None
    sorted_by: SortKey | None = None
    find: Find | None = None
    """Finds the records at each reading, where they point back at this one."""
    alias: str | None = None
    """A second name by which writes set it, such as `board` for `folder`."""
    shown: bool = False
    """Has data even where it was not asked for."""
    answered: bool = True
    """Whether answers have it at all."""


def _field(kind: Kind, name: str, marks: str, default: Any, compute: Compute | None) -> Attribute:
    read = read_marks(name, marks)
    return Attribute(
        name,
        kind,
        Written.NEVER if compute is not None else read.written,
        read.required,
        read.filter,
        read.sort,
        default,
        compute,
    )


def text(name: str, marks: str = "", default: Any = None) -> Attribute:
    """Declare a short text."""
    return _field(Kind.TEXT, name, marks, default, None)


def html(name: str, marks: str = "") -> Attribute:
    """Declare rich text."""
    return _field(Kind.HTML, name, marks, None, None)


def number(
    name: str, marks: str = "", default: Any = None, *, compute: Compute | None = None
) -> Attribute:
    """Declare a number."""
    return _field(Kind.NUMBER, name, marks, default, compute)


def minutes(
    name: str, marks: str = "", default: Any = None, *, compute: Compute | None = None
) -> Attribute:
    """Declare a duration in whole minutes."""
    return _field(Kind.MINUTES, name, marks, default, compute)


def flag(name: str, marks: str = "", default: Any = False) -> Attribute:
    """Declare true or false."""
    return _field(Kind.FLAG, name, marks, default, None)


def day(name: str, marks: str = "") -> Attribute:
    """Declare a date."""
    return _field(Kind.DAY, name, marks, None, None)


def moment(name: str, marks: str = "-") -> Attribute:
    """Declare an instant."""
    return _field(Kind.MOMENT, name, marks, None, None)


def choice(name: str, marks: str = "", default: Any = None) -> Attribute:
    """Declare a number that stands for a state."""
    return _field(Kind.CHOICE, name, marks, default, None)


def texts(name: str, marks: str = "") -> Attribute:
    """Declare a list of texts."""
    return _field(Kind.LIST, name, marks, (), None)


def mapping(name: str, marks: str = "", default: Any = None) -> Attribute:
    """Declare an object."""
    return _field(Kind.HASH, name, marks, default, None)


def anything(name: str, default: Any) -> Attribute:
    """Declare a value that a write may give in any form."""
    return _field(Kind.ANY, name, "", default, None)


def computed(name: str, compute: Compute, kind: Kind = Kind.NUMBER, marks: str = "-") -> Attribute:
    """Declare a value that follows from other records."""
    return _field(kind, name, marks, None, compute)


def constant(name: str, default: Any, kind: Kind = Kind.TEXT) -> Attribute:
    """Declare an attribute that was recorded and that nothing here changes."""
    return _field(kind, name, "-", default, None)


def money(
    name: str, marks: str = "-", default: Any = 0, *, compute: Compute | None = None
) -> tuple[Attribute, ...]:
    """Declare an amount in its three recorded forms; members do not see it."""
    first = replace(_field(Kind.MONEY, name, marks, default, compute), financial=True)
    others = (
        replace(
            first,
            name=f"{name}_{form}",
            filter=None,
            sort=None,
            written=Written.NEVER,
            required=False,
        )
        for form in ("default", "normalized")
    )
    return (first, *others)


def currencies() -> tuple[Attribute, ...]:
    """Declare the three recorded currencies of amounts."""
    return tuple(
        text(name, "-", "EUR") for name in ("currency", "currency_default", "currency_normalized")
    )


def hidden(declared: Attribute) -> Attribute:
    """Declare that members do not see an attribute."""
    return replace(declared, financial=True)


def relation(
    name: str,
    target: str | None,
    marks: str = "",
    *,
    sorted_by: SortKey | None = None,
    alias: str | None = None,
    shown: bool = False,
) -> Relation:
    """Declare a relation to at most one record."""
    read = read_marks(name, marks, filter_name=f"{name}_id")
    return Relation(
        name,
        target,
        False,
        read.written,
        read.required,
        read.includable,
        read.filter,
        read.sort,
        sorted_by or by("name", name),
        None,
        alias,
        shown,
        read.answered,
    )


def relations(name: str, target: str, marks: str = "-", *, find: Find | None = None) -> Relation:
    """Declare a relation to any number of records."""
    read = read_marks(name, marks, filter_name=f"{name.removesuffix('s')}_id")
    return Relation(
        name,
        target,
        True,
        read.written,
        read.required,
        read.includable,
        read.filter,
        read.sort,
        find=find,
        answered=read.answered,
    )


def absent(*names: str) -> tuple[Relation, ...]:
    """Declare relations that the original has and that are always empty here."""
    return tuple(relation(name, None, "-") for name in names)


def filter_of(declared: Attribute | Relation) -> Filter:
    """Return the filter that an attribute or relation stands for."""
    if isinstance(declared, Attribute):
        stored: Read = declared.read if declared.compute else attribute(declared.name)
        return Filter(stored, declared.kind)
    if declared.find is not None:
        find = declared.find
        return Filter(lambda c, r: tuple(ref.id for ref in find(c, r)), Kind.RELATION)
    return Filter(related(declared.name), Kind.RELATION)
