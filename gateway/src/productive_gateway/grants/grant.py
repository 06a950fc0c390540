"""A grant: what one person allowed one client.

Pure data with the few rules that need nothing else; how it changes is in `transitions`. It goes
pending → active → gone and never back.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from productive_contract.mapping import Person
from productive_contract.secret import Secret
from productive_gateway.grants.config import KEPT, GrantConfig
from productive_gateway.people.admission import Denial, check
from productive_gateway.sealing.seal import frame

CLIENT_PREFIX: Final = 20
"""Hex digits of a client's hash in labels and audit lines."""


class GrantState(StrEnum):
    """Where a grant is in its life."""

    PENDING = "pending"
    """Signed in; the code waits for its redemption."""
    ACTIVE = "active"
    GONE = "gone"
    """Over; kept only so that its transaction cannot be completed again."""


class Refusal(StrEnum):
    """Why a claim is refused while the grant stays as it is."""

    GONE = "grant_gone"
    WRONG_CODE = "wrong_code"
    WRONG_CLIENT = "wrong_client"
    WRONG_PERSON = "wrong_person"
    WRONG_REDIRECT = "wrong_redirect_uri"
    WRONG_VERIFIER = "wrong_verifier"
    CODE_EXPIRED = "code_expired"
    NOT_REDEEMED = "not_redeemed"
    PERSON_GONE = "person_gone"
    REVOKED_BEFORE = "revoked_before"
    OLD_EPOCH = "old_epoch"
    SCOPE = "wrong_scope"
    FORKED = "forked"
    """Two replicas compute different successors: our failure, not the client's."""
    OVERTAKEN = "overtaken"
    """The token was the current one when this request began; others have used it since."""


class Cause(StrEnum):
    """Why a grant ended."""

    CODE_REPLAY = "code_replay"
    REFRESH_REUSE = "refresh_reuse"
    EXPIRED = "expired"
    REVOKED = "revoked_by_client"
    DISCONNECTED = "revoked_by_person"
    """The person ended it at /connections."""
    ADMINISTRATOR = "revoked_by_administrator"
    OVER_CAP = "over_cap"
    ORPHAN = "person_gone"
    OLD_EPOCH = "old_epoch"
    UPSTREAM_REFUSED = "upstream_refused"
    """The provider refuses its refresh token: the account was disabled or signed out there, its
    policies exclude it now, or the token is too old."""
    UPSTREAM_TOKEN_LOST = "upstream_token_lost"  # noqa: S105
    """The provider refuses a refresh token that was sent before without an answer: it was probably
    spent then, and its successor is lost."""
    UPSTREAM_IDENTITY = "upstream_identity"
    """The provider answers about another account or address, or without a required claim."""
    IMMUTABLE = "immutable"
    """Somebody made its Secret immutable, so it cannot be renewed."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person who signed in upstream, and what they allowed which client."""

    transaction: bytes = field(repr=False)
    """128-bit id of the transaction; it makes one grant at most."""
    person: Person
    subject_issuer: str
    subject: str
    """`iss` and `sub` of the ID token."""
    client_id: str
    client_name: str
    client_host: str
    redirect_uri: str
    resource: str
    """Canonical, as checked at /authorize."""
    scopes: frozenset[str]
    challenge: str
    """PKCE S256 challenge of the client."""
    auth_time: float
    """When this sign-in was completed, by our clock; `revokedBefore` is compared with it."""
    provider_token: Secret | None = None
    """The provider's refresh token, if it gave one that can be kept."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one person allowed one client. It holds hashes only: its reader cannot act with it."""

    name: str
    state: GrantState
    user_uid: str
    """uid of the ProductiveUser that it belongs to."""
    user: str
    """namespace/name of the ProductiveUser, for display."""
    subject: str
    """Digest of the upstream account that signed in."""
    client: str
    """SHA-256 of the client_id, in hex."""
    client_name: str
    client_host: str
    redirect_uri: str
    resource: str
    scopes: frozenset[str]
    auth_time: float
    """When the person signed in upstream for this grant."""
    created: float
    absolute_end: float
    epoch: int
    attempt: str
    """Random id of the write that made this state: a replica recognises its own write by it."""
    code_hash: str
    challenge: str
    """PKCE S256 challenge."""
    code_end: float
    salt: bytes = field(repr=False)
    generation: int = 0
    refresh_hash: str = ""
    """SHA-256 of the current generation's secret."""
    ratchet_kid: str = ""
    """Key that made the current generation from the one before."""
    rotated_at: float = 0.0
    """When the current generation was made."""
    ended_at: float = 0.0
    ended_cause: str = ""
    upstream: str = field(default="", repr=False)
    """The provider's refresh token, sealed; with one, the provider is asked at each refresh."""
    lease: str = ""
    """Attempt id of the request that is asking the provider."""
    lease_end: float = 0.0
    asks: int = 0
    """How often `upstream` was sent, or was about to be, without an answer."""

    @property
    def client_label(self) -> str:
        """The client as labels and audit lines name it."""
        return self.client[:CLIENT_PREFIX]

    @property
    def last_used(self) -> float:
        """When a token was last made from it."""
        return max(self.created, self.rotated_at)

    def last_moment(self, config: GrantConfig) -> float:
        """Return when it is over at the latest, however often it is renewed.

        A release that does not know the provider's refresh token drops it when it renews a grant,
        as happens during a rolling upgrade and after a rollback. The provider is not asked from
        then on, so the grant lives no longer than others whose provider is not asked.
        """
        if self.upstream:
            return self.absolute_end
        return min(self.absolute_end, self.created + config.absolute_life)

    def end(self, config: GrantConfig) -> float:
        """Return from when on it is useless and may be swept."""
        if self.state is GrantState.ACTIVE:
            return min(self.last_moment(config), self.rotated_at + config.refresh_idle)
        return self.created + KEPT


def client_hash(client_id: str) -> str:
    """Return SHA-256 of a client_id, in hex: ids of 2,000 characters are stored nowhere."""
    return hashlib.sha256(client_id.encode("utf-8", "surrogatepass")).hexdigest()


def subject_digest(issuer: str, subject: str, user_uid: str) -> str:
    """Return the digest of an upstream account: SHA-256 over issuer, subject and uid, in hex."""
    parts = (issuer.encode(), subject.encode(), user_uid.encode())
    return hashlib.sha256(frame(*parts)).hexdigest()


def ended(grant: Grant, cause: Cause, *, now: float) -> Grant:
    """Return the grant as over; it keeps no token of the provider."""
    return replace(
        without_lease(grant),
        state=GrantState.GONE,
        ended_at=now,
        ended_cause=cause.value,
        upstream="",
        asks=0,
    )


def without_lease(grant: Grant) -> Grant:
    """Return the grant with nobody asking the provider."""
    return replace(grant, lease="", lease_end=0.0)


def standing(grant: Grant, person: Person | None, epoch: int) -> Refusal | None:
    """Return why the grant's person may not have tokens, None if they may.

    Args:
        grant: as it is stored.
        person: looked up by uid in a complete mapping; None if it does not hold them.
        epoch: of the key ring.
    """
    if grant.epoch < epoch:
        return Refusal.OLD_EPOCH
    match check(person, grant.auth_time):
        case Denial.PERSON_GONE:
            return Refusal.PERSON_GONE
        case Denial.REVOKED_BEFORE:
            return Refusal.REVOKED_BEFORE
        case Denial.SUSPENDED | None:
            # A refused refresh makes clients drop everything, so a suspension only closes /mcp.
            return None
