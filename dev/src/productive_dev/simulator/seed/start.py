"""The state at the start."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from productive_dev.simulator.records import Record, State
from productive_dev.simulator.seed.boards import boards
from productive_dev.simulator.seed.budgets import budgets
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.seed.companies import companies
from productive_dev.simulator.seed.organizations import organizations
from productive_dev.simulator.seed.people import people
from productive_dev.simulator.seed.planning import planning
from productive_dev.simulator.seed.talk import feed, talk
from productive_dev.simulator.seed.tasks import tasks
from productive_dev.simulator.seed.time import policies, tracked


def seeded(now: float) -> State:
    """Return the state that belongs to a moment; the same moment gives the same state."""
    state = State()
    for record in _records(now):
        # Each state has records of its own: tests change their attributes in place.
        own = replace(record, attributes=dict(record.attributes), relations=dict(record.relations))
        state.put(own)
    return state


@lru_cache(maxsize=4)
def _records(now: float) -> tuple[Record, ...]:
    calendar = Calendar(now)
    state = State()
    for records in (
        *(organizations, people, companies, boards, budgets, tasks),
        *(policies, planning, talk),
    ):
        for record in records(calendar):
            state.put(record)
    for dependent in (tracked, feed):
        for record in tuple(dependent(state, calendar)):
            state.put(record)
    return tuple(record for kind in state.kinds() for record in state.all(kind))
