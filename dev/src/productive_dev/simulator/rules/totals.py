"""Sums over time entries: worked and billable minutes of tasks, services and deals."""

from __future__ import annotations

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import Compute
from productive_dev.simulator.records import Record, Ref, State

_Sums = dict[tuple[Ref, str], int]


def tracked(attribute: str, *, null_for_zero: bool = False) -> Compute:
    """Return a computed attribute: the minutes tracked on a record.

    Tasks were recorded with null where nothing is tracked.
    """

    def compute(context: Context, record: Record) -> int | None:
        total = minutes_on(context.state, record, attribute)
        return None if null_for_zero and not total else total

    return compute


def minutes_on(state: State, record: Record, attribute: str) -> int:
    """Return the minutes tracked on a task, service or deal, with those from before the seed."""
    before = int(record.facts.get(f"earlier_{attribute}", 0))
    return before + state.index("tracked minutes", _sums).get((record.ref, attribute), 0)


def _sums(state: State) -> _Sums:
    sums: _Sums = {}
    for entry in state.all("time_entries"):
        service = state.at(entry.to_one("service"))
        deal = service.to_one("deal") if service else None
        for ref in (entry.to_one("task"), entry.to_one("service"), deal):
            if ref is None:
                continue
            for attribute, name in (
                ("time", "time"),
                ("billable_time", "billable_time"),
                ("unapproved_time", "time"),
            ):
                if attribute == "unapproved_time" and entry.attributes["approved"]:
                    continue
                value = int(entry.attributes[name] or 0)
                sums[ref, attribute] = sums.get((ref, attribute), 0) + value
    return sums
