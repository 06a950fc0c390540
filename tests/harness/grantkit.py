"""Parts for tests of grants: held time, people that can change, a store that can go wrong."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from productive_contract.clock import system_entropy
from productive_contract.mapping import Mapping, Person, State
from productive_contract.secret import Secret
from productive_gateway.errors import InvalidToken, Unavailable
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.errors import Conflict, Expired
from productive_gateway.grants.service import Grants, SignIn, Tokens
from productive_gateway.grants.store import Change, GrantStore, Kind, Page, Record
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.sealing.keys import Key, KeyRing, key_id, new_ring

RESOURCE = "https://mcp.example.test/mcp"
CALLBACK = "https://assistant.example/callback"
CLIENT = "pmcp_dc_client"
SCOPES = frozenset({"productive:read", "productive:write"})
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
NOW = 1_795_000_000.0

T = TypeVar("T")
Trouble = Literal["conflict", "expired", "away", "lost", "slow"]
Method = Literal["create", "get", "update", "delete", "pages", "version", "watch"]


class HeldClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


class HeldPeople:
    """A mapping that a test changes; None stands for one that cannot be read."""

    def __init__(self, *people: Person) -> None:
        self.people: dict[str, Person] | None = {person.email: person for person in people}

    def snapshot(self) -> Snapshot:
        if self.people is None:
            raise Unavailable("No mapping was read yet. Try again.", reason="mapping_missing")
        return Snapshot.of(Mapping(1, MappingProxyType(dict(self.people))))

    def put(self, person: Person) -> None:
        assert self.people is not None
        self.people[person.email] = person

    def remove(self, person: Person) -> None:
        assert self.people is not None
        del self.people[person.email]


class HeldKeys:
    """A key ring that a test changes: `loaded` is what the replica has, `stored` what is there."""

    def __init__(self, ring: KeyRing | None = None) -> None:
        self.loaded = ring or new_ring(NOW, system_entropy)
        self.stored: KeyRing | None = self.loaded
        self.reads = 0

    def ring(self) -> KeyRing:
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


@dataclass
class Fault:
    """What happens to the next calls of a method: `lost` is made, but its answer does not come."""

    method: Method
    kind: Trouble
    times: int = 1


@dataclass
class FaultyStore:
    """A store in front of another that counts calls and goes wrong as it is told."""

    inner: GrantStore
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def fail(self, method: Method, kind: Trouble, times: int = 1) -> None:
        self.faults.append(Fault(method, kind, times))

    def writes(self) -> int:
        return sum(call in {"create", "update", "delete"} for call in self.calls)

    async def create(self, record: Record) -> Record:
        return await self._call("create", self.inner.create, record)

    async def get(self, name: str) -> Record | None:
        return await self._call("get", self.inner.get, name)

    async def update(self, record: Record) -> Record:
        return await self._call("update", self.inner.update, record)

    async def delete(self, record: Record) -> None:
        return await self._call("delete", self.inner.delete, record)

    async def pages(self, kind: Kind, *, user_uid: str | None = None) -> AsyncIterator[Page]:
        await self._before("pages")
        async for page in self.inner.pages(kind, user_uid=user_uid):
            yield page

    async def version(self) -> str:
        return await self._call("version", self.inner.version)

    async def watch(self, version: str, *, seconds: float) -> AsyncIterator[Change]:
        await self._before("watch")
        async for change in self.inner.watch(version, seconds=seconds):
            yield change

    async def _call(self, method: Method, call: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        kind = await self._before(method)
        answer = await call(*arguments)
        if kind == "lost":
            raise away()
        # Others get a turn between any two calls, as they do over a network.
        await asyncio.sleep(0)
        return answer

    async def _before(self, method: Method) -> str | None:
        self.calls.append(method)
        await asyncio.sleep(0)
        for fault in self.faults:
            if fault.method == method and fault.times > 0:
                fault.times -= 1
                if fault.kind == "conflict":
                    raise Conflict
                if fault.kind == "expired":
                    raise Expired
                if fault.kind == "away":
                    raise away()
                if fault.kind == "slow":
                    await asyncio.sleep(60)
                return fault.kind
        return None


def away() -> Unavailable:
    return Unavailable("The store is away. Try again.", reason="grants_away", retry_after=7)


@dataclass
class Desk:
    """One replica and what it stands on, with short words for what clients do."""

    store: GrantStore
    people: HeldPeople
    keys: HeldKeys
    clock: HeldClock
    config: GrantConfig
    grants: Grants

    def replica(
        self,
        *,
        store: GrantStore | None = None,
        keys: HeldKeys | None = None,
        clock: HeldClock | None = None,
    ) -> Desk:
        """Return another replica over the same store."""
        return desk(
            store or self.store,
            people=self.people,
            keys=keys or self.keys,
            clock=clock or self.clock,
            config=self.config,
        )

    async def code(self, **changes: Any) -> str:
        return await self.grants.begin(sign_in(self.clock, **changes))

    async def redeem(self, code: str, **changes: Any) -> Tokens:
        presented: dict[str, Any] = {
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "verifier": VERIFIER,
            "resource": RESOURCE,
        }
        return await self.grants.redeem(code, **(presented | changes))

    async def refresh(self, token: str, **changes: Any) -> Tokens:
        presented: dict[str, Any] = {"client_id": CLIENT, "resource": None, "scopes": None}
        return await self.grants.refresh(token, **(presented | changes))

    async def tokens(self, **changes: Any) -> Tokens:
        return await self.redeem(await self.code(**changes))


def desk(
    store: GrantStore,
    *,
    people: HeldPeople | None = None,
    keys: HeldKeys | None = None,
    clock: HeldClock | None = None,
    config: GrantConfig | None = None,
) -> Desk:
    people, keys, clock = people or HeldPeople(ana()), keys or HeldKeys(), clock or HeldClock()
    config = config or GrantConfig(RESOURCE)
    grants = Grants(store, people, keys, config, clock=clock)
    return Desk(store, people, keys, clock, config, grants)


def sign_in(clock: HeldClock, **changes: Any) -> SignIn:
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


@asynccontextmanager
async def running(front: Desk) -> AsyncIterator[Desk]:
    """Run the replica's index for the time of the block."""
    task = asyncio.create_task(front.grants.run())
    await eventually(lambda: front.grants.healthy, what="the index is healthy")
    try:
        yield front
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def refused(front: Desk, access_token: str) -> bool:
    """Whether /mcp would answer 401."""
    try:
        await front.grants.authenticate(access_token)
    except InvalidToken:
        return True
    return False


async def records(store: GrantStore, kind: Kind = Kind.GRANT) -> list[Record]:
    return [record async for page in store.pages(kind) for record in page.records]


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
