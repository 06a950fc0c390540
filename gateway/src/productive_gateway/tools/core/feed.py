"""Events of the activity feed, as get_activity and get_project show them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.activities import Activity
from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.projects import ProjectRef
from productive_gateway.productive.records.record import Record
from productive_gateway.productive.records.store import Records, if_possible
from productive_gateway.tools.core.changesets import RECORDS, RawChange, changes_in
from productive_gateway.tools.writes.compare import Change

MOST_NAME_READS: Final = len(set(RECORDS.values()))
"""Requests that the names of the ids in changesets take at most: one for each kind of record."""

_EVENTS: Final = {"create": "created", "update": "changed", "delete": "deleted"}
_Names = Mapping[tuple[type[Record], str], str]


class Item(has.Declared):
    """What something happened to."""

    name: str | None = has.name(default=None)
    id: str | None = has.ident(default=None)
    kind: str | None = has.word(default=None, label="")


class Event(has.Declared):
    """One thing that happened."""

    at: datetime | None = has.moment(default=None, label="")
    who: PersonRef | None = has.one(lambda: PersonRef, default=None, label="")
    what: str = has.word(label="")
    item: Item | None = has.one(lambda: Item, default=None, label="")
    project: ProjectRef | None = has.one(lambda: ProjectRef, default=None, label="in")
    comment_id: str | None = has.ident(default=None, label="comment")
    comment: str | None = has.line(default=None, label="says")
    changes: tuple[Change, ...] = has.many(lambda: Change, default=())


async def events_of(
    records: Records, activities: Iterable[Activity], *, within: str | None = None
) -> tuple[Event, ...]:
    """Return activities in words: ids of people, statuses and the like get their names.

    Args:
        records: reads the names, each kind of record by one request.
        activities: as Productive has them.
        within: id of a project that goes without saying.
    """
    read = [(activity, changes_in(activity.changeset)) for activity in activities]
    wanted: dict[type[Record], dict[str, None]] = {}
    for _, changes in read:
        for change in changes:
            for cls, number in change.ids:
                wanted.setdefault(cls, {})[number] = None
    found = await asyncio.gather(
        *(if_possible(records.all(cls, {"id": list(ids)}, most=1)) for cls, ids in wanted.items())
    )
    names: dict[tuple[type[Record], str], str] = {
        (type(row), row.id): getattr(row, "name", row.id)
        for rows in found
        if rows is not None
        for row in rows.rows
    }
    return tuple(_event(activity, changes, names, within) for activity, changes in read)


def _event(
    activity: Activity, changes: Iterable[RawChange], names: _Names, within: str | None
) -> Event:
    said = activity.comment
    what = "commented" if said is not None and activity.event == "create" else None
    item = _item(activity.item_type, activity.item_id, activity.item_name, activity)
    if activity.item_type == "Comment":
        item = _item(activity.parent_type, activity.parent_id, activity.parent_name, activity)
    return Event(
        at=activity.at,
        who=activity.creator,
        what=what or _EVENTS.get(activity.event or "") or _word(activity.event) or "changed",
        item=item,
        project=_project(activity, item, within),
        comment_id=said.id if said is not None else None,
        comment=said.body if said is not None else None,
        changes=tuple(
            Change(
                field=one.field,
                before=_named(one, one.before, names),
                after=_named(one, one.after, names),
            )
            for one in changes
        ),
    )


def _project(activity: Activity, item: Item | None, within: str | None) -> ProjectRef | None:
    """Return the project that something happened in, unless it is known anyway."""
    number = activity.root_id
    known = {within, item.id if item else None}
    if activity.root_type != "Project" or number is None or number in known:
        return None
    return ProjectRef(id=number, name=activity.root_name or number)


def _named(change: RawChange, value: str | None, names: _Names) -> str | None:
    """Return a value, with the name of the record that it is the id of."""
    name = names.get((change.record, value)) if change.record and value else None
    return f"{name} ({value})" if name else value


def _item(
    kind: str | None, number: str | None, name: str | None, activity: Activity
) -> Item | None:
    if kind is None or number is None:
        return None
    word = "budget" if kind == "Deal" and activity.is_budget else _word(kind)
    return Item(name=name, id=number, kind=word)


def _word(text: str | None) -> str | None:
    """Return a word of Productive's that we do not know, as far as it is one."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z]+", " ", text or "")
    return spaced.lower().strip()[:40] or None
