"""Decides about all ProductiveUsers at once: who may use Productive, and why others may not.

Pure: a complete view in, one outcome for each object out. Between two objects with one e-mail age
alone decides, so that nobody can take over or disable an older one by creating another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from productive_contract.mapping import Person, Reason, State
from productive_contract.secret import Secret
from productive_operator.users import TokenSecret, User

MAX_TOKEN: Final = 1024
"""Characters of a token. Productive's have 36; without a bound one entry could fill the mapping."""
_TOKEN: Final = re.compile(rf"[!-~]{{1,{MAX_TOKEN}}}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decision about one ProductiveUser."""

    user: User
    reason: Reason
    person: Person | None = None
    """The entry of the mapping; None leaves the person out."""
    problems: tuple[str, ...] = ()
    """What is wrong, for Invalid."""
    holder: str | None = None
    """namespace/name of the older object with this e-mail, for EmailConflict."""
    keys: tuple[str, ...] = ()
    """The keys that the Secret has, for TokenKeyMissing."""
    other_type: str | None = None
    """The type of the Secret that has the name, for TokenSecretNotFound; None if there is none."""


def resolve(users: Iterable[User], secrets: Iterable[TokenSecret]) -> tuple[Outcome, ...]:
    """Decide about everybody, oldest first; an object that is being deleted counts as gone.

    Args:
        users: all ProductiveUsers of the namespace.
        secrets: all Secrets of the token type there.
    """
    tokens = {(secret.namespace, secret.name): secret.values for secret in secrets}
    holders: dict[str, User] = {}
    outcomes: list[Outcome] = []
    for user in sorted((user for user in users if not user.deleting), key=lambda user: user.age):
        holder = user if user.holds is None else holders.setdefault(user.holds, user)
        if holder is not user:
            outcomes.append(Outcome(user, Reason.EMAIL_CONFLICT, holder=holder.title))
        else:
            outcomes.append(_decide(user, tokens.get((user.namespace, user.secret_name))))
    return tuple(outcomes)


def people(outcomes: Iterable[Outcome]) -> dict[str, Person]:
    """Return the entries of the mapping by canonical e-mail."""
    return {person.email: person for outcome in outcomes if (person := outcome.person)}


def _decide(user: User, values: Mapping[str, Secret] | None) -> Outcome:
    if user.problems:
        return _refused(user, Reason.INVALID, user.problems)
    if user.suspend:
        return _refused(user, Reason.SUSPENDED)
    token = _token(user, values)
    if isinstance(token, Secret):
        return Outcome(user, Reason.SYNCED, _person(user, State.ACTIVE, Reason.SYNCED, token))
    refused = _refused(user, token, (_no_token(user),) if token is Reason.INVALID else ())
    if token is Reason.TOKEN_KEY_MISSING:
        return replace(refused, keys=tuple(sorted(values or ())))
    return refused


def leave_out(outcome: Outcome, reason: Reason, problems: tuple[str, ...] = ()) -> Outcome:
    """Return the outcome without an entry in the mapping, for that reason.

    Somebody who would be left out anyway keeps the own reason.
    """
    if outcome.person is None:
        return outcome
    return replace(outcome, reason=reason, person=None, problems=problems)


def _token(user: User, values: Mapping[str, Secret] | None) -> Secret | Reason:
    if values is None:
        return Reason.TOKEN_SECRET_NOT_FOUND
    if user.secret_key not in values:
        return Reason.TOKEN_KEY_MISSING
    return read_token(values[user.secret_key].reveal())


def read_token(text: str) -> Secret | Reason:
    """Return the token that a text holds, or what is wrong with it: TokenEmpty or Invalid."""
    # Files and pipes end with a line feed that is not part of the token.
    token = text.strip()
    if not token:
        return Reason.TOKEN_EMPTY
    return Secret(token) if _TOKEN.fullmatch(token) else Reason.INVALID


def _refused(user: User, reason: Reason, problems: tuple[str, ...] = ()) -> Outcome:
    # A person who is known and cannot act stays in the mapping: only somebody who is absent from it
    # is gone, and loses the sign-ins.
    state = State.SUSPENDED if user.suspend else State.NO_TOKEN
    return Outcome(user, reason, _person(user, state, reason), problems)


def _person(user: User, state: State, reason: Reason, token: Secret | None = None) -> Person | None:
    if user.holds is None or user.user_id is None:
        return None
    return Person(
        email=user.holds,
        uid=user.uid,
        user=user.title,
        user_id=user.user_id,
        state=state,
        reason=reason,
        api_token=token,
        organization_id=user.organization_id,
        access=user.access,
        revoked_before=user.revoked_before,
    )


def _no_token(user: User) -> str:
    return (
        f'the value of key "{user.secret_key}" of Secret "{user.secret_name}" is not a token: it '
        f"is longer than {MAX_TOKEN} characters or has a space, control or non-ASCII character"
    )
