"""The state at the start."""

from __future__ import annotations

from productive_dev.simulator.records import State
from productive_dev.simulator.seed.budgets import budgets
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.seed.companies import companies
from productive_dev.simulator.seed.people import people
from productive_dev.simulator.seed.tasks import tasks
from productive_dev.simulator.seed.time import rules, tracked


def seeded(now: float) -> State:
    """Return the state that belongs to a moment; the same moment gives the same state."""
    calendar = Calendar(now)
    state = State()
    for records in (people, companies, budgets, tasks, rules):
        for record in records(calendar):
            state.put(record)
    for record in tracked(state, calendar):
        state.put(record)
    return state
