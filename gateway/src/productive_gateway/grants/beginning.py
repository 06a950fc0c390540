"""The first state of a grant, and its creation exactly once."""

from __future__ import annotations

from dataclasses import dataclass, field

from productive_contract.clock import Entropy
from productive_contract.mapping import Person
from productive_gateway.errors import Unavailable
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.errors import AlreadyCompleted, Exists
from productive_gateway.grants.grant import Grant, State
from productive_gateway.grants.naming import client_hash, grant_name, subject_digest
from productive_gateway.grants.patience import Patience
from productive_gateway.grants.record import attempt_of
from productive_gateway.grants.store import GrantStore, Record


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person who signed in upstream, and what they allowed whom."""

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
    """When this sign-in was completed, by our clock: `revokedBefore` is held against it."""


def pending_grant(
    sign_in: SignIn,
    config: GrantConfig,
    *,
    code_hash: str,
    epoch: int,
    now: float,
    entropy: Entropy,
) -> Grant:
    """Return the grant of a sign-in, waiting for its code."""
    person = sign_in.person
    return Grant(
        name=grant_name(sign_in.transaction),
        state=State.PENDING,
        user_uid=person.uid,
        user=person.user,
        subject=subject_digest(sign_in.subject_issuer, sign_in.subject, person.uid),
        client=client_hash(sign_in.client_id),
        client_name=sign_in.client_name,
        client_host=sign_in.client_host,
        redirect_uri=sign_in.redirect_uri,
        resource=sign_in.resource,
        scopes=sign_in.scopes,
        auth_time=sign_in.auth_time,
        created=now,
        absolute_end=now + config.absolute_life,
        epoch=epoch,
        attempt=entropy(16).hex(),
        code_hash=code_hash,
        challenge=sign_in.challenge,
        code_end=now + config.code_life,
        salt=entropy(16),
    )


async def create_once(store: GrantStore, record: Record, entropy: Entropy) -> Record:
    """Create a grant's record; if the answer is lost, find out whether it was made.

    Raises:
        AlreadyCompleted: the transaction made its grant before, in another attempt.
        StoreFull: there is no room.
        Unavailable: the store is away; the record may have been made.
    """
    patience = Patience(entropy)
    patience.sent()
    while True:
        try:
            return await _create_or_find(store, record, patience)
        except Unavailable as error:
            await patience.trouble(error)


async def _create_or_find(store: GrantStore, record: Record, patience: Patience) -> Record:
    try:
        return await patience.call(store.create(record))
    except Exists:
        held = await patience.call(store.get(record.name))
    # Our own write, whose answer was lost, is no second completion.
    if held is None or attempt_of(held) != attempt_of(record):
        raise AlreadyCompleted
    return held
