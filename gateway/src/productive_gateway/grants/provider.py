"""The sign-in provider's part in a refresh: its refresh token, sealed, and what it answers.

A grant whose provider gave a refresh token is renewed only after the provider was asked with it.
Many providers accept such a token once and answer with its successor, so the order matters: one
request at a time asks (the lease), and a new token is stored before anything else can fail.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from productive_contract.clock import Entropy
from productive_contract.mapping import Person
from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.grants.grant import Cause, Grant, subject_digest
from productive_gateway.sealing.keys import KeyRing
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import seal, unseal

MAX_TOKEN: Final = 8192
"""Characters of the longest refresh token that is kept; Entra's have about 2,000."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a verified ID token names that came with a refresh."""

    issuer: str
    subject: str
    email: str | None
    """Canonical; None if the token names no address."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The account may still be used."""

    token: Secret | None
    """The new refresh token; None if the one that was sent stays valid."""
    account: Account | None
    """None if no ID token came, which OpenID Connect Core 12.2 allows."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """The provider answered with tokens, but what it says cannot be verified now."""

    token: Secret | None
    failure: Unavailable


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The provider said neither yes nor no; whether it accepted the token is unknown."""

    failure: Unavailable


@dataclass(frozen=True, slots=True)
class Denied:
    """The provider says no, or answers about somebody else."""

    cause: Cause


Answer = Confirmed | Unproven | Unanswered | Denied
AskProvider = Callable[[Secret], Awaitable[Answer]]
"""Asks the provider with a refresh token of its own; it never raises an error of the provider."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the sealed token that the grant keeps from then on."""

    answer: Answer
    sealed: str = field(repr=False)


def seal_token(ring: KeyRing, token: Secret, grant: str, entropy: Entropy) -> str:
    """Seal a refresh token of the provider for the grant of this name, and no other."""
    payload = token.reveal().encode()
    return seal(ring, Purpose.UPSTREAM, payload, bound=grant.encode(), entropy=entropy)


def open_token(ring: KeyRing, grant: Grant) -> Secret:
    """Return the provider's refresh token of a grant.

    Raises:
        UnknownKey: the ring does not hold the key that sealed it.
        BrokenSeal: it was not sealed for this grant.
    """
    return Secret(
        unseal(ring, Purpose.UPSTREAM, grant.upstream, bound=grant.name.encode()).decode()
    )


def keepable(token: Secret | None) -> bool:
    """Whether there is a token, and it is not too large for a grant."""
    return token is not None and len(token.reveal()) <= MAX_TOKEN


def reply_to(
    grant: Grant, person: Person | None, answer: Answer, ring: KeyRing, entropy: Entropy
) -> Reply:
    """Return what an answer means for a grant.

    The token that is kept is sealed again each time, so that no key has to stay in the ring longer
    than a grant that is not refreshed.

    Args:
        grant: whose token was sent.
        person: to whom the grant belongs.
        answer: of the provider.
        ring: its current key seals.
        entropy: for the seal.
    """
    new = answer.token if isinstance(answer, Confirmed | Unproven) else None
    token = new if new is not None and keepable(new) else open_token(ring, grant)
    if isinstance(answer, Confirmed) and not _same_account(grant, person, answer.account):
        answer = Denied(Cause.UPSTREAM_IDENTITY)
    return Reply(answer, seal_token(ring, token, grant.name, entropy))


def _same_account(grant: Grant, person: Person | None, account: Account | None) -> bool:
    if account is None:
        return True
    theirs = subject_digest(account.issuer, account.subject, grant.user_uid)
    if not hmac.compare_digest(theirs, grant.subject):
        return False
    # A new sign-in with another address would belong to somebody else, or to nobody.
    return account.email is None or (person is not None and account.email == person.email)
