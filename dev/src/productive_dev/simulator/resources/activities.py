"""The activity feed, newest first (the vendor's schema)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    flag,
    moment,
    number,
    relation,
    text,
    texts,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    by_choice,
    since,
    to,
    until,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import WRITES, resource
from productive_dev.simulator.records import Record

_KINDS: Final = {
    "Booking": "bookings",
    "Comment": "comments",
    "Company": "companies",
    "Deal": "deals",
    "Folder": "folders",
    "Page": "pages",
    "Person": "people",
    "Project": "projects",
    "Service": "services",
    "Task": "tasks",
    "TaskList": "task_lists",
    "TimeEntry": "time_entries",
}


def _sees(context: Context, entry: Record) -> bool:
    values = entry.attributes
    for role in ("item", "root"):
        kind = _KINDS.get(str(values[f"{role}_type"]))
        record = context.state.get(kind, str(values[f"{role}_id"])) if kind else None
        if record is not None and not context.sees(record):
            return False
    return True


def _concerns(kind: str) -> Filter:
    def read(_: Context, entry: Record) -> Sequence[str]:
        values = entry.attributes
        return tuple(
            str(values[f"{role}_id"])
            for role in ("item", "parent", "root")
            if values[f"{role}_type"] == kind
        )

    return Filter(read, Kind.RELATION)


def _type(_: Context, entry: Record) -> Sequence[str]:
    # 1 comment, 2 changeset, 3 e-mail (guide)
    return ("1" if entry.to_one("comment") is not None else "2",)


ACTIVITIES = resource(
    "activities",
    (
        text("event", "- f"),
        texts("changeset", "-"),
        moment("created_at", "- f"),
        number("item_id", "-"),
        text("item_type", "- f"),
        text("item_name", "-"),
        moment("item_deleted_at"),
        number("parent_id", "-"),
        text("parent_type", "- f"),
        text("parent_name", "-"),
        moment("parent_deleted_at"),
        number("root_id", "-"),
        text("root_type", "- f"),
        text("root_name", "-"),
        moment("root_deleted_at"),
        flag("deal_is_budget", "-", default=None),
        flag("made_by_automation", "-"),
    ),
    (
        relation("creator", "people", "- f"),
        relation("comment", "comments", "-"),
        relation("email", None, "-"),
        relation("attachment", "attachments", "-"),
    ),
    filters={
        # The guide: a date and time by which one pages; both ends belong to the range (inferred).
        "after": since("created_at"),
        "before": until("created_at"),
        "type": by_choice(_type),
        "task_id": _concerns("Task"),
        "project_id": _concerns("Project"),
        "deal_id": _concerns("Deal"),
        "company_id": _concerns("Company"),
        "booking_id": _concerns("Booking"),
        "expense_id": _concerns("Expense"),
        # Inferred: what a person did.
        "person_id": to("creator"),
        "participant_id": to("creator"),
    },
    # The vendor's schema.
    default_sort=("-created_at", "-id"),
    lacks=WRITES,
    sees=_sees,
)
