from __future__ import annotations

import asyncio

import pytest

from productive_gateway.productive.wire.cache import Cache


class Source:
    """A value whose reading can be held and can fail."""

    def __init__(self) -> None:
        self.reads = 0
        self.release = asyncio.Event()
        self.error: Exception | None = None

    async def read(self) -> int:
        self.reads += 1
        await self.release.wait()
        if self.error is not None:
            raise self.error
        return self.reads


async def test_concurrent_callers_share_one_read() -> None:
    cache, source = Cache(clock=lambda: 0), Source()
    callers = [asyncio.create_task(cache.remember(("a",), 60, source.read)) for _ in range(5)]
    await asyncio.sleep(0)
    source.release.set()
    assert await asyncio.gather(*callers) == [1] * 5
    assert await cache.remember(("a",), 60, source.read) == 1


async def test_concurrent_callers_share_one_failure_and_a_later_one_reads_again() -> None:
    cache, source = Cache(clock=lambda: 0), Source()
    source.error = OSError("down")
    callers = [asyncio.create_task(cache.remember(("a",), 60, source.read)) for _ in range(5)]
    await asyncio.sleep(0)
    source.release.set()
    failed = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(one) for one in failed] == [OSError] * 5
    assert source.reads == 1
    source.error = None
    assert await cache.remember(("a",), 60, source.read) == 2


async def test_another_caller_reads_when_the_first_is_cancelled() -> None:
    cache, source = Cache(clock=lambda: 0), Source()
    first = asyncio.create_task(cache.remember(("a",), 60, source.read))
    await asyncio.sleep(0)
    second = asyncio.create_task(cache.remember(("a",), 60, source.read))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.release.set()
    assert await second == 2


async def test_value_that_was_just_read_is_not_forgotten() -> None:
    now = [0.0]
    cache, source = Cache(clock=lambda: now[0]), Source()
    source.release.set()
    await cache.remember(("a",), 60, source.read)
    cache.forget(("a",), older_than=5)
    assert await cache.remember(("a",), 60, source.read) == 1
    now[0] = 5
    cache.forget(("a",), older_than=5)
    assert await cache.remember(("a",), 60, source.read) == 2
    cache.forget(("a",))
    assert await cache.remember(("a",), 60, source.read) == 3
