"""Problems found before a tool runs, and internal errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from productive_contract.mapping import Person, Reason
from productive_gateway.tools.kit.access import Allowed
from productive_gateway.tools.kit.call_limit import RETRY_AFTER
from productive_gateway.tools.kit.declare import Tool
from productive_gateway.tools.kit.errors import Problem

_DISCONNECTED: Final[Mapping[Reason | None, str]] = {
    Reason.TOKEN_SECRET_NOT_FOUND: "the Secret for your Productive token does not exist",
    Reason.TOKEN_KEY_MISSING: "the Secret for your Productive token lacks the expected key",
    Reason.TOKEN_EMPTY: "your stored Productive token is empty",
    Reason.INVALID: "your entry here has an invalid value",
    Reason.MAPPING_FULL: "there is no space left for your entry",
}

_AS_WELL: Final = "; nothing was changed"
_NOTHING_CHANGED: Final = "Nothing was changed. "
"""How messages about one request end or begin; of a whole call it may not be true."""


def not_allowed(tool: Tool, allowed: Allowed, whom_to_ask: str) -> Problem:
    """Return the problem for a tool that this person may not use here."""
    if tool.toolset in allowed.toolsets:
        why = "your access here is read-only"
    else:
        why = f'the toolset "{tool.toolset}" is not switched on for you'
    return Problem(
        "not_allowed_here",
        f'"{tool.title}" is not allowed: {why}.',
        f"Do not repeat it. Ask {whom_to_ask} if you need it.",
    )


def not_consented(tool: Tool) -> Problem:
    """Return the problem for a tool that the person did not allow this client to use."""
    return Problem(
        "not_allowed_here",
        f'"{tool.title}" is not allowed: this sign-in only allows reading.',
        "Do not repeat it. Connect this server again and allow changes if you need it.",
    )


def not_connected(person: Person, whom_to_ask: str) -> Problem:
    """Return the problem for a person without a usable Productive token."""
    why = _DISCONNECTED.get(person.reason, "no Productive token is stored for you")
    return Problem(
        "not_connected",
        f"Productive is not connected for {person.email}: {why}.",
        f"Ask {whom_to_ask} to store a token for you (ProductiveUser {person.user}); you stay "
        "signed in, and it works as soon as that is done.",
    )


def too_many_calls() -> Problem:
    """Return the problem for a call beyond those that one person may have at the same time."""
    return Problem(
        "rate_limited",
        "You have too many calls running at the same time, so this one was not started.",
        f"Wait {RETRY_AFTER} seconds, then try again with fewer calls at a time.",
        retry_after_s=RETRY_AFTER,
    )


def declined() -> Problem:
    """Return the problem for a call that the user did not agree to."""
    return Problem(
        "declined",
        "The user did not agree, so nothing was changed.",
        "Do not repeat it; ask the user what they want instead.",
    )


def after_writes(problem: Problem, writes: int) -> Problem:
    """Return the problem for an error after a call had changed something already."""
    done = "1 change was" if writes == 1 else f"{writes} changes were"
    message = problem.message.replace(_AS_WELL, "")
    fix = problem.fix.replace(_NOTHING_CHANGED, "")
    return replace(
        problem,
        message=f"{done} made before this failed: {message}",
        fix=f"Tell the user, and look at the present state first. {fix}",
    )


def too_late(seconds: float, *, wrote: bool) -> Problem:
    """Return the problem for a call that did not end in time."""
    return Problem(
        "timeout",
        f"Productive was too slow: this was stopped after {seconds:.0f} seconds.",
        "Some of it may have been written: look before you try again."
        if wrote
        else "Nothing was changed. Try again in a minute, or ask for less at once.",
    )


def internal_error(whom_to_ask: str, request_id: str) -> Problem:
    """Return the problem for an internal error."""
    return Problem(
        "internal_error",
        "Something went wrong on this server.",
        "If it was a change, check in Productive first whether it was made. If the error happens "
        f"again, tell {whom_to_ask} the request number {request_id}.",
    )
