"""Records: declared classes that Productive keeps; their queries, decoders and write bodies.

A record names its type and where its fields are. It is read with sparse fields and exactly the
includes that it needs (JSON:API 1.0 "Fetching Includes", "Sparse Fieldsets"), and written with its
links as relationships or, where Productive refuses those, as attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final, TypeVar

from productive_gateway.productive.records.declared import (
    Declared,
    Field,
    Kind,
    declared,
    ident,
)
from productive_gateway.productive.wire.jsonapi import Document, Resource

R = TypeVar("R", bound="Record")


class Record(Declared):
    """A record of Productive.

    Class arguments of a declaration:
        type: JSON:API type; a subclass without one has its parent's.
        path: of the collection; `/<type>` if it is not given.
        link: kind of its web links, for `tools.names.link`; None if it has none.
        links_as_attributes: links are written as `x_id` attributes.
        found_by: fields and the filters by which records with the same value are found; after a
            lost answer, those are compared with what was to be created.
        newest_first: the sort for that, where the filters leave a list that may be long.
    """

    type: ClassVar[str] = ""
    path: ClassVar[str] = ""
    link: ClassVar[str | None] = None
    links_as_attributes: ClassVar[bool] = False
    found_by: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()
    newest_first: ClassVar[str | None] = None

    id: str = ident(label="")

    def __init_subclass__(
        cls,
        *,
        type: str | None = None,  # noqa: A002  # JSON:API's own word
        path: str | None = None,
        link: str | None = None,
        links_as_attributes: bool | None = None,
        found_by: Mapping[str, str] | None = None,
        newest_first: str | None = None,
    ) -> None:
        if type is not None:
            cls.type, cls.path = type, path or f"/{type}"
        if link is not None:
            cls.link = link
        if links_as_attributes is not None:
            cls.links_as_attributes = links_as_attributes
        if found_by is not None:
            cls.found_by = tuple((name, tuple(at.split())) for name, at in found_by.items())
        if newest_first is not None:
            cls.newest_first = newest_first
        super().__init_subclass__()


@dataclass(slots=True)
class _Read:
    """What a query has to ask for."""

    includes: dict[str, None]
    members: dict[str, dict[str, None]]
    """Attributes and relationships by type."""


_QUERIES: Final[dict[type[Record], tuple[tuple[str, str], ...]]] = {}


def query_of(cls: type[Record]) -> tuple[tuple[str, str], ...]:
    """Return the parameters that read a record: its includes and sparse fields."""
    if cls not in _QUERIES:
        _QUERIES[cls] = _query_of(cls)
    return _QUERIES[cls]


def _query_of(cls: type[Record]) -> tuple[tuple[str, str], ...]:
    read = _Read({}, {})
    _collect(cls, "", read)
    query = [("include", ",".join(read.includes))] if read.includes else []
    query += [(f"fields[{kind}]", ",".join(names)) for kind, names in read.members.items()]
    return tuple(query)


def _collect(cls: type[Record], prefix: str, read: _Read) -> None:
    wanted = read.members.setdefault(cls.type, {})
    for one in declared(cls):
        if not one.at:
            continue
        if one.kind not in {Kind.ONE, Kind.MANY}:
            wanted.update(dict.fromkeys(one.at.split()))
            continue
        target = record_of(one)
        # Of the records on the way only the next link is needed.
        steps, kinds = one.at.split("."), _way(cls, one.at)
        for at, kind in zip(steps, (cls.type, *kinds), strict=True):
            read.members.setdefault(kind, {})[at] = None
        path = f"{prefix}{one.at}"
        read.includes[path] = None
        _collect(target, f"{path}.", read)


_KINDS: Final[Mapping[str, str]] = {"deal": "deals", "service": "services", "folder": "folders"}
"""Types of the relationships that paths lead through."""


def _way(cls: type[Record], at: str) -> list[str]:
    """Return the types of the records between a record and the end of a path."""
    try:
        return [_KINDS[step] for step in at.split(".")[:-1]]
    except KeyError as error:
        raise TypeError(f"{cls.__name__}: the type on the way {at} is not known") from error


def record_of(one: Field) -> type[Record]:
    """Return the record class that a link leads to."""
    target = one.target() if one.target else None
    if target is None or not issubclass(target, Record):
        raise TypeError(f"{one.name} does not lead to a record")
    return target


def decode(cls: type[R], document: Document, resource: Resource) -> R:
    """Return the record for one resource of an answer.

    It reads tolerantly: an attribute that is missing or of another form counts as having no value,
    because the API adds and changes fields weekly.
    """
    values: dict[str, Any] = {"id": resource.id}
    for one in declared(cls):
        if one.at:
            values[one.name] = _value(one, document, resource)
    return cls(**values)


def _value(one: Field, document: Document, resource: Resource) -> Any:
    if one.kind is Kind.ONE:
        found = document.related(resource, *one.at.split("."))
        return decode(record_of(one), document, found) if found else None
    if one.kind is Kind.MANY:
        return tuple(
            decode(record_of(one), document, found)
            for found in document.related_many(resource, one.at)
        )
    if one.kind is Kind.NAME:
        parts = [resource.text(at) for at in one.at.split()]
        joined = " ".join(part for part in parts if part)
        return joined or (None if one.optional else resource.id)
    return _DECODERS[one.kind](one, resource)


def _text(one: Field, resource: Resource) -> str | None:
    return resource.text(one.at)


def _ident(one: Field, resource: Resource) -> str | None:
    value = resource.attributes.get(one.at)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return resource.text(one.at)


def _word(one: Field, resource: Resource) -> str | None:
    if not one.codes:
        return resource.text(one.at)
    code = resource.whole(one.at)
    return one.codes.get(code) if code is not None else None


def _day(one: Field, resource: Resource) -> date | None:
    try:
        return date.fromisoformat((resource.text(one.at) or "")[:10])
    except ValueError:
        return None


def _moment(one: Field, resource: Resource) -> datetime | None:
    try:
        return datetime.fromisoformat(resource.text(one.at) or "")
    except ValueError:
        return None


def _whole(one: Field, resource: Resource) -> int | None:
    return resource.whole(one.at)


def _number(one: Field, resource: Resource) -> Decimal | None:
    value = resource.attributes.get(one.at)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _flag(one: Field, resource: Resource) -> bool:
    """Return whether it is true; a time at which something happened says that it is so."""
    return resource.flag(one.at) or resource.text(one.at) is not None


def _names(one: Field, resource: Resource) -> tuple[str, ...]:
    value = resource.attributes.get(one.at)
    listed = value if isinstance(value, list) else []
    return tuple(entry for entry in listed if isinstance(entry, str) and entry)


def _raw(one: Field, resource: Resource) -> Any:
    return resource.attributes.get(one.at)


_DECODERS: Final = {
    Kind.IDENT: _ident,
    Kind.LINE: _text,
    Kind.RICH: _text,
    Kind.WORD: _word,
    Kind.DAY: _day,
    Kind.MOMENT: _moment,
    Kind.MINUTES: _whole,
    Kind.COUNT: _whole,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.NAMES: _names,
    Kind.RAW: _raw,
}


@dataclass(frozen=True, slots=True)
class Linked:
    """The target of a link that no field of the record has, to be written as a relationship."""

    type: str
    id: str


def resource_of(
    cls: type[Record],
    values: Mapping[str, Any],
    *,
    id: str | None = None,  # noqa: A002
) -> dict[str, Any]:
    """Return the JSON:API resource object that writes fields of a record.

    Args:
        cls: the record.
        values: by field name, or by Productive's attribute name where no field has it. A link is
            written by the id of its target, or None for none; a date or time as such; a link that
            no field has as `Linked`.
        id: of the record to change; None for a new one.
    """
    known = {one.name: one for one in declared(cls)}
    attributes: dict[str, Any] = {}
    relationships: dict[str, Any] = {}
    for key, value in values.items():
        one = known.get(key)
        if isinstance(value, Linked):
            relationships[key] = {"data": {"type": value.type, "id": value.id}}
        elif one is None or one.kind not in {Kind.ONE, Kind.MANY}:
            attributes[one.at if one and one.at else key] = _encoded(one, value)
        elif cls.links_as_attributes:
            attributes[f"{one.at}_id"] = value
        else:
            relationships[one.at] = {"data": _linkage(record_of(one).type, value)}
    made: dict[str, Any] = {"type": cls.type}
    if id is not None:
        made["id"] = id
    if attributes or not relationships:
        made["attributes"] = attributes
    if relationships:
        made["relationships"] = relationships
    return made


def values_of(record: Record, names: Iterable[str]) -> dict[str, Any]:
    """Return what a record holds in some of its fields, in the form that `resource_of` takes."""
    kinds = {one.name: one.kind for one in declared(type(record))}
    found: dict[str, Any] = {}
    for name in names:
        value = getattr(record, name)
        if kinds[name] is Kind.ONE:
            value = value.id if value is not None else None
        elif kinds[name] is Kind.MANY:
            value = tuple(entry.id for entry in value)
        found[name] = value
    return found


def _encoded(one: Field | None, value: Any) -> Any:
    if one is not None and one.codes and value is not None:
        return next(code for code, named in one.codes.items() if named == value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    return value


def _linkage(kind: str, value: str | Iterable[str] | None) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return {"type": kind, "id": value}
    return [{"type": kind, "id": one} for one in value]
