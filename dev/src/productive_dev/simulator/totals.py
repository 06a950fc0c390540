"""Attributes that follow from time entries: worked and billable minutes."""

from __future__ import annotations

from productive_dev.simulator.records import Record, Ref, State


def minutes(state: State, record: Record, attribute: str) -> int:
    """Return the minutes tracked on a task, service or deal, with those from before the seed."""
    before = int(record.facts.get(f"earlier_{attribute}", 0))
    return before + sum(
        int(entry.attributes[attribute])
        for entry in state.all("time_entries")
        if _belongs(state, entry, record)
    )


def _belongs(state: State, entry: Record, record: Record) -> bool:
    if record.type == "deals":
        service = state.follow(entry, "service")
        return service is not None and service.relations["deal"] == Ref("deals", record.id)
    relation = "task" if record.type == "tasks" else "service"
    return entry.relations.get(relation) == Ref(record.type, record.id)
