"""A store of grants that counts its calls and fails as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import Changed
from productive_gateway.grants.record import Record, RecordKind
from productive_gateway.grants.store import GrantStore
from productive_kube.client import Listed
from productive_kube.collection import Change, Source
from productive_kube.errors import Gone, Unreachable

Method = Literal["create", "get", "update", "delete", "list", "version", "watch"]
FaultKind = Literal["changed", "expired", "away", "lost", "slow"]
"""`lost`: the call is made, but its answer does not come."""

Item = TypeVar("Item")


@dataclass
class Fault:
    """What happens to the next calls of a method."""

    method: Method
    kind: FaultKind
    times: int


@dataclass
class FaultyStore:
    """A store in front of another one."""

    inner: GrantStore
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    hooks: dict[Method, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """What is done once before the next call of a method."""
    barrier: asyncio.Barrier | None = None

    @property
    def capacity(self) -> int | None:
        return self.inner.capacity

    def fail(self, method: Method, kind: FaultKind, times: int = 1) -> None:
        self.faults.append(Fault(method, kind, times))

    def writes(self) -> int:
        return sum(call in {"create", "update", "delete"} for call in self.calls)

    def hold_until_all_read(self, readers: int) -> None:
        """Let the next reads of single records return only when so many have been made."""
        self.barrier = asyncio.Barrier(readers)

    async def create(self, record: Record) -> Record:
        return await self._call("create", self.inner.create, record)

    async def get(self, name: str) -> Record | None:
        record = await self._call("get", self.inner.get, name)
        barrier = self.barrier
        if barrier is not None:
            await barrier.wait()
            self.barrier = None
        return record

    async def update(self, record: Record) -> Record:
        return await self._call("update", self.inner.update, record)

    async def delete(self, record: Record) -> None:
        return await self._call("delete", self.inner.delete, record)

    async def list(
        self, kind: RecordKind, decode: Callable[[Record], Item], *, user_uid: str | None = None
    ) -> list[Item]:
        await self.before("list")
        return await self.inner.list(kind, decode, user_uid=user_uid)

    def grants(self, decode: Callable[[Record], Item]) -> Source[Item]:
        return FaultySource(self, decode)

    async def before(self, method: Method) -> str | None:
        """Count a call, let others get a turn, and fail if that is due."""
        self.calls.append(method)
        await asyncio.sleep(0)
        hook = self.hooks.pop(method, None)
        if hook is not None:
            await hook()
        for fault in self.faults:
            if fault.method == method and fault.times > 0:
                fault.times -= 1
                if fault.kind == "changed":
                    raise Changed
                if fault.kind == "expired":
                    raise Gone(f"{method} test", status=410, reason="Expired")
                if fault.kind == "away":
                    raise away()
                if fault.kind == "slow":
                    await asyncio.sleep(60)
                return fault.kind
        return None

    async def _call(
        self, method: Method, call: Callable[..., Awaitable[Item]], *arguments: Any
    ) -> Item:
        kind = await self.before(method)
        answer = await call(*arguments)
        if kind == "lost":
            raise away()
        # Others get a turn between any two calls, as they do over a network.
        await asyncio.sleep(0)
        return answer


@dataclass(frozen=True)
class FaultySource(Generic[Item]):
    """The grants of a faulty store; it always asks the store that is there now."""

    store: FaultyStore
    decode: Callable[[Record], Item]

    @property
    def inner(self) -> Source[Item]:
        return self.store.inner.grants(self.decode)

    async def list(self) -> Listed[Item]:
        await self._before("list")
        return await self.inner.list()

    async def watch(self, version: str, seconds: int) -> AsyncGenerator[Change[Item], None]:
        await self._before("watch")
        async with aclosing(self.inner.watch(version, seconds)) as changes:
            async for change in changes:
                yield change

    async def version(self) -> str:
        await self._before("version")
        return await self.inner.version()

    async def _before(self, method: Method) -> None:
        try:
            await self.store.before(method)
        except Unavailable as error:
            raise Unreachable(f"{method} test", status=0, reason="Away") from error


def away() -> Unavailable:
    return Unavailable("The store is away. Try again.", reason="grants_away", retry_after=7)
