from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from harness.mount import MappingMount
from harness.scripted import Hands, ScriptedApi, unreachable, until
from productive_gateway.errors import Unavailable
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.sealing.keys import KeyRing, encode_ring, new_ring
from productive_gateway.watched.key_ring import FRESH_SECONDS, KeyRingSource
from productive_gateway.watched.watched_secret import MAX_STALENESS

NOW = 1_795_500_000.0


def ring(seed: str) -> KeyRing:
    return new_ring(NOW, lambda count: hashlib.sha256(seed.encode()).digest()[:count])


def data(seed: str) -> dict[str, bytes]:
    return {"keys.json": encode_ring(ring(seed))}


def source(api: ScriptedApi, **options: object) -> KeyRingSource:
    return KeyRingSource(api, "ns", "keys", **options)  # type: ignore[arg-type]


@asynccontextmanager
async def running(keys: KeyRingSource) -> AsyncIterator[KeyRingSource]:
    task = asyncio.create_task(keys.run())
    try:
        yield keys
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def in_use(keys: KeyRingSource) -> KeyRing | None:
    try:
        return keys.ring()
    except Unavailable:
        return None


def broken() -> float | None:
    return REGISTRY.get_sample_value("productive_mcp_key_ring_broken")


async def test_without_a_ring_the_gateway_says_so_and_what_to_do() -> None:
    with pytest.raises(Unavailable, match="ask your administrator") as caught:
        source(ScriptedApi()).ring()
    assert caught.value.reason == "no_key_ring"


async def test_the_watched_ring_is_in_use_and_on_the_metrics() -> None:
    async with running(source(api := ScriptedApi(data("one")))) as keys:
        await api.window()
        assert keys.ring() == ring("one")
        assert keys.healthy
        labels = {"kid": ring("one").current, "current": "true"}
        assert REGISTRY.get_sample_value("productive_mcp_key_loaded", labels) == 1
        created = REGISTRY.get_sample_value("productive_mcp_current_key_created_timestamp_seconds")
        assert created == ring("one").sealing_key().created
        api.put(data("two"))
        await until(lambda: keys.ring() == ring("two"))
        assert REGISTRY.get_sample_value("productive_mcp_key_loaded", labels) is None


async def test_a_cold_start_takes_the_mount_until_the_api_answers(tmp_path: Path) -> None:
    MappingMount(tmp_path / "m").write(data("mounted"))
    keys = source(api := ScriptedApi(data("watched")), mount=tmp_path / "m")
    assert keys.ring() == ring("mounted")
    async with running(keys):
        await api.window()
        assert keys.ring() == ring("watched")


async def test_a_mount_that_comes_late_is_found(tmp_path: Path) -> None:
    api = ScriptedApi()
    api.failure = unreachable()
    async with running(source(api, mount=tmp_path / "m")) as keys:
        MappingMount(tmp_path / "m").write(data("late"))
        await until(lambda: in_use(keys) == ring("late"))


async def test_an_unreadable_mount_is_no_ring(tmp_path: Path) -> None:
    MappingMount(tmp_path / "m").write({"keys.json": b"{"})
    with capture_logs() as logs:
        keys = source(ScriptedApi(), mount=tmp_path / "m")
    assert [line["event"] for line in logs] == ["key_ring.mount_unreadable"]
    with pytest.raises(Unavailable):
        keys.ring()


@pytest.mark.parametrize("bad", [{}, {"keys.json": b""}, {"keys.json": b'{"version":1}'}])
async def test_a_broken_or_deleted_ring_changes_nothing_but_the_alarm(
    bad: dict[str, bytes],
) -> None:
    with capture_logs() as logs:
        async with running(source(api := ScriptedApi(data("one")))) as keys:
            await api.window()
            assert (broken(), keys.problem) == (0, None)
            api.put(bad)
            api.put(bad)
            await until(lambda: keys.problem is not None)
            assert broken() == 1
            assert keys.ring() == ring("one")
            api.remove()
            await until(lambda: "does not exist" in (keys.problem or ""))
            assert keys.ring() == ring("one")
            api.put(data("one"))
            await until(lambda: keys.problem is None)
            assert broken() == 0
    assert [line["event"] for line in logs] == [
        "key_ring.loaded",
        "key_ring.broken",
        "key_ring.broken",
        "key_ring.restored",
    ]


