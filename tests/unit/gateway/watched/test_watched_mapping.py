from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
from structlog.testing import capture_logs

from harness.mount import MappingMount
from harness.scripted import Hands, ScriptedApi, unreachable, until
from productive_contract.mapping import Mapping, Person, Reason, State, encode
from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.watched.mapping import MappingSource
from productive_gateway.watched.watched_secret import MAX_STALENESS


def published(revision: int, *emails: str) -> dict[str, bytes]:
    people = {
        email: Person(
            email=email,
            uid=f"uid-{email}",
            user=f"ns/{email.partition('@')[0]}",
            user_id=1,
            state=State.ACTIVE,
            reason=Reason.SYNCED,
            api_token=Secret("t"),
        )
        for email in emails
    }
    return encode(Mapping(revision, MappingProxyType(people)))


ANA = published(100, "ana@example.com")
NOBODY = published(101)


class Running:
    def __init__(self, api: ScriptedApi, mount: Path | None = None) -> None:
        self.api = api
        self.clock = Hands()
        self.source = MappingSource(api, "ns", "mapping", mount=mount, monotonic=self.clock)

    def emails(self) -> set[str]:
        return set(self.source.snapshot().by_email)

    def revision(self) -> int:
        return self.source.snapshot().revision

    async def reaches(self, revision: int) -> None:
        await until(lambda: self._in_use() == revision)

    def _in_use(self) -> int | None:
        try:
            return self.revision()
        except Unavailable:
            return None


@asynccontextmanager
async def running(api: ScriptedApi, mount: Path | None = None) -> AsyncIterator[Running]:
    it = Running(api, mount)
    task = asyncio.create_task(it.source.run())
    try:
        yield it
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def broken() -> float | None:
    return REGISTRY.get_sample_value("productive_mcp_mapping_broken")


async def test_the_published_mapping_is_in_use_and_on_the_metrics() -> None:
    async with running(api := ScriptedApi(ANA)) as it:
        await it.reaches(100)
        assert it.source.snapshot().by_uid["uid-ana@example.com"].email == "ana@example.com"
        assert REGISTRY.get_sample_value("productive_mcp_mapping_revision") == 100
        people = "productive_mcp_mapping_people"
        assert REGISTRY.get_sample_value(people, {"state": "active"}) == 1
        await api.window()
        api.put(NOBODY)
        await it.reaches(101)
        assert it.emails() == set()
        assert REGISTRY.get_sample_value(people, {"state": "active"}) == 0


async def test_follower_hears_of_each_mapping_that_comes_into_use() -> None:
    async with running(api := ScriptedApi(ANA)) as it:
        told: list[int] = []
        it.source.follow(lambda snapshot: told.append(snapshot.revision))
        await it.reaches(100)
        await api.window()
        api.put({"users.json": b"{"})
        api.put(NOBODY)
        await it.reaches(101)
        assert told == [100, 101]


async def test_before_the_first_mapping_the_answer_is_503_with_what_to_do() -> None:
    async with running(api := ScriptedApi({})) as it:
        await api.window()
        with pytest.raises(Unavailable, match="administrator") as caught:
            it.source.snapshot()
        assert caught.value.reason == "no_mapping"
        assert broken() == 0
        api.put(ANA)
        await it.reaches(100)


@pytest.mark.attack("M-13")
@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        ({"users.json": b"{"}, "not JSON"),
        ({"users.json": ANA["users.json"][:-9]}, "not JSON"),
        ({"users.json": b'{"version":2,"revision":1,"users":{}}'}, "version 2"),
        ({"users.json.gz": b"\x1f\x8b"}, "cut short"),
        ({"other": b"x"}, "neither"),
        ({}, "empty"),
        (None, "does not exist"),
    ],
)
async def test_a_mapping_that_cannot_be_read_leaves_the_last_good_one_and_raises_the_alarm(
    bad: dict[str, bytes] | None, cause: str
) -> None:
    with capture_logs() as logs:
        async with running(api := ScriptedApi(ANA)) as it:
            await api.window()
            if bad is None:
                api.remove()
            else:
                api.put(bad)
                api.put(bad)
            await until(lambda: it.source.problem is not None)
            assert cause in str(it.source.problem)
            assert it.emails() == {"ana@example.com"}
            assert broken() == 1
            api.put(ANA)
            await until(lambda: it.source.problem is None)
            assert broken() == 0
    assert [line["event"] for line in logs] == [
        "mapping.loaded",
        "mapping.broken",
        "mapping.restored",
    ]


