"""A store of grants whose watch can be cut, held silent or made too old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from harness.grantfaults import FaultySource, FaultyStore, Item
from productive_gateway.grants.record import Record
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_kube.collection import Change
from productive_kube.errors import Gone, Unreachable

WINDOW = 1
"""Seconds of a watch in real time, as short as one can be; ages are in held time."""

LATE = 0.2
"""Seconds after which a window that stays silent counts as dead."""


@dataclass
class WatchedStore(FaultyStore):
    """A store whose watch can be cut, held silent or made too old."""

    watching: asyncio.Event = field(default_factory=asyncio.Event)
    audible: asyncio.Event = field(default_factory=asyncio.Event)
    too_old: bool = False
    windows_end_at_once: bool = False
    silent: bool = False
    """Windows end in order, but not even a bookmark comes."""

    @property
    def lists(self) -> int:
        return self.calls.count("list")

    @property
    def windows(self) -> int:
        return self.calls.count("watch")

    def grants(self, decode: Callable[[Record], Item]) -> WatchedSource[Item]:
        return WatchedSource(self, decode)

    def restore(self, backup: MemoryGrantStore) -> None:
        """Put the store back to what it was."""
        self.inner = backup


class WatchedSource(FaultySource[Item]):
    store: WatchedStore

    async def watch(self, version: str, seconds: int) -> AsyncGenerator[Change[Item], None]:
        store = self.store
        if store.too_old:
            store.too_old = False
            raise Gone("watch test", status=410, reason="Expired")
        store.watching.set()
        if store.windows_end_at_once:
            await store.before("watch")
            return
        if store.silent or int(version) > int(await self.inner.version()):
            # What an API server does when it is asked for changes after a version that it has not
            # reached.
            await store.before("watch")
            await asyncio.sleep(seconds)
            return
        async with aclosing(super().watch(version, seconds)) as changes:
            async for change in changes:
                try:
                    async with asyncio.timeout(LATE):
                        await store.audible.wait()
                except TimeoutError as error:
                    raise Unreachable("watch test", status=0, reason="Timeout") from error
                yield change
