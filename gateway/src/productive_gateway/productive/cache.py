"""Recently read values, kept separately for each organization and token.

Rights differ from person to person, so two tokens share nothing: each key begins with the
organization and the token's fingerprint. Values are in memory only, because they are business data.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from productive_contract.clock import Clock, system_clock

Key = tuple[str, ...]
"""Organization, token fingerprint, then the name of the value."""

_MOST_ENTRIES: Final = 10_000

T = TypeVar("T")


class Cache:
    """Values with a lifetime; when it is full, the least recently used one is dropped."""

    def __init__(self, *, most: int = _MOST_ENTRIES, clock: Clock = system_clock) -> None:
        self._most = most
        self._clock = clock
        self._entries: OrderedDict[Key, tuple[float, Any]] = OrderedDict()
        self._locks: dict[Key, tuple[asyncio.Lock, int]] = {}

    async def remember(self, key: Key, lifetime: float, read: Callable[[], Awaitable[T]]) -> T:
        """Return the value under `key`; concurrent callers share one read.

        An error is not remembered: the next caller reads again.

        Args:
            key: names the value.
            lifetime: seconds for which a value that is read now stays valid.
            read: reads the value.
        """
        async with self._alone(key):
            kept = self._entries.get(key)
            if kept is not None and kept[0] > self._clock():
                self._entries.move_to_end(key)
                value: T = kept[1]
                return value
            value = await read()
            self._entries[key] = (self._clock() + lifetime, value)
            self._entries.move_to_end(key)
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)
            return value

    def forget(self, key: Key) -> None:
        """Drop the value, so that the next caller reads it again."""
        self._entries.pop(key, None)

    @asynccontextmanager
    async def _alone(self, key: Key) -> AsyncIterator[None]:
        lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._locks[key]
            if waiting == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, waiting - 1)
