"""Time tracking policies: the company's own rules, each the reason of a 422.

The attributes are those of the reference; the words and pointers of the refusals are inferred.
"""

from __future__ import annotations

from datetime import date

from productive_dev.simulator.errors import invalid
from productive_dev.simulator.records import Record, State


def policy_of(state: State, person: Record) -> Record | None:
    """Return a person's own policy, else the organization's."""
    own = person.attributes["time_tracking_policy_id"]
    organization = state.get("organizations", person.organization)
    default = organization.attributes["time_tracking_policy_id"] if organization else None
    number = own if own is not None else default
    return None if number is None else state.get("time_tracking_policies", str(number))


def check_policy(state: State, entry: Record, person: Record, today: date) -> None:
    """Refuse an entry that breaks the policy of its person.

    Raises:
        Problem: 422 at the attribute that the rule is about.
    """
    policy = policy_of(state, person)
    if policy is None:
        return
    rules, values = policy.attributes, entry.attributes
    day = date.fromisoformat(values["date"])
    if rules["note_mandatory"] and not (values["note"] or "").strip():
        raise invalid("note", "note is mandatory")
    if rules["task_mandatory"] and entry.relations["task"] is None:
        raise invalid("task", "task is mandatory")
    if rules["time_range_mandatory"] and values["started_at"] is None:
        raise invalid("started_at", "start time is mandatory")
    if rules["restrict_future_tracking"] and day > today:
        raise invalid("date", "tracking time in the future is not allowed")
    limit = rules["working_day_limit"] if day.weekday() < 5 else rules["non_working_day_limit"]
    if limit is not None and _minutes_on(state, entry) > limit:
        raise invalid("time", "daily limit exceeded")


def _minutes_on(state: State, entry: Record) -> int:
    others = sum(
        int(other.attributes["time"])
        for other in state.all("time_entries")
        if other.id != entry.id
        and other.attributes["date"] == entry.attributes["date"]
        and other.relations["person"] == entry.relations["person"]
    )
    return others + int(entry.attributes["time"])
