"""The mapping's watch, over a store that says what the test wants."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from productive_operator.backoff import Backoff
from productive_operator.cluster.errors import Unreachable
from productive_operator.mapping_watch import SHORTEST_WINDOW, MappingWatch, StoreWentBack
from productive_operator.view import OnMapping, StoredMapping

OURS = StoredMapping("uid", "1", "t", {"users.json": b"{}"})
FOREIGN = StoredMapping("uid", "2", "t", {"users.json": b"{}", "x": b""})


class Ended(Exception):
    """The script is at its end."""


@dataclass
class Step:
    """What the store does when it is asked once."""

    asked: str
    """"list", or the version that a window begins with."""
    says: tuple[StoredMapping | None, ...] = ()
    reached: str | None = None
    """The version afterwards; None for a window without a word."""
    lasts: float = SHORTEST_WINDOW
    error: Exception | None = None


class Script:
    """A store and its clock."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.now = 0.0
        self.nudges: list[str] = []

    async def list_mapping(self, on_mapping: OnMapping) -> str:
        version = self._play("list", on_mapping)
        assert version is not None
        return version

    async def watch_mapping(self, version: str, on_mapping: OnMapping) -> str | None:
        return self._play(version, on_mapping)

    def _play(self, asked: str, on_mapping: OnMapping) -> str | None:
        if not self._steps:
            raise Ended
        step = self._steps.pop(0)
        assert step.asked == asked
        self.now += step.lasts
        for mapping in step.says:
            on_mapping(mapping)
        if step.error is not None:
            raise step.error
        return step.reached

    async def run(self, expect: type[Exception] = Ended) -> Backoff:
        """Play it to the end."""
        backoff = Backoff(0.001, 0.001)
        watch = MappingWatch(
            self, self._is_ours, self.nudges.append, backoff=backoff, monotonic=lambda: self.now
        )
        with pytest.raises(expect):
            async with asyncio.timeout(5):
                await watch.run()
        return backoff

    @staticmethod
    def _is_ours(stored: StoredMapping | None) -> bool:
        return stored is OURS


async def test_what_is_not_as_expected_asks_for_a_pass() -> None:
    script = Script(
        Step("list", (OURS,), "5"),
        Step("5", (OURS, FOREIGN), "7"),
        Step("7", (None,), "8"),
    )
    await script.run()
    assert script.nudges == ["mapping", "mapping"]


async def test_a_mapping_that_is_not_there_at_the_start_asks_for_a_pass() -> None:
    script = Script(Step("list", (None,), "5"))
    await script.run()
    assert script.nudges == ["mapping"]


async def test_windows_follow_each_other_and_a_silent_one_is_followed_by_a_list() -> None:
    script = Script(
        Step("list", (OURS,), "5"),
        Step("5", (), "6"),
        Step("6"),
        Step("list", (OURS,), "6"),
        Step("6"),
        Step("list", (FOREIGN,), "9"),
        Step("9", (), "9"),
    )
    await script.run()
    assert script.nudges == ["mapping"]


@pytest.mark.parametrize("lasts", [0.0, SHORTEST_WINDOW])
async def test_a_failure_is_followed_by_a_pause_and_a_list(lasts: float) -> None:
    script = Script(
        Step("list", error=Unreachable("list", 0)),
        Step("list", error=Unreachable("list", 0)),
        Step("list", (OURS,), "5"),
        Step("5", error=Unreachable("watch", 410), lasts=lasts),
        Step("list", (OURS,), "9"),
    )
    assert (await script.run()).failures == (1 if lasts else 3)


async def test_windows_that_are_closed_at_once_are_not_asked_for_at_once() -> None:
    short = [Step("5", (), "5", lasts=SHORTEST_WINDOW / 2) for _ in range(3)]
    assert (await Script(Step("list", (OURS,), "5"), *short).run()).failures == 3
    script = Script(Step("list", (OURS,), "5"), *short, Step("5", (), "5"))
    assert (await script.run()).failures == 0


@pytest.mark.attack("R-12")
@pytest.mark.parametrize("window", [Step("900"), Step("900", error=Unreachable("watch", 0))])
async def test_a_store_that_went_back_ends_it(window: Step) -> None:
    script = Script(
        Step("list", (OURS,), "700"),
        Step("700", (OURS,), "900"),
        window,
        Step("list", (OURS,), "899"),
    )
    await script.run(StoreWentBack)
    assert script.nudges == []


async def test_the_same_version_again_is_no_step_back() -> None:
    script = Script(
        Step("list", (OURS,), "900"), Step("900"), Step("list", (OURS,), "900"), Step("900")
    )
    await script.run()
