"""Grants as the endpoints use them.

Begun at /callback, redeemed and refreshed at /token, shown to /mcp, ended at /revoke.

The order of checks is: what can be seen without the store (form, seal, MAC, resource), then the
stored grant, read anew. Nothing is answered that is not stored. Our own trouble is Unavailable,
never InvalidGrant or InvalidToken: clients throw their tokens away on those.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_gateway.grants import transitions
from productive_gateway.grants.beginning import SignIn, create_once, pending_grant
from productive_gateway.grants.commit import Settled, Settlement
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.errors import InvalidGrant, InvalidTarget
from productive_gateway.grants.grant import (
    Cause,
    Grant,
    Refusal,
    State,
    ended,
    standing,
)
from productive_gateway.grants.index import GrantIndex, revoked
from productive_gateway.grants.naming import (
    client_hash,
    subject_digest,
)
from productive_gateway.grants.ratchet import current_secret, digest
from productive_gateway.grants.record import encode
from productive_gateway.grants.resource import same_resource
from productive_gateway.grants.store import GrantStore
from productive_gateway.grants.subject import bind_subject
from productive_gateway.grants.tokens import (
    ACCESS_PREFIX,
    SECRET_BYTES,
    AccessToken,
    Code,
    RefreshToken,
    read_access,
    read_code,
    read_refresh,
    write_access,
    write_code,
    write_refresh,
)
from productive_gateway.observability.audit import Event, audit
from productive_gateway.people.snapshot import People
from productive_gateway.sealing.errors import SealError
from productive_gateway.sealing.keys import KeyRing, Keys, with_known_key

__all__ = ["Grants", "LiveGrant", "SignIn", "Tokens"]

LEEWAY: Final = 5
"""Seconds for which an expired access token still opens, for clocks that differ a little."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint answers."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    """Seconds."""
    scopes: frozenset[str]
    """Of the access token; the refresh token keeps what the person allowed."""


@dataclass(frozen=True, slots=True)
class LiveGrant:
    """The grant behind an access token."""

    name: str
    user_uid: str
    client: str
    """Hash prefix of the client, for audit lines."""
    scopes: frozenset[str]
    auth_time: float


