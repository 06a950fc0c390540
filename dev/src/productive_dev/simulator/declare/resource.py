"""A resource: the declaration that the engine serves a collection from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import Attribute, Relation, filter_of, relation
from productive_dev.simulator.declare.filters import Filter
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.sorts import SortKey, by_id
from productive_dev.simulator.errors import Fault
from productive_dev.simulator.records import Record, Ref

Sees = Callable[[Context, Record], bool]
Check = Callable[[Context, Record | None, Record], Iterable[Fault]]
"""Judges a record before it is stored: the old one, or None at a creation, and the new one."""
Settle = Callable[[Context, Record | None, Record], Record]
"""Fills in what follows from the other values."""
Done = Callable[[Context, Record | None, Record | None], None]
"""Changes other records after a record was stored or, with None as the new one, removed."""
Action = Callable[[Context, Record, Mapping[str, Any]], Record | None]
"""Carries out `/collection/id/action`; None is an answer without a document."""
CollectionAction = Callable[[Context, Mapping[str, Any]], Record | None]

LIST: Final = "list"
GET: Final = "get"
CREATE: Final = "create"
UPDATE: Final = "update"
DELETE: Final = "delete"
READS: Final = frozenset({LIST, GET})
WRITES: Final = frozenset({CREATE, UPDATE, DELETE})
EVERYTHING: Final = READS | WRITES


def everybody(_: Context, __: Record) -> bool:
    """Let everybody in the organization see a record, or change it."""
    return True


def managers(context: Context, _: Record) -> bool:
    """Let managers and administrators."""
    return context.caller.manages


def administrators(context: Context, _: Record) -> bool:
    """Let administrators."""
    return context.caller.administers


@dataclass(frozen=True, slots=True)
class Lineage:
    """How a resource appears in the activity feed."""

    type: str
    """The item's type there, such as Task."""
    name: Callable[[Record], str]
    parent: str | None = None
    """Relation to what the item hangs on."""
    root: tuple[str, ...] = ()
    """Path to the project, budget or company whose feed shows it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What a collection supports."""

    name: str
    attributes: Mapping[str, Attribute]
    relations: Mapping[str, Relation]
    filters: Mapping[str, Filter]
    sorts: Mapping[str, SortKey]
    defaults: Mapping[str, Any]
    """Values of a new record, without those that are computed."""
    mutable: tuple[str, ...]
    """Attributes whose default is a list or an object, which each record has its own of."""
    empty: Mapping[str, Any]
    """Relations of a new record."""
    default_sort: tuple[str, ...] = ("id",)
    """Attributes, "id" or names of sorts, each with a minus where it falls."""
    methods: frozenset[str] = READS
    lacks: frozenset[str] = frozenset()
    """Methods that the original does not have either: 404 instead of 501."""
    bulk: frozenset[str] = frozenset()
    requires: tuple[str, ...] = ()
    """What a creation must give, in the order in which errors name it."""
    sees: Sees = everybody
    writes: Sees = everybody
    """Whether the caller may store or remove such a record."""
    check: Check | None = None
    settle: Settle | None = None
    refuse_delete: Callable[[Context, Record], None] | None = None
    done: Done | None = None
    lenient: frozenset[str] = frozenset()
    """Relations whose wrong ids `check` answers for; elsewhere they are 403 (vendor's code)."""
    relationships_refused: bool = False
    """Bookings take ids as attributes only (measured)."""
    actions: Mapping[str, Action] = field(default_factory=dict)
    puts: frozenset[str] = frozenset()
    """Actions that answer to PUT as well as to PATCH."""
    collection_actions: Mapping[tuple[str, str], CollectionAction] = field(default_factory=dict)
    """By method and name."""
    bulk_actions: frozenset[str] = frozenset()
    """Actions that PATCH on the collection's path carries out for many records."""
    lineage: Lineage | None = None
    listed: Callable[[Context], Iterable[Record]] | None = None
    """Finds the records of a list where it is not everything that the caller sees."""
    fields_on_single: bool = True
    """Whether `fields` is honoured on one record: not for time entries and pages (measured)."""
    headerless: bool = False
    """Whether it answers without, and for any, organization header (measured)."""


def resource(
    name: str,
    attributes: Iterable[Attribute | tuple[Attribute, ...]],
    relations: Iterable[Relation | tuple[Relation, ...]] = (),
    *,
    filters: Mapping[str, Filter] | None = None,
    sorts: Mapping[str, SortKey] | None = None,
    organization_shown: bool = True,
    **rest: Any,
) -> Resource:
    """Put a declaration together; `rest` are the further fields of a `Resource`."""
    fields = {part.name: part for part in _flat(attributes)}
    links = {part.name: part for part in _flat(relations)}
    if name != "organizations":
        organization = relation("organization", "organizations", "-", shown=organization_shown)
        links = {"organization": organization, **links}
    declared: tuple[Attribute | Relation, ...] = (*fields.values(), *links.values())
    keys = {part.filter: filter_of(part) for part in declared if part.filter}
    orders: dict[str, SortKey] = {part.sort: part.key for part in fields.values() if part.sort} | {
        part.sort: part.sorted_by for part in links.values() if part.sort and part.sorted_by
    }
    required = tuple(part.name for part in declared if part.required)
    stored = [part for part in fields.values() if part.compute is None]
    defaults = {
        part.name: list(part.default) if isinstance(part.default, tuple) else part.default
        for part in stored
    }
    return Resource(
        name,
        fields,
        links,
        {"id": Filter(_own_id, Kind.KEY)} | keys | dict(filters or {}),
        orders | dict(sorts or {}),
        defaults,
        tuple(name for name, value in defaults.items() if isinstance(value, list | dict)),
        _empty(links),
        **{"requires": required, **rest},
    )


def every_sort(declared: Resource) -> Mapping[str, SortKey]:
    """Return what the default order may use: attributes that no request may name as well."""
    stored = {part.name: part.key for part in declared.attributes.values()}
    return {"id": by_id, **stored, **declared.sorts}


def new_record(declared: Resource, number: str, organization: str) -> Record:
    """Return a record with default values and no relations."""
    attributes = dict(declared.defaults)
    for name in declared.mutable:
        attributes[name] = attributes[name].copy()
    return Record(declared.name, number, organization, attributes, dict(declared.empty))


def target_of(context: Context, record: Record, declared: Relation) -> Ref | tuple[Ref, ...] | None:
    """Return what a relation of a record leads to, as the caller may know it."""
    if declared.name == "organization":
        return Ref("organizations", record.organization)
    if declared.find is not None:
        return tuple(declared.find(context, record))
    return record.relations.get(declared.name)


def _empty(links: Mapping[str, Relation]) -> Mapping[str, Any]:
    return {
        part.name: () if part.many else None
        for part in links.values()
        if part.name != "organization" and part.find is None and part.target is not None
    }


def _flat(parts: Iterable[Any]) -> Iterable[Any]:
    for part in parts:
        if isinstance(part, tuple):
            yield from part
        else:
            yield part


def _own_id(_: Context, record: Record) -> tuple[str, ...]:
    return (record.id,)
