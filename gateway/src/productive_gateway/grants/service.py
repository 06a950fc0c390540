"""Grants as the endpoints use them.

Begun at /callback, redeemed and refreshed at /token, shown to /mcp, ended at /revoke, listed and
ended by their person at /connections.

What can be checked without the store (form, seal, MAC) comes first, then the stored grant, read
again. Nothing is answered that is not stored. A failure on our side is Unavailable, never
InvalidGrant or InvalidToken: clients throw their tokens away on those.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.mapping import Person
from productive_gateway.grants import transitions
from productive_gateway.grants.commit import Commit, Committed
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.errors import InvalidGrant, TokenFault, invalid_token
from productive_gateway.grants.grant import Cause, Grant, SignIn, client_hash, subject_digest
from productive_gateway.grants.index import GrantIndex
from productive_gateway.grants.of_person import connected
from productive_gateway.grants.provider import AskProvider, seal_token
from productive_gateway.grants.record import encode
from productive_gateway.grants.retry_budget import RetryBudget, RetryLimits
from productive_gateway.grants.steps import Disconnection, Redemption, Refresh, Revocation
from productive_gateway.grants.store import GrantStore
from productive_gateway.grants.subject import bind_subject, check_subject
from productive_gateway.grants.tokens import (
    ACCESS_PREFIX,
    SECRET_BYTES,
    AccessToken,
    AuthorizationCode,
    RefreshToken,
    digest,
    grant_name,
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
from productive_gateway.sealing.memo import SealMemo
from productive_gateway.web.limits import Limit

LEEWAY: Final = 5
"""Seconds for which an expired access token still opens, for clocks that differ a little."""
LIMITS: Final = RetryLimits()

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
    """The grant behind an access token; whether its person may act is not looked at."""

    name: str
    user_uid: str
    client: str
    """Hash prefix of the client, for audit lines."""
    scopes: frozenset[str]
    auth_time: float


class Grants:
    """All that the endpoints do with grants."""

    def __init__(
        self,
        store: GrantStore,
        index: GrantIndex,
        people: People,
        keys: Keys,
        config: GrantConfig,
        *,
        ask: AskProvider,
        clock: Clock = system_clock,
        entropy: Entropy = system_entropy,
        limits: RetryLimits = LIMITS,
        issued: Limit | None = None,
    ) -> None:
        """Connect the parts.

        Args:
            store: where grants are kept.
            index: the watched view of the same store.
            people: who may have tokens.
            keys: seal and authenticate.
            config: lifetimes and the resource.
            ask: asks the provider whether an account may still be used.
            clock: Unix seconds.
            entropy: for secrets and ids.
            limits: retries of one request.
            issued: how often one grant may get tokens; by default as often as it likes.
        """
        self._store = store
        self._index = index
        self._people = people
        self._keys = keys
        self._config = config
        self._clock = clock
        self._entropy = entropy
        self._limits = limits
        self._commit = Commit(
            store, index, keys, config, ask=ask, clock=clock, entropy=entropy, limits=limits
        )
        self._issued = issued or Limit("issued", 0)
        # Remembers what a token says, and not whether it is good: that is looked at every time.
        self._access_tokens = SealMemo(lambda ring, text: read_access(ring, text, config.resource))

    async def begin(self, sign_in: SignIn) -> str:
        """Make a pending grant of a sign-in and return its authorization code.

        Raises:
            SubjectMismatch: the e-mail belongs to another upstream account; to be audited.
            AlreadyCompleted: the transaction already has its grant.
            StoreFull: there is no room for a new grant.
            Unavailable: store or keys cannot be reached; nothing was issued.
        """
        person, ring = sign_in.person, self._keys.ring()
        subject = subject_digest(sign_in.subject_issuer, sign_in.subject, person.uid)
        await bind_subject(self._store, person, subject, RetryBudget(self._limits))
        secret = self._entropy(SECRET_BYTES)
        token = sign_in.provider_token
        name = grant_name(sign_in.transaction)
        grant = transitions.issue(
            sign_in,
            self._config,
            subject=subject,
            code_hash=digest(secret),
            epoch=ring.epoch,
            now=self._clock(),
            entropy=self._entropy,
            upstream="" if token is None else seal_token(ring, token, name, self._entropy),
        )
        await self._commit.create(encode(grant, ring))
        code = AuthorizationCode(grant.name, secret)
        return write_code(ring, code, self._config.resource, self._entropy)

    async def completed(self, transaction: bytes) -> bool:
        """Return whether a transaction has its grant already, also if that was revoked since.

        Raises:
            Unavailable: the store cannot be reached.
        """
        held = self._store.get(grant_name(transaction))
        return await RetryBudget(self._limits).call(held) is not None

    async def redeem(
        self,
        code: str,
        *,
        client_id: str,
        redirect_uri: str | None,
        verifier: str,
        registered: Callable[[str], bool] | None = None,
    ) -> Tokens:
        """Exchange a code for the first tokens, once.

        Args:
            code: as it was sent to the client.
            client_id: of the client that presents it.
            redirect_uri: what the client says the code was sent to, if it says so.
            verifier: of PKCE.
            registered: whether a redirect URI still is the client's.

        Raises:
            InvalidGrant: the code is wrong, used, expired, or of another client, redirect URI or
                verifier; or its person may not have tokens.
            TooManyRequests: more often than one grant may; nothing was changed.
            Unavailable: a failure on our side; the same code may work later.
        """
        presented = await self._read(lambda ring: read_code(ring, code, self._config.resource))
        self._issued.take(presented.grant, grant=presented.grant)
        claim = Redemption(
            presented.secret,
            client_hash(client_id),
            redirect_uri,
            verifier,
            self._attempt(),
            registered,
        )
        committed = await self._commit.apply(presented.grant, claim, self._people.snapshot())
        _audit(Event.TOKEN_ISSUED, committed.grant)
        return self._tokens(committed, presented.secret, committed.grant.scopes)

    async def refresh(self, token: str, *, client_id: str, scopes: frozenset[str] | None) -> Tokens:
        """Exchange a refresh token for its successor and a new access token.

        Parallel and repeated refreshes of one token get the same successor. A token that was left
        behind ends the grant. If the provider gave a refresh token, it is asked first, once per
        successor.

        Raises:
            InvalidGrant: the token is wrong, of another client, left behind or expired; or its
                person may not have tokens, or the provider refuses them.
            InvalidScope: `scopes` are more than was granted, or none.
            Unavailable: a failure on our side or the provider's; the same token works later.
            TooManyRequests: more often than one grant may; nothing was changed.
            Unavailable: a failure on our side; the same token works later.
        """
        presented = await self._read(lambda ring: read_refresh(ring, token, self._config.resource))
        self._issued.take(presented.grant, grant=presented.grant)
        claim = Refresh(
            presented.generation, presented.secret, client_hash(client_id), scopes, self._attempt()
        )
        committed = await self._commit.apply(presented.grant, claim, self._people.snapshot())
        _audit(Event.TOKEN_REFRESHED, committed.grant)
        granted = committed.grant.scopes if scopes is None else scopes
        return self._tokens(committed, presented.secret, granted)

    async def authenticate(self, access_token: str) -> LiveGrant:
        """Return the live grant behind an access token; on the warm path without any I/O.

        It judges token and grant only; whether the person may act is for the caller to check
        (`people.admission`).

        Raises:
            InvalidToken: token or grant are no longer good; its reason is a `TokenFault`.
            Unavailable: a failure on our side; the same token may work later.
        """
        token = await self._opened(access_token)
        entry = await self._index.find(token.grant)
        scopes = token.scopes & entry.scopes
        return LiveGrant(token.grant, entry.user_uid, entry.client, scopes, entry.auth_time)

    async def revoke(self, token: str, *, client_id: str) -> None:
        """End the grant of an access or refresh token, if it is this client's (RFC 7009 2).

        Anything else that is presented has no effect and is not an error.

        Raises:
            Unavailable: a failure on our side; the grant may live on, so the client should retry.
        """
        resource = self._config.resource

        def read(ring: KeyRing) -> AccessToken | RefreshToken:
            if token.startswith(ACCESS_PREFIX):
                return read_access(ring, token, resource)
            return read_refresh(ring, token, resource)

        with contextlib.suppress(InvalidGrant):
            presented = await self._read(read)
            claim = Revocation(client_hash(client_id))
            await self._commit.apply(presented.grant, claim)

    async def recognise(self, person: Person, *, issuer: str, subject: str) -> str:
        """Return the digest of the upstream account that signed in as a person; store nothing.

        Raises:
            SubjectMismatch: the person is bound to another account; to be audited.
            Unavailable: the store cannot be reached.
        """
        account = subject_digest(issuer, subject, person.uid)
        await self.check_subject(person, account)
        return account

    async def check_subject(self, person: Person, account: str) -> None:
        """See that the person is still not bound to another account than the one of this digest.

        Raises:
            SubjectMismatch: they are.
            Unavailable: the store cannot be reached.
        """
        await check_subject(self._store, person.uid, account, RetryBudget(self._limits))

    async def of_person(self, person: Person) -> list[Grant]:
        """Return the grants of a person that are in use or about to be, the newest first.

        The list comes from the store, never from the index, and is complete.

        Raises:
            Unavailable: store or keys cannot be reached.
        """
        budget = RetryBudget(self._limits)
        found = await budget.repeat(
            lambda: connected(self._store, self._keys, self._config, person, now=self._clock())
        )
        return sorted(found, key=lambda grant: grant.created, reverse=True)

    async def end(self, name: str, person: Person) -> bool:
        """End a grant for its person; return False if it is not theirs, or over already.

        Raises:
            Unavailable: a failure on our side; the grant may live on.
        """
        try:
            await self._commit.apply(name, Disconnection(person.uid))
        except InvalidGrant as outcome:
            return outcome.reason == Cause.DISCONNECTED.value
        return False

    async def _read(self, read: Callable[[KeyRing], T]) -> T:
        try:
            return await with_known_key(self._keys, read)
        except SealError as error:
            raise InvalidGrant("malformed") from error

    async def _opened(self, access_token: str) -> AccessToken:
        try:
            token = await with_known_key(
                self._keys, lambda ring: self._access_tokens.read(ring, access_token)
            )
        except SealError as error:
            raise invalid_token(TokenFault.MALFORMED) from error
        if self._clock() >= token.expires + LEEWAY:
            raise invalid_token(TokenFault.EXPIRED)
        if token.epoch < self._keys.ring().epoch:
            raise invalid_token(TokenFault.OLD_EPOCH)
        return token

    def _tokens(self, committed: Committed, presented: bytes, scopes: frozenset[str]) -> Tokens:
        """Write the tokens of a stored generation; the same refresh token each time."""
        grant, ring, resource = committed.grant, committed.ring, self._config.resource
        now = self._clock()
        # A repeated refresh does not ask the provider again, so its access token lives no longer
        # than that of the refresh that did.
        since = min(now, grant.rotated_at) if grant.upstream else now
        expires = int(min(since + self._config.access_life, grant.last_moment(self._config)))
        access = AccessToken(grant.name, grant.generation, grant.epoch, int(now), expires, scopes)
        secret = transitions.current_secret(grant, presented, ring)
        refresh = RefreshToken(grant.name, grant.generation, secret)
        return Tokens(
            access_token=write_access(ring, access, resource, self._entropy),
            refresh_token=write_refresh(ring.require(grant.ratchet_kid), refresh, resource),
            expires_in=max(expires - int(now), 0),
            scopes=scopes,
        )

    def _attempt(self) -> str:
        return self._entropy(16).hex()


def _audit(event: Event, grant: Grant) -> None:
    audit(event, user=grant.user, grant=grant.name, client=grant.client_label)
