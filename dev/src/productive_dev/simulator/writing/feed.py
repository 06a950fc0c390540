"""The activity feed: what was created, changed and removed, by whom.

The vendor's schema names the attributes; the form of a changeset is the reference's, and was not
recorded. Which changes of the original make no activity is not known.
"""

from __future__ import annotations

from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.resource import Lineage, Resource, new_record
from productive_dev.simulator.records import Record, Ref

_CLASSES: Final = {
    "companies": "Company",
    "deals": "Deal",
    "folders": "Folder",
    "pages": "Page",
    "people": "Person",
    "projects": "Project",
    "services": "Service",
    "task_lists": "TaskList",
    "tasks": "Task",
    "bookings": "Booking",
    "time_entries": "TimeEntry",
}
_UNREMARKABLE: Final = frozenset(
    {"updated_at", "last_activity_at", "created_at", "updater", "last_actor", "placement"}
)


def note_activity(
    context: Context, declared: Resource, before: Record | None, after: Record | None
) -> None:
    """Put what happened to a record into the feed, if its resource has one."""
    lineage = declared.lineage
    record = after or before
    if lineage is None or record is None or record.attributes.get("draft") is True:
        return
    changes = _changes(before, after)
    if before is not None and after is not None and not changes:
        return
    context.state.put(activity(context, record, lineage, _event(before, after), changes))


def activity(
    context: Context, record: Record, lineage: Lineage, event: str, changes: list[dict[str, Any]]
) -> Record:
    """Return an entry of the feed."""
    feed = context.resources["activities"]
    entry = new_record(feed, context.state.next_id("activities"), record.organization)
    parent = context.state.at(record.to_one(lineage.parent)) if lineage.parent else None
    root = context.follow(record, *lineage.root) if lineage.root else record
    comment = record.ref if record.type == "comments" else None
    return entry.with_attributes(
        event=event,
        changeset=changes,
        created_at=context.stamp,
        item_id=int(record.id),
        item_type=lineage.type,
        item_name=lineage.name(record),
        **_described("parent", parent or root),
        **_described("root", root),
    ).with_relations(creator=context.caller.person.ref, comment=comment)


def _described(role: str, record: Record | None) -> dict[str, Any]:
    if record is None:
        return {}
    name = record.attributes.get("name", record.attributes.get("title"))
    kind = _CLASSES.get(record.type, record.type)
    return {f"{role}_id": int(record.id), f"{role}_type": kind, f"{role}_name": name}


def _event(before: Record | None, after: Record | None) -> str:
    if before is None:
        return "create"
    return "update" if after is not None else "delete"


def _changes(before: Record | None, after: Record | None) -> list[dict[str, Any]]:
    if before is None or after is None:
        return []
    changes = [
        {name: [{"value": before.attributes.get(name)}, {"value": value}]}
        for name, value in after.attributes.items()
        if name not in _UNREMARKABLE and before.attributes.get(name) != value
    ]
    for name, target in after.relations.items():
        if name not in _UNREMARKABLE and before.relations.get(name) != target:
            old, new = _ids(before.relations.get(name)), _ids(target)
            changes.append({f"{name}_id": [{"value": old}, {"value": new}]})
    return changes


def _ids(target: Ref | tuple[Ref, ...] | None) -> Any:
    if isinstance(target, tuple):
        return [ref.id for ref in target]
    return target.id if target else None
