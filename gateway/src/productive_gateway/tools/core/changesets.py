"""What a changeset of the activity feed says: which field was what before and after.

Productive documents its form by an example only, so everything here is read tolerantly: a list of
objects, each of a field with two values, of which one may be an id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from productive_gateway.productive.records.budgets import ServiceRef
from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.projects import ProjectRef, StatusRef, TaskListRef
from productive_gateway.productive.records.record import Record
from productive_gateway.tools.words.durations import hours_text

_LONGEST: Final = 200
_FIELDS: Final[Mapping[str, str]] = {
    "initial_estimate": "estimate",
    "remaining_time": "remaining time",
    "tag_list": "tags",
    "time": "hours",
    "type_id": "type",
    "workflow_status": "status",
}
"""Words for names that do not explain themselves; others are taken as they are."""
_MINUTES: Final = frozenset(
    {
        "billable_time",
        "budgeted_time",
        "estimated_time",
        "initial_estimate",
        "remaining_time",
        "time",
    }
)
_AMOUNTS: Final = re.compile("amount|budget_total|budget_used|cost|price|profit|revenue|value")
"""Amounts in minor units of a currency that the changeset does not name: not shown."""
_TECHNICAL: Final = frozenset(
    {"closed_at", "custom_fields_search", "last_activity_at", "placement", "position", "updated_at"}
)
RECORDS: Final[Mapping[str, type[Record]]] = {
    "assignee": PersonRef,
    "creator": PersonRef,
    "manager": PersonRef,
    "person": PersonRef,
    "project": ProjectRef,
    "project_manager": PersonRef,
    "responsible": PersonRef,
    "service": ServiceRef,
    "task_list": TaskListRef,
    "workflow_status": StatusRef,
}
"""What the ids of a field are ids of."""


@dataclass(frozen=True, slots=True)
class RawChange:
    """One field of a changeset; the values are texts, or ids of `record`."""

    field: str
    before: str | None
    after: str | None
    record: type[Record] | None = None

    @property
    def ids(self) -> Iterator[tuple[type[Record], str]]:
        """The records whose names are needed."""
        if self.record is not None:
            for value in (self.before, self.after):
                if value is not None and value.isdecimal():
                    yield self.record, value


def changes_in(changeset: Any) -> tuple[RawChange, ...]:
    """Return what a changeset says; what cannot be read is left out."""
    found = [
        _change(str(name), values)
        for entry in (changeset if isinstance(changeset, list) else [changeset])
        if isinstance(entry, Mapping)
        for name, values in entry.items()
        if name not in _TECHNICAL
    ]
    return tuple(change for change in found if change.before != change.after or not change.before)


def _change(name: str, values: Any) -> RawChange:
    bare = name.removesuffix("_id")
    field = _FIELDS.get(name) or _FIELDS.get(bare) or _words(bare)
    pair = values if isinstance(values, Sequence) and not isinstance(values, str) else []
    if len(pair) != 2 or _AMOUNTS.search(name) or isinstance(_plain(pair[1]), Mapping):
        return RawChange(field, None, None)
    before, after = (_text(name, value) for value in pair)
    return RawChange(field, before, after, RECORDS.get(bare))


def _words(name: str) -> str:
    return " ".join(re.sub("[^a-z0-9]+", " ", name.lower()).split())[:60] or "a field"


def _plain(value: Any) -> Any:
    """Return the value in an object that describes it: its name, else the value, else the id."""
    if not isinstance(value, Mapping):
        return value
    for key in ("name", "label", "title", "value", "id"):
        if value.get(key) is not None:
            return value[key]
    return None if {"value", "id"} & value.keys() or not value else value


def _text(name: str, value: Any) -> str | None:
    value = _plain(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in _MINUTES and isinstance(value, int):
        return f"{hours_text(value)} h"
    if isinstance(value, list):
        value = ", ".join(filter(None, (_text(name, entry) for entry in value)))
    if value is None or value == "" or isinstance(value, Mapping):
        return None
    return str(value)[:_LONGEST]
