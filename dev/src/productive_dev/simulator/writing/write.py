"""Creating, updating and removing records, for every resource alike.

Recorded: a refused creation names every fault, in the order of validation, and required values
that are missing "can't be blank". The rest of a resource's rules is in its declaration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.kinds import Kind, Refused, taken
from productive_dev.simulator.declare.resource import Resource, new_record
from productive_dev.simulator.errors import Fault, access_denied, invalid
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.writing.body import Changes, changes_in
from productive_dev.simulator.writing.feed import note_activity

_CREATION_STAMPS = ("created_at", "updated_at", "last_activity_at")
_UPDATE_STAMPS = ("updated_at", "last_activity_at")


def create(context: Context, declared: Resource, data: Mapping[str, Any]) -> Record:
    """Make a record of what a body asks for.

    Raises:
        Problem: 403 without the right or for a relation to nothing, 422 for refused values.
    """
    blank = new_record(declared, context.state.next_id(declared.name), context.organization)
    blank = _stamped(context, declared, blank, _CREATION_STAMPS)
    me = context.caller.person.ref
    signed = {name: me for name in ("creator", "last_actor") if name in declared.relations}
    record = blank.with_relations(**signed)
    return store(context, declared, None, record, changes_in(declared, data, creating=True))


def update(context: Context, declared: Resource, record: Record, data: Mapping[str, Any]) -> Record:
    """Change a record; what the body does not name stays.

    Raises:
        Problem: as for `create`.
    """
    changed = _stamped(context, declared, record, _UPDATE_STAMPS)
    me = context.caller.person.ref
    signed = {name: me for name in ("updater", "last_actor") if name in declared.relations}
    changes = changes_in(declared, data, creating=False)
    return store(context, declared, record, changed.with_relations(**signed), changes)


def remove(context: Context, declared: Resource, record: Record) -> None:
    """Remove a record.

    Raises:
        Problem: 403 without the right, and what the resource refuses.
    """
    if not declared.writes(context, record):
        raise access_denied()
    if declared.refuse_delete is not None:
        declared.refuse_delete(context, record)
    context.state.remove(record)
    note_activity(context, declared, record, None)
    if declared.done is not None:
        declared.done(context, record, None)


def store(
    context: Context, declared: Resource, before: Record | None, record: Record, changes: Changes
) -> Record:
    """Apply changes to a record, judge the outcome, and keep it.

    Raises:
        Problem: 403 without the right or for a relation to nothing, 422 for refused values.
    """
    _check_targets(context, declared, changes)
    faults = list(_misfits(declared, changes))
    record = replace(
        record,
        attributes={**record.attributes, **_values(declared, changes)},
        relations={**record.relations, **changes.relations},
    )
    if not (declared.writes(context, record) and (not before or declared.writes(context, before))):
        raise access_denied()
    if declared.settle is not None:
        record = declared.settle(context, before, record)
    misfits = {fault.attribute for fault in faults}
    blank = [
        Fault(name, "can't be blank")
        for name in declared.requires
        if name not in misfits and _is_blank(record, name)
    ]
    faults = [*blank, *faults]
    if declared.check is not None:
        known = {fault.attribute for fault in faults}
        judged = declared.check(context, before, record)
        faults.extend(fault for fault in judged if fault.attribute not in known)
    if faults:
        raise invalid(faults)
    context.state.put(record)
    note_activity(context, declared, before, record)
    if declared.done is not None:
        declared.done(context, before, record)
    return context.state.get(record.type, record.id) or record


def _stamped(
    context: Context, declared: Resource, record: Record, names: tuple[str, ...]
) -> Record:
    # Recorded: these stamps carry milliseconds, except `last_activity_at` of some resources.
    whole = declared.name in ("tasks", "projects", "deals")
    return record.with_attributes(
        **{
            name: context.whole_stamp if whole and name == "last_activity_at" else context.stamp
            for name in names
            if name in declared.attributes and declared.attributes[name].compute is None
        }
    )


def _check_targets(context: Context, declared: Resource, changes: Changes) -> None:
    for name, target in changes.relations.items():
        if name in declared.lenient:
            continue
        for ref in (target,) if isinstance(target, Ref) else target or ():
            if context.visible(ref) is None:
                raise access_denied()


def _misfits(declared: Resource, changes: Changes) -> Iterator[Fault]:
    for name, value in changes.attributes.items():
        try:
            taken(declared.attributes[name].kind, value)
        except Refused as refused:
            yield Fault(name, str(refused))


def _values(declared: Resource, changes: Changes) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in changes.attributes.items():
        kind = declared.attributes[name].kind
        try:
            values[name] = taken(kind, value)
        except Refused:
            continue
        if value is None and kind is Kind.LIST:
            values[name] = []
    return values


def _is_blank(record: Record, name: str) -> bool:
    if name in record.relations:
        return not record.relations[name]
    value = record.attributes.get(name)
    return value is None or (isinstance(value, str) and not value.strip())
