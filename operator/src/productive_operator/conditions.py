"""The conditions of a ProductiveUser: their content, and when they have to be written.

They follow kstatus, so that waiting tools need no rules of their own: a wanted state, suspension
included, is Ready=True; what only a change by somebody can help is Stalled=True. Suspended and
Stalled exist only while they are true. Nothing in them is volatile, so that an unchanged person
costs no write. Every message names the next step, and none holds a token. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from productive_contract.mapping import Reason, format_time
from productive_contract.names import TOKEN_TYPE
from productive_operator.resolve import Outcome

READY: Final = "Ready"
SUSPENDED: Final = "Suspended"
STALLED: Final = "Stalled"
_OURS: Final = (READY, SUSPENDED, STALLED)
_TRUTH: Final = ("True", "False")
_WANTED: Final = frozenset({Reason.SYNCED, Reason.SUSPENDED})
_STALLED: Final = frozenset({Reason.INVALID, Reason.EMAIL_CONFLICT})
_MOST_KEYS: Final = 5
"""Keys of a Secret that a message lists."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, without its type."""

    true: bool
    reason: str
    message: str
    since: str
    """lastTransitionTime: when `true` last changed."""


@dataclass(frozen=True, slots=True)
class Status:
    """The part of a ProductiveUser's `status` that is ours."""

    generation: int
    """The generation of the spec that was judged."""
    ready: Condition
    suspended: Condition | None = None
    stalled: Condition | None = None


def is_ready(outcome: Outcome) -> bool:
    """Return whether the person is as the spec wants."""
    return outcome.reason in _WANTED


def desired_status(outcome: Outcome, current: Status | None, now: datetime) -> Status:
    """Return the status to have; it equals `current` when nothing has to be written."""
    message = describe(outcome, now)
    ready = _condition(
        current.ready if current else None,
        is_ready(outcome),
        outcome.reason,
        message,
        now,
    )
    suspended = stalled = None
    if outcome.user.suspend:
        before = current.suspended if current else None
        suspended = _condition(before, True, SUSPENDED, _SUSPENDED_MESSAGE, now)
    if outcome.reason in _STALLED or outcome.other_type is not None:
        before = current.stalled if current else None
        stalled = _condition(before, True, outcome.reason, message, now)
    return Status(outcome.user.generation, ready, suspended, stalled)


def is_transition(current: Status | None, desired: Status) -> bool:
    """Return whether the change deserves an Event.

    A new person without a problem does not: thousands may come at once.
    """
    if current is None:
        return not desired.ready.true
    return current.ready.reason != desired.ready.reason


def decode_status(body: Mapping[str, Any]) -> Status | None:
    """Read the status of an object; None if ours is absent or incomplete."""
    status = body.get("status") or {}
    generation = status.get("observedGeneration")
    found: dict[str, Condition] = {}
    for condition in status.get("conditions") or ():
        current = condition.get("observedGeneration") == generation
        if current and condition.get("type") in _OURS and condition.get("status") in _TRUTH:
            found[condition["type"]] = _decode(condition)
    ready, suspended, stalled = (found.get(kind) for kind in _OURS)
    if generation is None or ready is None:
        return None
    return Status(
        generation,
        ready,
        suspended if suspended and suspended.true else None,
        stalled if stalled and stalled.true else None,
    )


def encode_status(status: Status) -> dict[str, Any]:
    """Return the `status` to apply."""
    conditions = ((READY, status.ready), (SUSPENDED, status.suspended), (STALLED, status.stalled))
    return {
        "observedGeneration": status.generation,
        "conditions": [
            {
                "type": kind,
                "status": "True" if condition.true else "False",
                "observedGeneration": status.generation,
                "lastTransitionTime": condition.since,
                "reason": condition.reason,
                "message": condition.message,
            }
            for kind, condition in conditions
            if condition is not None
        ],
    }


def describe(outcome: Outcome, now: datetime) -> str:
    """Return the message: what was decided about this person, and the next step."""
    user = outcome.user
    template = _OTHER_TYPE_MESSAGE if outcome.other_type is not None else _MESSAGES[outcome.reason]
    message = template.format(
        email=user.holds or user.email,
        user_id=user.user_id,
        holder=outcome.holder,
        namespace=user.namespace,
        secret=user.secret_name,
        key=user.secret_key,
        keys=_listed(outcome.keys) if outcome.reason is Reason.TOKEN_KEY_MISSING else None,
        type=TOKEN_TYPE,
        other_type=outcome.other_type,
        problems="; ".join(outcome.problems),
    )
    return " ".join([message, *_warnings(outcome, now)])


def _condition(
    current: Condition | None, true: bool, reason: str, message: str, now: datetime
) -> Condition:
    since = current.since if current and current.true == true else format_time(now)
    return Condition(true, reason, message, since)


def _decode(condition: Mapping[str, Any]) -> Condition:
    return Condition(
        true=condition["status"] == "True",
        reason=condition.get("reason", ""),
        message=condition.get("message", ""),
        since=condition.get("lastTransitionTime", ""),
    )


def _warnings(outcome: Outcome, now: datetime) -> Iterable[str]:
    user = outcome.user
    if user.ignored_toolsets:
        yield (
            "Ignored, because this version does not know them: toolsets "
            f"{_listed(user.ignored_toolsets)}."
        )
    if user.revoked_before is not None and user.revoked_before > now:
        yield (
            "spec.revokedBefore is in the future: every sign-in ends at once until "
            f"{format_time(user.revoked_before)}."
        )


def _listed(names: tuple[str, ...]) -> str:
    """Return names for a message: quoted, and not too many."""
    shown = [json.dumps(name, ensure_ascii=False) for name in names[:_MOST_KEYS]]
    left = len(names) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "") or "none"


_SUSPENDED_MESSAGE: Final = "spec.suspend is true: the person cannot use Productive."
_CREATE: Final = (
    "kubectl create secret generic {secret} -n {namespace} --type={type} --from-literal={key}=TOKEN"
)
_OTHER_TYPE_MESSAGE: Final = (
    'Secret "{secret}" has type {other_type} instead of {type}, and a type cannot be changed. '
    f"Delete it, then make it again: {_CREATE}"
)
_MESSAGES: Final[Mapping[Reason, str]] = {
    Reason.SYNCED: "{email} can sign in and acts as person {user_id} of Productive.",
    Reason.EMAIL_CONFLICT: (
        "{email} belongs to the older ProductiveUser {holder}. Delete this one, or delete {holder} "
        "if this one is right."
    ),
    Reason.TOKEN_SECRET_NOT_FOUND: (
        'There is no Secret "{secret}" of type {type} in namespace {namespace}. Make it: '
        f"{_CREATE} (a Secret of another type does not count, and a type cannot be changed: delete "
        "that one first)."
    ),
    Reason.TOKEN_KEY_MISSING: (
        'Secret "{secret}" has no key "{key}"; its keys: {keys}. Put the token under "{key}", or '
        "name the right key in spec.apiTokenSecretRef.key."
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
