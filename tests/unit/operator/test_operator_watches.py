"""What proves a watch dead, and what does not; seconds are the test's."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.operatorkit import MemoryCluster, never
from productive_operator import metrics
from productive_operator.reconciler import Reconciler
from productive_operator.watches import (
    PROOF_SECONDS,
    RESTART_SECONDS,
    STALE_SECONDS,
    Watch,
    WatchDied,
    Watches,
)


class Hands:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def watch(clock: Hands) -> Watch:
    return Watch("secrets", clock)


def listing(watch: Watch, clock: Hands, content: str, after: float) -> None:
    clock.now += after
    watch.compare(frozenset(content), clock.now)


def proofs() -> float:
    counted = metrics.REGISTRY.get_sample_value(
        "productive_operator_dead_watches_total", {"watch": "secrets"}
    )
    assert counted is not None, "an alert needs the series before the first proof"
    return counted


def test_a_change_in_two_lists_that_was_never_reported_is_a_proof(
    watch: Watch, clock: Hands
) -> None:
    before = proofs()
    listing(watch, clock, "a", 0)
    listing(watch, clock, "ab", 1)
    assert (watch.in_doubt, watch.dead) == (True, False)
    listing(watch, clock, "ab", PROOF_SECONDS - 1)
    assert not watch.dead
    listing(watch, clock, "ab", 1)
    assert watch.dead
    assert watch.state.startswith("dead")
    listing(watch, clock, "abc", 100)
    assert proofs() == before + 1


def test_a_deletion_is_a_change_too(watch: Watch, clock: Hands) -> None:
    listing(watch, clock, "ab", 0)
    listing(watch, clock, "a", 1)
    listing(watch, clock, "a", PROOF_SECONDS)
    assert watch.dead


@pytest.mark.parametrize("when", ["before the list", "after the list", "later"])
def test_anything_reported_since_the_list_before_is_a_sign_of_life(
    watch: Watch, clock: Hands, when: str
) -> None:
    listing(watch, clock, "a", 0)
    clock.now += 1
    if when == "before the list":
        watch.report()
    listing(watch, clock, "ab", 1)
    clock.now += 1
    if when == "after the list":
        watch.report()
    listing(watch, clock, "ab", PROOF_SECONDS - 2)
    if when == "later":
        watch.report()
    listing(watch, clock, "ab", 2)
    assert not watch.dead
    assert not watch.in_doubt


def test_without_changes_nothing_is_in_doubt(watch: Watch, clock: Hands) -> None:
    for _ in range(10):
        listing(watch, clock, "a", PROOF_SECONDS)
    assert not watch.in_doubt


def test_a_watch_that_reports_again_is_alive(watch: Watch, clock: Hands) -> None:
    for content, after in (("a", 0), ("ab", 1), ("ab", PROOF_SECONDS)):
        listing(watch, clock, content, after)
    watch.report()
    assert not watch.dead


def test_the_age_is_that_of_the_last_window(watch: Watch, clock: Hands) -> None:
    assert watch.age == float("inf")
    assert watch.state == "stale"
    watch.open()
    clock.now += STALE_SECONDS
    assert watch.state == "ok"
    clock.now += 1
    assert (watch.age, watch.state) == (STALE_SECONDS + 1, "stale")
    sample = metrics.REGISTRY.get_sample_value(
        "productive_operator_watch_age_seconds", {"watch": "secrets"}
    )
    assert sample == watch.age


@given(
    st.lists(
        st.tuples(st.sampled_from(["change", "list", "report"]), st.floats(0, 20)), max_size=40
    )
)
def test_a_watch_that_reports_every_change_in_time_is_never_proved_dead(
    steps: list[tuple[str, float]],
) -> None:
    """Reports come late by any time below the proof's, and in order; lists show the present."""
    clock = Hands()
    watch = Watch("secrets", clock)
    numbers = itertools.count()
    content: frozenset[int] = frozenset()
    owed: list[float] = []
    for step, seconds in steps:
        until = clock.now + seconds
        while owed and owed[0] + PROOF_SECONDS - 1 <= until:
            clock.now = max(clock.now, owed.pop(0) + PROOF_SECONDS - 1)
            watch.report()
        clock.now = until
        match step:
            case "change":
                content |= {next(numbers)}
                owed.append(clock.now)
            case "report" if owed:
                owed.pop(0)
                watch.report()
            case "list":
                watch.compare(content, clock.now)
        assert not watch.dead


async def test_passes_compare_specs_and_secrets_and_not_our_own_statuses(clock: Hands) -> None:
    world = MemoryCluster()
    world.add("ana")
    reconciler = Reconciler(world, lambda: 1.0, monotonic=clock)
    for _ in range(3):
        # The first pass writes a status, which the next ones list.
        await reconciler.reconcile(never)
        clock.now += PROOF_SECONDS
    assert not reconciler.watches.doubtful
    world.bodies["ana"]["metadata"]["generation"] = 2
    await reconciler.reconcile(never)
    assert reconciler.watches.users.in_doubt
    assert not reconciler.watches.secrets.in_doubt
    world.tokens.clear()
    await reconciler.reconcile(never)
    assert reconciler.watches.secrets.in_doubt
    clock.now += PROOF_SECONDS
    await reconciler.reconcile(never)
    assert [watch.dead for watch in reconciler.watches] == [True, True]


def test_a_dead_watch_ends_the_program_once_an_hour_at_most(clock: Hands) -> None:
    watches = Watches(clock)
    for content, after in (("a", 0), ("ab", 1), ("ab", PROOF_SECONDS)):
        listing(watches.users, clock, content, after)
    watches.check()
    clock.now += RESTART_SECONDS - PROOF_SECONDS - 2
    watches.check()
    clock.now += 1
    with pytest.raises(WatchDied, match="the watch of productiveusers reports no changes"):
        watches.check()
    watches.users.report()
    watches.check()
