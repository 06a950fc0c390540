"""Recently read values, kept separately for each organization and token.

Rights differ from person to person, so two tokens share nothing: each key begins with the
organization and the token's fingerprint. Values are in memory only, because they are business data.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from productive_contract.clock import Clock, system_clock
from productive_gateway.observability.metrics import CacheCounters

Key = tuple[str, ...]
"""Organization, token fingerprint, then the name of the value."""

_MOST_ENTRIES: Final = 10_000
_COUNTERS: Final = CacheCounters("productive")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept:
    read_at: float
    good_until: float
    value: Any


class Cache:
    """Values with a lifetime; when it is full, the least recently used one is dropped."""

    def __init__(self, *, most: int = _MOST_ENTRIES, clock: Clock = system_clock) -> None:
        self._most = most
        self._clock = clock
        self._entries: OrderedDict[Key, _Kept] = OrderedDict()
        self._running: dict[Key, asyncio.Future[Any]] = {}

    async def remember(self, key: Key, lifetime: float, read: Callable[[], Awaitable[T]]) -> T:
        """Return the value under `key`; concurrent callers share one read, and its failure.

        An error is not remembered: a caller that comes after it reads again.

        Args:
            key: names the value.
            lifetime: seconds for which a value that is read now stays valid.
            read: reads the value.
        """
        while True:
            kept = self._entries.get(key)
            if kept is not None and kept.good_until > self._clock():
                self._entries.move_to_end(key)
                _COUNTERS.hit.inc()
                value: T = kept.value
                return value
            running = self._running.get(key)
            if running is None:
                _COUNTERS.miss.inc()
                return await self._read(key, lifetime, read)
            await asyncio.wait([running])
            if not running.cancelled():
                _COUNTERS.shared.inc()
                shared: T = running.result()
                return shared

    def forget(self, key: Key, *, older_than: float = 0) -> None:
        """Drop the value, so that the next caller reads it again.

        Args:
            key: names the value.
            older_than: seconds; a value that was read later is kept.
        """
        kept = self._entries.get(key)
        if kept is not None and kept.read_at <= self._clock() - older_than:
            del self._entries[key]

    def forget_under(self, prefix: Key) -> None:
        """Drop all values whose keys begin so."""
        gone = [key for key in self._entries if key[: len(prefix)] == prefix]
        for key in gone:
            del self._entries[key]

    async def _read(self, key: Key, lifetime: float, read: Callable[[], Awaitable[T]]) -> T:
        running = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            value = await read()
        except Exception as error:
            running.set_exception(error)
            running.exception()  # retrieved: nobody else may be waiting
            raise
        except BaseException:
            # The caller was cancelled; another one reads.
            running.cancel()
            raise
        else:
            running.set_result(value)
        finally:
            del self._running[key]
        now = self._clock()
        self._entries[key] = _Kept(now, now + lifetime, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return value