class Grants:
    """All that is done with grants."""

    def __init__(
        self,
        store: GrantStore,
        people: People,
        keys: Keys,
        config: GrantConfig,
        *,
        clock: Clock = system_clock,
        entropy: Entropy = system_entropy,
    ) -> None:
        """Put the parts together; `run` must run for /mcp to be served without asking."""
        self._store = store
        self._people = people
        self._keys = keys
        self._config = config
        self._clock = clock
        self._entropy = entropy
        self._index = GrantIndex(store, keys, config, clock=clock, entropy=entropy)
        self._settlement = Settlement(store, self._index, keys, clock=clock, entropy=entropy)

    async def run(self) -> None:
        """Keep the index; ends only by being cancelled."""
        await self._index.run()

    @property
    def healthy(self) -> bool:
        """Whether the index has shown everything up to a moment ago."""
        return self._index.healthy

    async def begin(self, sign_in: SignIn) -> str:
        """Make a pending grant of a sign-in and return its authorization code.

        Raises:
            SubjectMismatch: the e-mail belongs to another upstream account; to be audited.
            AlreadyCompleted: the transaction has its grant.
            StoreFull: no room for a new grant.
            Unavailable: store or keys are away; nothing was issued.
        """
        person, ring = sign_in.person, self._keys.ring()
        subject = subject_digest(sign_in.subject_issuer, sign_in.subject, person.uid)
        await bind_subject(self._store, person.uid, person.user, subject, self._entropy)
        secret = self._entropy(SECRET_BYTES)
        grant = pending_grant(
            sign_in,
            self._config,
            code_hash=digest(secret),
            epoch=ring.epoch,
            now=self._clock(),
            entropy=self._entropy,
        )
        self._index.note(await create_once(self._store, encode(grant, ring), self._entropy))
        code = Code(grant.name, secret)
        return write_code(ring, code, self._config.resource, self._entropy)

    async def redeem(
        self,
        code: str,
        *,
        client_id: str,
        redirect_uri: str | None,
        verifier: str,
        resource: str | None,
    ) -> Tokens:
        """Exchange a code for the first tokens, once.

        Raises:
            InvalidGrant: the code is wrong, used, expired, or of another client, redirect URI or
                verifier; or its person may not have tokens.
            InvalidTarget: `resource` is another one.
            Unavailable: our trouble; the same code may work later.
        """
        presented = await self._read(lambda ring: read_code(ring, code, self._config.resource))
        self._check_target(resource)
        claim = transitions.Redemption(
            presented.secret, client_hash(client_id), redirect_uri, verifier, self._attempt()
        )
        people = self._people.snapshot()

        def decide(grant: Grant, ring: KeyRing) -> transitions.Step:
            unfit = standing(grant, people.by_uid.get(grant.user_uid), ring.epoch)
            return transitions.redeem(grant, claim, ring, unfit, now=self._clock())

        settled = await self._settlement.settle(presented.grant, decide)
        _audit(Event.TOKEN_ISSUED, settled.grant)
        return self._tokens(settled, presented.secret, settled.grant.scopes)

    async def refresh(
        self,
        token: str,
        *,
        client_id: str,
        resource: str | None,
        scopes: frozenset[str] | None,
    ) -> Tokens:
        """Exchange a refresh token for its successor and a new access token.

        Parallel and repeated refreshes of one token get the same successor. A token that was left
        behind ends the grant.

        Raises:
            InvalidGrant: the token is wrong, of another client, left behind or expired; or its
                person may not have tokens.
            InvalidTarget: `resource` is another one.
            InvalidScope: `scopes` are more than was granted, or none.
            Unavailable: our trouble; the same token works later.
        """
        presented = await self._read(lambda ring: read_refresh(ring, token, self._config.resource))
        self._check_target(resource)
        claim = transitions.Refreshing(
            presented.generation, presented.secret, client_hash(client_id), scopes, self._attempt()
        )
        people = self._people.snapshot()

        def decide(grant: Grant, ring: KeyRing) -> transitions.Step:
            unfit = standing(grant, people.by_uid.get(grant.user_uid), ring.epoch)
            return transitions.refresh(grant, claim, ring, unfit, self._config, now=self._clock())

        settled = await self._settlement.settle(presented.grant, decide)
        _audit(Event.TOKEN_REFRESHED, settled.grant)
        granted = settled.grant.scopes if scopes is None else scopes
        return self._tokens(settled, presented.secret, granted)

    async def authenticate(self, access_token: str) -> LiveGrant:
        """Return the live grant behind an access token; on the warm path without any I/O.

        Raises:
            InvalidToken: the token is wrong or expired, or its grant is no more. Whether its
                person may act is for the caller to check.
            Unavailable: our trouble; the same token may work later.
        """
        token = await self._opened(access_token)
        entry = await self._index.find(token.grant)
        scopes = token.scopes & entry.scopes
        return LiveGrant(token.grant, entry.user_uid, entry.client, scopes, entry.auth_time)

    async def revoke(self, token: str, *, client_id: str) -> None:
        """End the grant of an access or refresh token, if it is this client's (RFC 7009 2).

        Whatever else is presented has no effect and is no error.

        Raises:
            Unavailable: our trouble; the grant may live on, so the client should try again.
        """
        resource = self._config.resource

        def read(ring: KeyRing) -> AccessToken | RefreshToken:
            if token.startswith(ACCESS_PREFIX):
                return read_access(ring, token, resource)
            return read_refresh(ring, token, resource)

        client = client_hash(client_id)
        try:
            presented = await self._read(read)
        except InvalidGrant:
            return
        await self._end(presented.grant, Cause.REVOKED, lambda grant: grant.client == client)

    async def _end(self, name: str, cause: Cause, allowed: Callable[[Grant], bool]) -> None:
        def decide(grant: Grant, _: KeyRing) -> transitions.Step:
            if grant.state is State.GONE or not allowed(grant):
                return transitions.Refuse(Refusal.GONE)
            return transitions.End(ended(grant, cause, now=self._clock()), cause)

        with contextlib.suppress(InvalidGrant):
            await self._settlement.settle(name, decide)

    async def _read(self, read: Callable[[KeyRing], T]) -> T:
        try:
            return await with_known_key(self._keys, read)
        except SealError as error:
            raise InvalidGrant("malformed") from error

    async def _opened(self, access_token: str) -> AccessToken:
        try:
            token = await with_known_key(
                self._keys, lambda ring: read_access(ring, access_token, self._config.resource)
            )
        except SealError as error:
            raise revoked("malformed") from error
        if self._clock() >= token.expires + LEEWAY:
            raise revoked("expired")
        if token.epoch < self._keys.ring().epoch:
            raise revoked(Refusal.OLD_EPOCH.value)
        return token

    def _check_target(self, resource: str | None) -> None:
        if resource is not None and not same_resource(resource, self._config.resource):
            raise InvalidTarget

    def _tokens(self, settled: Settled, presented: bytes, scopes: frozenset[str]) -> Tokens:
        """Write the tokens of a stored generation; the same refresh token each time."""
        grant, ring, resource = settled.grant, settled.ring, self._config.resource
        now = self._clock()
        expires = int(min(now + self._config.access_life, grant.absolute_end))
        access = AccessToken(grant.name, grant.generation, grant.epoch, int(now), expires, scopes)
        secret = current_secret(grant, presented, ring)
        refreshing = RefreshToken(grant.name, grant.generation, secret)
        return Tokens(
            access_token=write_access(ring, access, resource, self._entropy),
            refresh_token=write_refresh(ring.require(grant.ratchet_kid), refreshing, resource),
            expires_in=max(expires - int(now), 0),
            scopes=scopes,
        )

    def _attempt(self) -> str:
        return self._entropy(16).hex()


def _audit(event: Event, grant: Grant) -> None:
    audit(event, user=grant.user, grant=grant.name, client=grant.client_label)