async def test_the_health_of_the_watch_is_on_the_metrics() -> None:
    def healthy() -> float | None:
        return REGISTRY.get_sample_value("productive_mcp_watch_healthy", {"watch": "mapping"})

    async with running(api := ScriptedApi(ANA)) as it:
        assert healthy() == 0
        await api.window()
        assert (healthy(), it.source.healthy) == (1, True)
        it.clock.advance(14.1)
        assert (healthy(), it.source.healthy) == (0, False)


@pytest.mark.attack("M-13")
async def test_a_mapping_made_anew_with_a_lower_revision_is_followed_while_watching() -> None:
    async with running(api := ScriptedApi(ANA)) as it:
        await api.window()
        api.remove()
        api.put({})
        api.put(published(3, "bo@example.com"))
        await it.reaches(3)
        assert it.emails() == {"bo@example.com"}
        assert it.source.problem is None


@pytest.mark.attack("M-13")
async def test_nobody_is_honoured_when_it_has_a_revision() -> None:
    async with running(api := ScriptedApi(ANA)) as it:
        await api.window()
        api.put(published(5))
        await it.reaches(5)
        assert it.emails() == set()


async def test_a_cold_start_without_the_api_takes_the_mount(tmp_path: Path) -> None:
    MappingMount(tmp_path / "m").write(ANA)
    it = Running(ScriptedApi(), tmp_path / "m")
    assert it.emails() == {"ana@example.com"}


async def test_the_watched_object_overrules_the_mount_downwards(tmp_path: Path) -> None:
    MappingMount(tmp_path / "m").write(ANA)
    async with running(ScriptedApi(published(7)), tmp_path / "m") as it:
        await it.reaches(7)
        it.clock.advance(1)
        it.source.poll_mount()
        assert it.revision() == 7


async def test_while_the_watch_is_healthy_the_mount_does_not_decide(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "m")
    async with running(ScriptedApi(ANA), tmp_path / "m") as it:
        await it.reaches(100)
        it.clock.advance(1)
        mount.write(published(200))
        it.source.poll_mount()
        assert it.revision() == 100


async def away(it: Running) -> None:
    """Take the API server away until the watch is unhealthy."""
    await it.api.window()
    it.api.failure = unreachable()
    it.api.break_window(unreachable())
    it.clock.advance(20)
    assert not it.source.healthy


async def test_while_the_api_is_away_the_mount_decides_upwards_only(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "m")
    async with running(ScriptedApi(ANA), tmp_path / "m") as it:
        await away(it)
        for revision, then in ((99, 100), (150, 150), (120, 150)):
            mount.write(published(revision))
            it.source.poll_mount()
            assert it.revision() == then


async def test_what_the_mount_got_between_the_loss_and_its_notice_counts(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "m")
    async with running(ScriptedApi(ANA), tmp_path / "m") as it:
        await it.api.window()
        it.clock.advance(3)
        mount.write(NOBODY)
        it.source.poll_mount()
        assert it.revision() == 100
        it.clock.advance(12)
        it.source.poll_mount()
        assert it.revision() == 101


@pytest.mark.attack("M-13")
async def test_a_mount_from_before_a_restore_does_not_bring_anybody_back(tmp_path: Path) -> None:
    MappingMount(tmp_path / "m").write(published(100, "gone@example.com"))
    async with running(ScriptedApi(published(5)), tmp_path / "m") as it:
        it.clock.advance(1)
        await it.reaches(5)
        await away(it)
        it.source.poll_mount()
        assert it.emails() == set()


async def test_when_the_api_is_back_its_object_is_followed_again(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "m")
    async with running(api := ScriptedApi(ANA), tmp_path / "m") as it:
        await away(it)
        mount.write(published(150))
        it.source.poll_mount()
        assert it.revision() == 150
        api.failure = None
        await it.reaches(100)
        assert it.emails() == {"ana@example.com"}


