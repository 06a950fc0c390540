"""Whether a person may act, by the mapping alone: the one check, for /mcp and for /token."""

from __future__ import annotations

from enum import StrEnum

from productive_contract.mapping import Person, State


class Denial(StrEnum):
    """Why a person may not act; the value is the reason in logs."""

    PERSON_GONE = "person_gone"
    """A complete mapping does not hold them any more."""
    REVOKED_BEFORE = "revoked_before"
    """An administrator ended the sign-ins of that time."""
    SUSPENDED = "suspended"


def check(person: Person | None, auth_time: float) -> Denial | None:
    """Return why a person may not act through a sign-in, None if they may.

    A sign-in that was ended is reported before a suspension: it stays ended when the suspension is
    lifted. A person without a usable Productive token may act; the tools explain what is missing.

    Args:
        person: looked up by uid in a complete mapping; None if it does not hold them.
        auth_time: when they signed in, in Unix seconds.
    """
    if person is None:
        return Denial.PERSON_GONE
    moment = person.revoked_before
    if moment is not None and auth_time < moment.timestamp():
        return Denial.REVOKED_BEFORE
    return Denial.SUSPENDED if person.state is State.SUSPENDED else None
