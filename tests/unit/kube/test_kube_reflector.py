from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from harness.scripted import Hands, ScriptedApi, unreachable, until
from productive_gateway.observability.metrics import REGISTRY
from productive_kube.errors import Forbidden, Gone, Unreachable
from productive_kube.reflector import NamedSecret


class Followed:
    """A watch that runs, and what its callback was told."""

    def __init__(self, api: ScriptedApi) -> None:
        self.api = api
        self.clock = Hands()
        self.told: list[dict[str, bytes] | None] = []
        self.versions: list[str] = []
        self.pauses: list[float] = []
        self.secret = NamedSecret(
            api,
            "ns",
            "it",
            self._on_object,
            label="test",
            monotonic=self.clock,
            pause=self._pause,
        )

    def _on_object(self, data: dict[str, bytes] | None, version: str) -> None:
        self.told.append(data)
        self.versions.append(version)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0.001)


@asynccontextmanager
async def following(api: ScriptedApi) -> AsyncIterator[Followed]:
    followed = Followed(api)
    task = asyncio.create_task(followed.secret.run())
    try:
        yield followed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_lists_by_name_and_watches_from_there() -> None:
    api = ScriptedApi({"a": b"1"})
    async with following(api) as followed:
        await api.window()
        assert followed.told == [{"a": b"1"}]
        assert api.requests == [
            "get /api/v1/namespaces/ns/secrets?fieldSelector=metadata.name=it",
            "watch /api/v1/namespaces/ns/secrets?fieldSelector=metadata.name=it&resourceVersion=11",
        ]


async def test_changes_deletion_and_return_are_told_in_order() -> None:
    api = ScriptedApi({"a": b"1"})
    async with following(api) as followed:
        await api.window()
        api.put({"a": b"2"})
        api.remove()
        api.put({})
        await until(lambda: len(followed.told) == 4)
        assert followed.told == [{"a": b"1"}, {"a": b"2"}, None, {}]
        assert followed.versions == ["11", "12", "13", "14"]


async def test_an_absent_secret_is_told_too() -> None:
    api = ScriptedApi()
    async with following(api) as followed:
        await api.window()
        assert followed.told == [None]


async def test_the_next_window_begins_where_the_last_event_or_bookmark_was() -> None:
    api = ScriptedApi({})
    async with following(api) as followed:
        await api.window()
        api.put({"a": b"2"})
        api.bookmark()
        followed.clock.advance(10)
        api.end_window()
        await until(lambda: len(api.requests) == 3)
        assert api.requests[-1].endswith("resourceVersion=13")
        assert len(followed.told) == 2
        assert followed.pauses == []


async def test_a_window_in_order_keeps_it_healthy_for_one_more_and_the_time_to_notice() -> None:
    api = ScriptedApi({})
    async with following(api) as followed:
        assert not followed.secret.healthy
        await api.window()
        followed.clock.advance(1)
        api.bookmark()
        await until(lambda: followed.secret.confirmed == followed.clock.now)
        followed.clock.advance(9)
        api.end_window()
        await until(lambda: len(api.requests) == 3)
        assert followed.secret.confirmed == followed.clock.now
        followed.clock.advance(13.9)
        assert followed.secret.healthy
        assert REGISTRY.get_sample_value("productive_mcp_watch_healthy", {"watch": "test"}) == 1
        followed.clock.advance(0.2)
        assert not followed.secret.healthy
        assert REGISTRY.get_sample_value("productive_mcp_watch_healthy", {"watch": "test"}) == 0


@pytest.mark.attack("R-12")
async def test_a_window_without_even_a_bookmark_proves_nothing() -> None:
    api = ScriptedApi({"a": b"1"})
    async with following(api) as followed:
        await api.window()
        confirmed = followed.secret.confirmed
        followed.clock.advance(10)
        assert followed.secret.confirmed == confirmed
        api.end_window()
        await until(lambda: len(api.requests) == 4)
        assert api.requests[2].startswith("get ")
        assert followed.pauses == []


async def test_after_a_broken_window_it_lists_again_and_tells_even_what_is_unchanged() -> None:
    api = ScriptedApi({"a": b"1"})
    async with following(api) as followed:
        await api.window()
        api.break_window(unreachable())
        await until(lambda: len(followed.told) == 2)
        assert followed.told == [{"a": b"1"}, {"a": b"1"}]
        assert len(followed.pauses) == 1


async def test_a_version_that_is_gone_is_answered_by_a_new_list() -> None:
    api = ScriptedApi({"a": b"1"})
    async with following(api) as followed:
        await api.window()
        api.break_window(Gone("watch x", status=410, reason="Expired"))
        await until(lambda: len(followed.told) == 2)
        assert api.requests[2].startswith("get ")


@pytest.mark.attack("R-11")
async def test_troubles_are_waited_out_with_growing_pauses_and_two_log_lines() -> None:
    api = ScriptedApi({"a": b"1"})
    api.failure = Forbidden("get x", status=403, reason="Forbidden")
    with capture_logs() as logs:
        async with following(api) as followed:
            await until(lambda: len(followed.pauses) >= 6)
            api.failure = None
            await api.window()
            assert followed.told == [{"a": b"1"}]
    assert followed.pauses[5] >= 2.5
    assert [line["event"] for line in logs] == ["watch.lost", "watch.restored"]


async def test_it_waits_as_long_as_the_server_asks() -> None:
    api = ScriptedApi({})
    api.failure = Unreachable("get x", status=429, reason="TooManyRequests", retry_after=9)
    async with following(api) as followed:
        await until(lambda: bool(followed.pauses))
        assert followed.pauses[0] == 9


async def test_a_server_that_closes_windows_at_once_is_not_asked_in_a_loop() -> None:
    api = ScriptedApi({})
    async with following(api) as followed:
        for _ in range(4):
            await api.window()
            asked = len(api.requests)
            api.bookmark()
            api.end_window()
            await until(lambda asked=asked: len(api.requests) > asked)  # type: ignore[misc]
        assert len(followed.pauses) == 4
        assert followed.pauses[3] > followed.pauses[0]
