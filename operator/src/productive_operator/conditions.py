"""The Ready condition of a ProductiveUser: its content, and when it has to be written.

It holds nothing volatile, so that an unchanged person costs no write. Every message names the next
step, and none holds a token. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from productive_contract.mapping import Reason, format_time
from productive_contract.names import TOKEN_TYPE
from productive_operator.resolve import Outcome

CONDITION: Final = "Ready"


@dataclass(frozen=True, slots=True)
class Status:
    """The part of a ProductiveUser's `status` that is ours."""

    ready: bool
    reason: str
    message: str
    since: str
    """lastTransitionTime: when `ready` last changed."""
    generation: int
    """The generation of the spec that was judged."""


def desired_status(outcome: Outcome, current: Status | None, now: datetime) -> Status:
    """Return the status to have; it equals `current` when nothing has to be written."""
    ready = outcome.reason is Reason.SYNCED
    since = current.since if current and current.ready == ready else format_time(now)
    return Status(ready, outcome.reason, describe(outcome), since, outcome.user.generation)


def is_transition(current: Status | None, desired: Status) -> bool:
    """Decide whether the change deserves an Event.

    A new person without a problem does not: thousands may come at once.
    """
    if current is None:
        return not desired.ready
    return current.reason != desired.reason


def decode_status(body: Mapping[str, Any]) -> Status | None:
    """Read the status of an object; None if ours is absent or incomplete."""
    status = body.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") != CONDITION or condition.get("status") not in ("True", "False"):
            continue
        generation = condition.get("observedGeneration")
        if generation is None or generation != status.get("observedGeneration"):
            return None
        return Status(
            ready=condition["status"] == "True",
            reason=condition.get("reason", ""),
            message=condition.get("message", ""),
            since=condition.get("lastTransitionTime", ""),
            generation=generation,
        )
    return None


def encode_status(status: Status) -> dict[str, Any]:
    """Return the `status` to apply."""
    return {
        "observedGeneration": status.generation,
        "conditions": [
            {
                "type": CONDITION,
                "status": "True" if status.ready else "False",
                "observedGeneration": status.generation,
                "lastTransitionTime": status.since,
                "reason": status.reason,
                "message": status.message,
            }
        ],
    }


def describe(outcome: Outcome) -> str:
    """Return the message: what was decided about this person, and the next step."""
    user = outcome.user
    return _MESSAGES[outcome.reason].format(
        email=user.holds or user.email,
        user_id=user.user_id,
        holder=outcome.holder,
        namespace=user.namespace,
        secret=user.secret_name,
        key=user.secret_key,
        type=TOKEN_TYPE,
        problems="; ".join(outcome.problems),
    )


_MESSAGES: Final[Mapping[Reason, str]] = {
    Reason.SYNCED: "{email} can sign in and acts as person {user_id} of Productive.",
    Reason.EMAIL_CONFLICT: (
        "{email} belongs to the older ProductiveUser {holder}. Delete this one, or delete {holder} "
        "if this one is right."
    ),
    Reason.TOKEN_SECRET_NOT_FOUND: (
        'There is no Secret "{secret}" of type {type} in namespace {namespace}. Make it: kubectl '
        "create secret generic {secret} -n {namespace} --type={type} --from-literal={key}=TOKEN (a "
        "Secret of another type does not count, and a type cannot be changed: delete that one "
        "first)."
    ),
    Reason.TOKEN_KEY_MISSING: (
        'Secret "{secret}" has no key "{key}". Put the token under that key, or name the right one '
        "in spec.apiTokenSecretRef.key."
    ),
    Reason.TOKEN_EMPTY: (
        'Key "{key}" of Secret "{secret}" is empty. Put the person\'s Productive API token there '
        "(in Productive: Settings, API integrations)."
    ),
    Reason.SUSPENDED: (
        "Suspended: the person cannot use Productive, and sign-ins are kept. To restore access, "
        "set spec.suspend to false; to end the sign-ins, set spec.revokedBefore to the present "
        "time."
    ),
    Reason.MAPPING_FULL: (
        "The mapping Secret is full and this is one of the youngest ProductiveUsers. Delete those "
        "that are no longer needed, or move some to a second release."
    ),
    Reason.INVALID: "Correct this ProductiveUser: {problems}.",
}
