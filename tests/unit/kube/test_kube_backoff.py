"""Pauses between attempts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from productive_kube.backoff import FIRST_SECONDS, LONGEST_SECONDS, Backoff


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_pauses_grow_to_a_bound_and_never_vanish(chances: list[float]) -> None:
    chance = iter(chances)
    backoff = Backoff(chance=lambda: next(chance))
    pauses = [backoff.next() for _ in chances]
    assert all(FIRST_SECONDS / 2 <= pause <= LONGEST_SECONDS for pause in pauses)
    assert all(pause >= LONGEST_SECONDS / 2 for pause in pauses[5:])
    assert backoff.failures == len(chances)


def test_bounds_can_be_given() -> None:
    backoff = Backoff(1, 30, chance=lambda: 1.0)
    assert [backoff.next() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_server_may_ask_for_a_longer_pause_but_not_for_hours() -> None:
    backoff = Backoff()
    assert backoff.next(7) == 7
    assert backoff.next(3600) == 15
    assert backoff.next(0) > 0


def test_success_makes_pauses_short_again() -> None:
    backoff = Backoff()
    for _ in range(8):
        backoff.next()
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.next() <= FIRST_SECONDS