@pytest.mark.attack("R-07", "R-15")
async def test_a_fresh_read_finds_a_key_that_the_watch_has_not_told_of() -> None:
    keys = source(ScriptedApi(data("new")))
    assert await keys.fresh() == ring("new")
    assert keys.ring() == ring("new")


@pytest.mark.attack("R-15")
async def test_a_fresh_read_does_not_bring_back_what_the_watch_replaced_meanwhile() -> None:
    async with running(source(api := ScriptedApi(data("old")))) as keys:
        await api.window()
        changes = [data("new")]

        async def late() -> None:
            """Let the watch tell of a change before the answer arrives."""
            if changes:
                api.put(changes.pop())
                await until(lambda: keys.ring() == ring("new"))

        api.on_get = late
        assert await keys.fresh() == ring("new")
        assert keys.ring() == ring("new")


@pytest.mark.attack("R-07")
async def test_any_number_of_fresh_reads_cost_one_request_each_two_seconds() -> None:
    clock = Hands()
    keys = source(api := ScriptedApi(data("one")), monotonic=clock)
    await asyncio.gather(*(keys.fresh() for _ in range(50)))
    assert len(api.requests) == 1
    clock.advance(FRESH_SECONDS - 0.1)
    await keys.fresh()
    assert len(api.requests) == 1
    clock.advance(0.2)
    await keys.fresh()
    assert len(api.requests) == 2


@pytest.mark.attack("R-07", "R-15")
@pytest.mark.parametrize("cause", ["away", "deleted", "malformed"])
async def test_a_ring_that_cannot_be_read_freshly_is_unavailable(cause: str) -> None:
    clock = Hands()
    keys = source(api := ScriptedApi(data("one")), monotonic=clock)
    await keys.fresh()
    if cause == "away":
        api.failure = unreachable()
    elif cause == "deleted":
        api.remove()
    else:
        api.put({"keys.json": b"{"})
    clock.advance(FRESH_SECONDS)
    for _ in range(5):
        with pytest.raises(Unavailable, match="Try again"):
            await keys.fresh()
    assert len(api.requests) == 2
    assert keys.ring() == ring("one")
    api.failure = None
    api.put(data("one"))
    clock.advance(FRESH_SECONDS)
    assert await keys.fresh() == ring("one")


async def away(api: ScriptedApi) -> None:
    await api.window()
    api.failure = unreachable()
    api.break_window(unreachable())


@pytest.mark.attack("R-02")
async def test_ring_that_was_not_confirmed_for_max_staleness_is_unavailable() -> None:
    """Its epoch may have been raised since, which ends every sign-in."""
    clock = Hands()
    async with running(source(api := ScriptedApi(data("one")), monotonic=clock)) as keys:
        await away(api)
        clock.advance(MAX_STALENESS)
        assert keys.ring() == ring("one")
        clock.advance(0.1)
        with pytest.raises(Unavailable, match="administrator") as caught:
            keys.ring()
        assert (caught.value.reason, caught.value.retry_after) == ("key_ring_stale", 30)
        assert keys.last_ring() == ring("one")
        api.failure = None
        await until(lambda: keys.healthy)
        assert keys.ring() == ring("one")


async def test_mounted_ring_is_used_for_max_staleness_after_a_start_without_the_api(
    tmp_path: Path,
) -> None:
    MappingMount(tmp_path / "m").write(data("mounted"))
    clock = Hands()
    keys = source(ScriptedApi(), mount=tmp_path / "m", monotonic=clock)
    clock.advance(MAX_STALENESS)
    assert keys.ring() == ring("mounted")
    clock.advance(0.1)
    with pytest.raises(Unavailable) as caught:
        keys.ring()
    assert caught.value.reason == "key_ring_stale"


async def test_fresh_read_confirms_the_ring_while_its_watch_is_dead() -> None:
    clock = Hands()
    async with running(source(api := ScriptedApi(data("one")), monotonic=clock)) as keys:
        await api.window()
        api.failures = {"list": unreachable(), "watch": unreachable()}
        api.break_window(unreachable())
        clock.advance(MAX_STALENESS + 1)
        with pytest.raises(Unavailable):
            keys.ring()
        assert await keys.fresh() == ring("one")
        assert keys.ring() == ring("one")
        assert not keys.healthy
        clock.advance(MAX_STALENESS + 0.1)
        with pytest.raises(Unavailable):
            keys.ring()
