"""The watch loop, step by step: what it asks, what it tells its sink, and how old that is."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from harness.scripted import Hands, ScriptedApi, unreachable, until
from productive_kube.client import Listed
from productive_kube.collection import Change, Collection, by_name, secret_data
from productive_kube.errors import Forbidden, Gone, Unreachable
from productive_kube.reflector import Reflector

WINDOW = 10
Data = dict[str, bytes]


class Followed:
    """A reflector that runs, and what its sink was told; None is that there is no Secret."""

    def __init__(self, api: ScriptedApi) -> None:
        self.api = api
        self.clock = Hands()
        self.told: list[Data | None] = []
        self.falls: list[bool] = []
        self.pauses: list[float] = []
        self.reflector: Reflector[Data] = Reflector(
            Collection(api, "/api/v1/namespaces/ns/secrets", secret_data, by_name("it")),
            self,
            label="test",
            window=WINDOW,
            monotonic=self.clock,
            pause=self._pause,
        )

    def replace(self, listed: Listed[Data], *, fell: bool) -> None:
        self.told.append(listed.items[0] if listed.items else None)
        self.falls.append(fell)

    def apply(self, change: Change[Data]) -> None:
        self.told.append(None if change.deleted else change.item)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0.001)

    async def asks(self, count: int) -> None:
        """Wait until it made so many requests."""
        await until(lambda: len(self.api.requests) == count)

    def asked(self) -> list[str]:
        """Return the verbs of its requests."""
        return [request.split(" ")[0] for request in self.api.requests]

    async def bookmark(self, count: int) -> None:
        """Let the server send a bookmark, and wait until it counts: at the moment `count`."""
        self.api.bookmark()
        await until(lambda: self.reflector.confirmed == count)


@asynccontextmanager
async def following(api: ScriptedApi) -> AsyncIterator[Followed]:
    followed = Followed(api)
    task = asyncio.create_task(followed.reflector.run())
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
            "list /api/v1/namespaces/ns/secrets?fieldSelector=metadata.name=it",
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
        followed.clock.advance(WINDOW)
        api.bookmark()
        api.end_window()
        await followed.asks(3)
        assert api.requests[-1].endswith("resourceVersion=13")
        assert len(followed.told) == 2
        assert followed.pauses == []


async def test_a_list_is_as_old_as_its_request() -> None:
    api = ScriptedApi({})
    followed = Followed(api)
    assert followed.reflector.confirmed is None
    assert followed.reflector.age == math.inf
    assert not followed.reflector.healthy
    asked = followed.clock.now
    api.on_list = lambda: followed.clock.advance(4)
    task = asyncio.create_task(followed.reflector.run())
    await api.window()
    assert followed.reflector.confirmed == asked
    assert followed.reflector.age == 4
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_bookmarks_and_whole_windows_keep_it_healthy_and_events_do_not() -> None:
    api = ScriptedApi({})
    async with following(api) as followed:
        await api.window()
        began = followed.clock.now
        followed.clock.advance(1)
        await followed.bookmark(began + 1)
        followed.clock.advance(1)
        api.put({"a": b"2"})
        await until(lambda: len(followed.told) == 2)
        assert followed.reflector.age == 1
        followed.clock.advance(8)
        api.end_window()
        await until(lambda: followed.reflector.confirmed == began + WINDOW)
        followed.clock.advance(13.9)
        assert followed.reflector.healthy
        followed.clock.advance(0.2)
        assert not followed.reflector.healthy


async def test_the_end_of_a_window_counts_from_when_the_server_may_have_ended_it() -> None:
    api = ScriptedApi({})
    async with following(api) as followed:
        await api.window()
        began = followed.clock.now
        followed.clock.advance(WINDOW + 2)
        api.end_window()
        await until(lambda: followed.reflector.confirmed == began + WINDOW)


async def test_a_window_with_a_bookmark_near_its_end_needs_no_other_proof() -> None:
    api = ScriptedApi({})
    async with following(api) as followed:
        await api.window()
        began = followed.clock.now
        followed.clock.advance(WINDOW - 2)
        await followed.bookmark(began + WINDOW - 2)
        followed.clock.advance(2)
        api.end_window()
        await followed.asks(3)
        assert followed.asked() == ["list", "watch", "watch"]
        assert followed.reflector.age == 2


@pytest.mark.attack("R-12")
async def test_a_window_without_a_bookmark_proves_nothing_until_the_version_was_compared() -> None:
    api = ScriptedApi({"a": b"1"})
    async with following(api) as followed:
        await api.window()
        confirmed = followed.reflector.confirmed
        followed.clock.advance(WINDOW)
        assert followed.reflector.confirmed == confirmed
        api.end_window()
        await followed.asks(4)
        assert followed.asked() == ["list", "watch", "get", "watch"]
        assert followed.reflector.age == 0
        assert followed.pauses == []


@pytest.mark.attack("R-12")
async def test_a_store_that_went_back_unnoticed_by_the_watch_is_listed_anew() -> None:
    api = ScriptedApi({"a": b"2"}, version=500)
    async with following(api) as followed:
        await api.window()
        # Restored: the server waits in silence for a version from its future.
        api.restore({"a": b"1"}, version=40)
        followed.clock.advance(WINDOW)
        api.end_window()
        await until(lambda: len(followed.told) == 2)
        assert followed.asked()[:4] == ["list", "watch", "get", "list"]
        assert followed.told[-1] == {"a": b"1"}
        assert followed.falls == [False, True]
        await api.window()
        assert api.requests[-1].endswith("resourceVersion=40")
        api.put({"a": b"3"})
        await until(lambda: followed.told[-1] == {"a": b"3"})


@pytest.mark.attack("R-12")
async def test_an_event_or_bookmark_from_before_means_that_the_store_went_back() -> None:
    for tell in (ScriptedApi.bookmark, lambda api: api.put({"a": b"1"})):
        api = ScriptedApi({"a": b"2"}, version=500)
        async with following(api) as followed:
            await api.window()
            confirmed = followed.reflector.confirmed
            api.restore({"a": b"0"}, version=40)
            followed.clock.advance(1)
            tell(api)
            await until(lambda: len(followed.told) == 2)
            assert followed.falls == [False, True]
            assert followed.reflector.confirmed == (confirmed or 0) + 1


async def test_a_store_that_went_back_before_a_list_is_noticed_by_it() -> None:
    api = ScriptedApi({"a": b"2"}, version=500)
    async with following(api) as followed:
        await api.window()
        api.restore({"a": b"1"}, version=40)
        api.break_window(unreachable())
        await until(lambda: len(followed.told) == 2)
        assert followed.falls == [False, True]
        await api.window()
        api.break_window(unreachable())
        await until(lambda: len(followed.told) == 3)
        assert followed.falls == [False, True, False]


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
        assert followed.asked()[2] == "list"


@pytest.mark.attack("R-02")
async def test_windows_that_are_answered_at_once_and_empty_are_replaced_by_lists() -> None:
    """A proxy that answers watches by itself must not freeze what is known, and look healthy."""
    api = ScriptedApi({"a": b"1"})
    with capture_logs() as logs:
        async with following(api) as followed:
            for number in range(8):
                await api.window()
                confirmed = followed.reflector.confirmed
                followed.clock.advance(0.01)
                api.put_unnoticed({"a": str(number).encode()})
                api.end_window()
                await until(lambda number=number: len(followed.told) == number + 2)  # type: ignore[misc]
                assert followed.told[-1] == {"a": str(number).encode()}
                assert followed.reflector.confirmed != confirmed
            assert set(followed.asked()) == {"list", "watch"}
            assert followed.pauses[-1] > 10 * followed.pauses[0]
            assert followed.reflector.healthy
    assert [line["event"] for line in logs] == ["watch.lost"]
    assert "EndedEarly" in logs[0]["cause"]


@pytest.mark.attack("R-02")
async def test_a_window_that_ends_early_may_have_left_events_out() -> None:
    """The API server drops watchers that read too slowly, in order."""
    api = ScriptedApi({"a": b"1"})
    async with following(api) as followed:
        await api.window()
        followed.clock.advance(WINDOW / 2)
        api.bookmark()
        api.put({"a": b"2"})
        api.put_unnoticed({"a": b"3"})
        api.end_window()
        await until(lambda: followed.told[-1] == {"a": b"3"})
        assert followed.asked()[:3] == ["list", "watch", "list"]
        assert followed.pauses[0] <= 0.2


@pytest.mark.attack("R-11")
async def test_failures_are_waited_out_with_growing_pauses_and_two_log_lines() -> None:
    api = ScriptedApi({"a": b"1"})
    api.failure = Forbidden("get x", status=403, reason="Forbidden")
    with capture_logs() as logs:
        async with following(api) as followed:
            await until(lambda: len(followed.pauses) >= 6)
            api.failure = None
            await api.window()
            assert followed.told == [{"a": b"1"}]
            followed.clock.advance(1)
            await followed.bookmark(followed.clock.now)
    assert followed.pauses[5] >= 2.5
    assert [line["event"] for line in logs] == ["watch.lost", "watch.restored"]


@pytest.mark.attack("R-11")
async def test_a_missing_right_to_watch_is_logged_although_lists_keep_it_healthy() -> None:
    api = ScriptedApi({"a": b"1"})
    api.failures["watch"] = Forbidden("watch x", status=403, reason="Forbidden")
    with capture_logs() as logs:
        async with following(api) as followed:
            await until(lambda: len(followed.pauses) >= 8)
            assert followed.reflector.healthy
            del api.failures["watch"]
            await api.window()
            followed.clock.advance(1)
            await followed.bookmark(followed.clock.now)
    assert followed.pauses[7] >= 2.5
    assert [line["event"] for line in logs] == ["watch.lost", "watch.restored"]
    assert "Forbidden" in logs[0]["cause"]


async def test_it_waits_as_long_as_the_server_asks() -> None:
    api = ScriptedApi({})
    api.failure = Unreachable("get x", status=429, reason="TooManyRequests", retry_after=9)
    async with following(api) as followed:
        await until(lambda: bool(followed.pauses))
        assert followed.pauses[0] == 9


@pytest.mark.parametrize("version", ["", "seven", "-7", "9" * 30])
async def test_a_version_that_is_no_number_is_no_answer(version: str) -> None:
    api = ScriptedApi({"a": b"1"})
    api.listed_version = version
    async with following(api) as followed:
        await until(lambda: bool(followed.pauses))
        assert followed.told == []
        assert followed.reflector.confirmed is None
        api.listed_version = None
        await api.window()
        assert followed.told == [{"a": b"1"}]
        api.tell({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}})
        await until(lambda: len(followed.told) == 2)


async def test_what_the_sink_raises_ends_it_unconfirmed() -> None:
    class Refusing(Followed):
        def replace(self, listed: Listed[Data], *, fell: bool) -> None:
            raise LookupError(listed, fell)

    followed = Refusing(ScriptedApi({}))
    with pytest.raises(LookupError):
        await followed.reflector.run()
    assert followed.reflector.confirmed is None
