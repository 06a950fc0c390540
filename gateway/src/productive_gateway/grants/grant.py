"""A grant: what one person allowed one client.

Pure data with the few rules that need nothing else; how it changes is in `claims`. It goes
pending → active → gone and never back.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from productive_contract.mapping import Person
from productive_gateway.grants.config import KEPT, GrantConfig
from productive_gateway.grants.naming import CLIENT_PREFIX


class State(StrEnum):
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
    WRONG_REDIRECT = "wrong_redirect_uri"
    WRONG_VERIFIER = "wrong_verifier"
    CODE_EXPIRED = "code_expired"
    NOT_REDEEMED = "not_redeemed"
    PERSON_GONE = "person_gone"
    REVOKED_BEFORE = "revoked_before"
    OLD_EPOCH = "old_epoch"
    SCOPE = "wrong_scope"
    FORKED = "forked"
    """Two replicas compute different successors: our trouble, not the client's."""


class Cause(StrEnum):
    """Why a grant ended."""

    CODE_REPLAY = "code_replay"
    REFRESH_REUSE = "refresh_reuse"
    EXPIRED = "expired"
    REVOKED = "revoked_by_client"
    OVER_CAP = "over_cap"
    ORPHAN = "person_gone"
    OLD_EPOCH = "old_epoch"


@dataclass(frozen=True, slots=True)
class Grant:
    """What one person allowed one client. Holds hashes only: its reader can do nothing with it."""

    name: str
    state: State
    user_uid: str
    """uid of the ProductiveUser: who it belongs to."""
    user: str
    """namespace/name of the ProductiveUser, to be shown."""
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
    """Random id of the write that made this state: a replica knows its own write by it."""
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

    @property
    def client_label(self) -> str:
        """The client as it stands in labels and audit lines."""
        return self.client[:CLIENT_PREFIX]

    @property
    def last_used(self) -> float:
        """When a token was last made from it."""
        return max(self.created, self.rotated_at)

    def end(self, config: GrantConfig) -> float:
        """Return when it is of no use any more and may be swept."""
        if self.state is State.ACTIVE:
            return min(self.absolute_end, self.rotated_at + config.refresh_idle)
        return self.created + KEPT


def ended(grant: Grant, cause: Cause, *, now: float) -> Grant:
    """Return the grant as over."""
    return replace(grant, state=State.GONE, ended_at=now, ended_cause=cause.value)


def standing(grant: Grant, person: Person | None, epoch: int) -> Refusal | None:
    """Return why the grant's person may not have tokens, None if they may.

    `person` is looked up by uid in a complete view; who is absent from it is gone.
    """
    if grant.epoch < epoch:
        return Refusal.OLD_EPOCH
    if person is None:
        return Refusal.PERSON_GONE
    if revoked_before(person, grant.auth_time):
        return Refusal.REVOKED_BEFORE
    return None


def revoked_before(person: Person, auth_time: float) -> bool:
    """Whether the person's sign-ins of that time were revoked."""
    moment = person.revoked_before
    return moment is not None and auth_time < moment.timestamp()
