"""Archiving and restoring; doing either twice is a conflict (measured, its code is inferred)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.resource import Action
from productive_dev.simulator.errors import access_denied, conflict
from productive_dev.simulator.records import Record
from productive_dev.simulator.writing.feed import note_activity


def archivable() -> Mapping[str, Action]:
    """Return the actions of a resource that has `archived_at`."""
    return {"archive": _archive, "restore": _restore}


def _archive(context: Context, record: Record, _: Mapping[str, Any]) -> Record:
    if record.attributes["archived_at"] is not None:
        raise conflict("already_archived")
    return _kept(context, record, context.whole_stamp)


def _restore(context: Context, record: Record, _: Mapping[str, Any]) -> Record:
    if record.attributes["archived_at"] is None:
        raise conflict("not_archived")
    return _kept(context, record, None)


def _kept(context: Context, record: Record, archived_at: str | None) -> Record:
    declared = context.resources[record.type]
    if not declared.writes(context, record):
        raise access_denied()
    changed = record.with_attributes(archived_at=archived_at)
    context.state.put(changed)
    note_activity(context, declared, record, changed)
    return changed
