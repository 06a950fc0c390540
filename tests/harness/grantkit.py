"""Parts for tests of grants: held time, people and keys that can change, replicas, grants."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from productive_contract.clock import Clock, system_entropy
from productive_contract.mapping import Mapping, Person, State
from productive_contract.secret import Secret
from productive_gateway.errors import InvalidToken, Unavailable
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.errors import InvalidGrant, TokenFault
from productive_gateway.grants.grant import Grant, GrantState, SignIn, client_hash
from productive_gateway.grants.index import GrantIndex
from productive_gateway.grants.provider import Answer, AskProvider
from productive_gateway.grants.record import Record, RecordKind
from productive_gateway.grants.retry_budget import RetryLimits
from productive_gateway.grants.service import LIMITS, Grants, Tokens
from productive_gateway.grants.steps import Advance, Redemption, Refresh
from productive_gateway.grants.store import GrantStore
from productive_gateway.grants.tokens import digest
from productive_gateway.grants.transitions import current_secret, redeem
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.sealing.keys import Key, KeyRing, key_id, new_ring
from productive_kube.backoff import Backoff
from productive_kube.reflector import WINDOW_SECONDS

RESOURCE = "https://mcp.example.test/mcp"
CALLBACK = "https://assistant.example/callback"
CLIENT = "pmcp_dc_client"
SCOPES = frozenset({"productive:read", "productive:write"})
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
NOW = 1_795_000_000.0


class HeldClock:
    """A clock that does not move until it is told to."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


class HeldPeople:
    """A mapping that a test changes; with None it cannot be read."""

    def __init__(self, *people: Person) -> None:
        self.people: dict[str, Person] | None = {person.email: person for person in people}
        self.proves_absence = True

    def snapshot(self) -> Snapshot:
        if self.people is None:
            raise Unavailable("No mapping was read yet. Try again.", reason="mapping_unconfirmed")
        snapshot = Snapshot.of(Mapping(1, MappingProxyType(dict(self.people))))
        return replace(snapshot, proves_absence=self.proves_absence)

    def put(self, person: Person) -> None:
        assert self.people is not None
        self.people[person.email] = person

    def remove(self, person: Person) -> None:
        assert self.people is not None
        del self.people[person.email]


class HeldKeys:
    """A key ring that a test changes: `loaded` is the replica's, `stored` the present one."""

    def __init__(self, ring: KeyRing | None = None) -> None:
        self.loaded = ring or new_ring(NOW, system_entropy)
        self.stored: KeyRing | None = self.loaded
        self.reads = 0

    def ring(self) -> KeyRing:
        return self.loaded

    def last_ring(self) -> KeyRing:
        return self.loaded

    async def fresh(self) -> KeyRing:
        self.reads += 1
        if self.stored is None:
            raise Unavailable("The key ring cannot be read. Try again.", reason="keys_away")
        self.loaded = self.stored
        return self.loaded

    def put(self, ring: KeyRing) -> None:
        self.loaded = self.stored = ring


def new_key() -> Key:
    secret = secrets.token_bytes(32)
    return Key(key_id(secret), secret, NOW)


def ana(
    *,
    uid: str = "5f0c6f0e-0000-4000-8000-000000000001",
    email: str = "ana@example.com",
    state: State = State.ACTIVE,
    revoked_before: float | None = None,
) -> Person:
    return Person(
        email=email,
        uid=uid,
        user="acme-users/ana",
        user_id=9104,
        state=state,
        api_token=Secret("productive-token") if state is State.ACTIVE else None,
        revoked_before=None
        if revoked_before is None
        else datetime.fromtimestamp(revoked_before, UTC),
    )


# --- grants without a store


KEY = new_key()
RING = KeyRing((KEY,), KEY.kid)
SECRET = b"c" * 32
"""Of the code of `pending`."""


def pending(**changes: Any) -> Grant:
    grant = Grant(
        name="g-" + "a" * 26,
        state=GrantState.PENDING,
        user_uid=ana().uid,
        user=ana().user,
        subject="0" * 64,
        client=client_hash(CLIENT),
        client_name="Assistant",
        client_host="assistant.example",
        redirect_uri=CALLBACK,
        resource=RESOURCE,
        scopes=SCOPES,
        auth_time=NOW,
        created=NOW,
        absolute_end=NOW + 7 * DAY,
        epoch=0,
        attempt="created",
        code_hash=digest(SECRET),
        challenge=CHALLENGE,
        code_end=NOW + 300,
        salt=b"s" * 16,
    )
    return replace(grant, **changes)


def redemption(**changes: Any) -> Redemption:
    claim = Redemption(SECRET, client_hash(CLIENT), CALLBACK, VERIFIER, "redeemed")
    return replace(claim, **changes)


def active(**changes: Any) -> Grant:
    step = redeem(pending(), redemption(), RING, None, now=NOW)
    assert isinstance(step, Advance)
    return replace(step.grant, **changes)