async def test_when_a_late_window_goes_on_its_object_is_followed_again(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "m")
    async with running(api := ScriptedApi(ANA), tmp_path / "m") as it:
        await api.window()
        it.clock.advance(15)
        mount.write(published(150))
        it.source.poll_mount()
        assert it.revision() == 150
        api.bookmark()
        await until(lambda: it.source.healthy)
        it.source.poll_mount()
        assert it.emails() == {"ana@example.com"}


async def test_an_unreadable_mount_is_ignored(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "m")
    mount.write({"users.json": b"{"})
    it = Running(ScriptedApi(), tmp_path / "m")
    with pytest.raises(Unavailable):
        it.source.snapshot()
    mount.write({})
    it.source.poll_mount()
    mount.write(ANA)
    it.source.poll_mount()
    assert it.revision() == 100


async def test_with_the_api_away_it_serves_for_max_staleness_and_then_503() -> None:
    async with running(api := ScriptedApi(ANA)) as it:
        await it.reaches(100)
        await api.window()
        api.failure = unreachable()
        api.break_window(unreachable())
        it.clock.advance(MAX_STALENESS)
        assert it.emails() == {"ana@example.com"}
        it.clock.advance(0.1)
        with pytest.raises(Unavailable, match="administrator") as caught:
            it.source.snapshot()
        assert caught.value.reason == "mapping_stale"
        api.failure = None
        await until(lambda: it.source.healthy)
        assert it.emails() == {"ana@example.com"}


async def test_a_mount_that_does_not_change_confirms_nothing(tmp_path: Path) -> None:
    MappingMount(tmp_path / "m").write(ANA)
    it = Running(ScriptedApi(), tmp_path / "m")
    for _ in range(10):
        it.clock.advance(MAX_STALENESS / 10)
        it.source.poll_mount()
    assert it.revision() == 100
    it.clock.advance(1)
    with pytest.raises(Unavailable):
        it.source.snapshot()


async def test_a_mount_that_moves_up_confirms(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "m")
    mount.write(ANA)
    it = Running(ScriptedApi(), tmp_path / "m")
    it.clock.advance(MAX_STALENESS - 1)
    mount.write(NOBODY)
    it.source.poll_mount()
    it.clock.advance(MAX_STALENESS)
    assert it.revision() == 101


async def test_a_mount_confirms_as_of_when_it_changed_not_when_it_was_needed(
    tmp_path: Path,
) -> None:
    mount = MappingMount(tmp_path / "m")
    async with running(ScriptedApi(ANA), tmp_path / "m") as it:
        await it.api.window()
        it.clock.advance(1)
        mount.write(NOBODY)
        it.source.poll_mount()
        await away(it)
        it.source.poll_mount()
        assert it.revision() == 101
        it.clock.advance(MAX_STALENESS - 10)
        with pytest.raises(Unavailable):
            it.source.snapshot()


async def test_the_mount_is_polled_by_itself(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "m")
    api = ScriptedApi()
    api.failure = unreachable()
    async with running(api, tmp_path / "m") as it:
        mount.write(ANA)
        await it.reaches(100)


def many(revision: int, count: int = 10_000) -> dict[str, bytes]:
    return published(revision, *(f"person-{number}@example.com" for number in range(count)))


class Turns:
    """Counts the turns of the event loop: what takes long must leave some to others."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.count += 1


@asynccontextmanager
async def turns() -> AsyncIterator[Turns]:
    counted = Turns()
    task = asyncio.create_task(counted.run())
    try:
        yield counted
    finally:
        task.cancel()


async def test_ten_thousand_people_are_taken_up_between_the_turns_of_others() -> None:
    data = many(200)
    async with running(api := ScriptedApi(ANA)) as it, asyncio.timeout(60):
        await it.reaches(100)
        await api.window()
        async with turns() as counted:
            before = counted.count
            api.put(data)
            await it.reaches(200)
            assert counted.count - before > 50
        assert len(it.emails()) == 10_000


async def test_mounted_people_are_taken_up_between_the_turns_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("productive_gateway.watched.watched_secret.POLL_SECONDS", 0)
    mount = MappingMount(tmp_path)
    mount.write(ANA)
    api = ScriptedApi()
    api.failure = unreachable()
    async with running(api, tmp_path) as it, asyncio.timeout(60):
        mount.write(many(200))
        async with turns() as counted:
            await it.reaches(200)
            assert counted.count > 50
        assert len(it.emails()) == 10_000
