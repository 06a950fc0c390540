"""Problems of a single entry, and the differences of a written one from the request."""

from __future__ import annotations

from productive_gateway.productive.work import Entry
from productive_gateway.tools.errors import Problem
from productive_gateway.tools.plan import Planned


def twice(planned: Planned, first: int) -> Problem:
    """Return the problem for an entry that a call contains twice."""
    return Problem(
        "conflict",
        f"It is the same as entries[{first}]: same day, service, task, duration and note.",
        "If a second entry is meant, repeat it with allow_duplicate.",
        field=planned.draft.field,
    )


def unknown(planned: Planned) -> Problem:
    """Return the problem for an entry whose answer was lost."""
    return Problem(
        "timeout",
        "Productive's answer to this entry was lost: it may or may not be written.",
        "Do not simply repeat it. In a minute, call log_time with only this entry and dry_run: if "
        "the result names duplicate_of, it was written; if not, log it.",
        field=planned.draft.field,
    )


def not_tried(lost: int) -> Problem:
    """Return the problem for the entries after one whose answer was lost."""
    return Problem(
        "upstream_error",
        f"It was not tried, because the answer to entries[{lost}] was lost.",
        f"Find out about entries[{lost}] first, then log this one.",
    )


def not_effective(planned: Planned, made: Entry, fields: list[str]) -> Problem:
    """Return the problem for an entry that Productive wrote differently."""
    return Problem(
        "write_not_effective",
        f"Time entry {made.id} was written, but Productive did not apply: {', '.join(fields)}.",
        "Do not log it again; tell the user to correct this entry in Productive.",
        field=planned.draft.field,
    )


def differences(planned: Planned, made: Entry, person_id: str) -> list[str]:
    """Return the fields in which an entry differs from the request."""
    draft, target = planned.draft, planned.target
    billable = None if draft.billable_minutes is None else made.billable_minutes
    pairs = {
        "date": (draft.day, made.day),
        "hours": (draft.minutes, made.minutes),
        "billable_hours": (draft.billable_minutes, billable),
        "service": (target.service.id, made.service.id if made.service else None),
        "task": (target.task.id if target.task else None, made.task.id if made.task else None),
        "person": (person_id, made.person_id or person_id),
        # Productive may wrap a note in tags; only the text is compared.
        "note": ((draft.note or "").split(), made.note.split()),
    }
    return [name for name, (wanted, found) in pairs.items() if wanted != found]