def refresh_of(grant: Grant, previous: bytes = SECRET, **changes: Any) -> Refresh:
    """Return the claim of somebody who holds the current refresh token.

    Args:
        grant: made with RING.
        previous: secret of the generation before.
        changes: to the claim.
    """
    secret = current_secret(grant, previous, RING)
    claim = Refresh(grant.generation, secret, client_hash(CLIENT), None, "refreshed")
    return replace(claim, **changes)


# --- replicas


async def nobody_asks(_: Secret) -> Answer:
    raise AssertionError("the provider gave no refresh token, so it is not asked")


@dataclass(frozen=True)
class Parts:
    """What a replica is made of."""

    store: GrantStore
    people: HeldPeople = field(default_factory=lambda: HeldPeople(ana()))
    keys: HeldKeys = field(default_factory=HeldKeys)
    clock: HeldClock = field(default_factory=HeldClock)
    config: GrantConfig = field(default_factory=lambda: GrantConfig(RESOURCE))
    monotonic: Clock | None = None
    """The clock by which the index measures ages; the other one unless it is given."""
    window: int = WINDOW_SECONDS
    backoff: Backoff | None = None
    limits: RetryLimits = LIMITS
    ask: AskProvider = nobody_asks


class Replica:
    """One replica of the gateway's grants, with short methods for what clients do."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.store, self.people, self.keys = parts.store, parts.people, parts.keys
        self.clock, self.config = parts.clock, parts.config
        self.index = GrantIndex(
            parts.store,
            parts.keys,
            parts.config,
            window=parts.window,
            backoff=parts.backoff,
            monotonic=parts.monotonic or parts.clock,
        )
        self.grants = Grants(
            parts.store,
            self.index,
            parts.people,
            parts.keys,
            parts.config,
            ask=parts.ask,
            clock=parts.clock,
            limits=parts.limits,
        )

    @classmethod
    def over(cls, store: GrantStore, **parts: Any) -> Replica:
        """Return a replica over a store; see `Parts`."""
        return cls(Parts(store, **parts))

    def another(self, **parts: Any) -> Replica:
        """Return another replica that shares all parts but those given."""
        return Replica(replace(self.parts, **parts))

    async def code(self, **changes: Any) -> str:
        return await self.grants.begin(sign_in(self.clock, **changes))

    async def redeem(self, code: str, **changes: Any) -> Tokens:
        presented: dict[str, Any] = {
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "verifier": VERIFIER,
        }
        return await self.grants.redeem(code, **(presented | changes))

    async def refresh(self, token: str, **changes: Any) -> Tokens:
        presented: dict[str, Any] = {"client_id": CLIENT, "scopes": None}
        return await self.grants.refresh(token, **(presented | changes))

    async def tokens(self, **changes: Any) -> Tokens:
        return await self.redeem(await self.code(**changes))

    async def refuses(self, access_token: str) -> bool:
        """Whether /mcp would answer 401."""
        try:
            await self.grants.authenticate(access_token)
        except InvalidToken:
            return True
        return False

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Replica]:
        """Run the index for the time of the block."""
        task = asyncio.create_task(self.index.run())
        await eventually(lambda: self.index.healthy, what="the index is healthy")
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def sign_in(clock: Clock, **changes: Any) -> SignIn:
    values: dict[str, Any] = {
        "transaction": secrets.token_bytes(16),
        "person": ana(),
        "subject_issuer": "https://idp.example",
        "subject": "subject-of-ana",
        "client_id": CLIENT,
        "client_name": "Assistant",
        "client_host": "assistant.example",
        "redirect_uri": CALLBACK,
        "resource": RESOURCE,
        "scopes": SCOPES,
        "challenge": CHALLENGE,
        "auth_time": clock(),
    }
    return SignIn(**(values | changes))


async def records(store: GrantStore, kind: RecordKind = RecordKind.GRANT) -> list[Record]:
    return await store.list(kind, lambda record: record)


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = 10.0, what: str
) -> None:
    """Wait until the condition holds.

    Raises:
        AssertionError: it did not in time.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        assert asyncio.get_running_loop().time() < deadline, f"not in {seconds} s: {what}"
        await asyncio.sleep(0.01)


async def all_records(store: GrantStore) -> list[Record]:
    """Return grants and subject bindings, to see that a refusal changed nothing."""
    return [*await records(store, RecordKind.GRANT), *await records(store, RecordKind.SUBJECT)]


async def invalid_grant(call: Awaitable[object], reason: str) -> None:
    """Check that a call of the token endpoint's is refused for this reason."""
    with pytest.raises(InvalidGrant) as error:
        await call
    assert error.value.reason == reason
    assert "Connect again" in str(error.value)


async def invalid_token(replica: Replica, access_token: str, fault: TokenFault) -> None:
    """Check that an access token is refused for this reason."""
    with pytest.raises(InvalidToken) as error:
        await replica.grants.authenticate(access_token)
    assert error.value.reason == fault.value
