"""Pauses after failures."""

from __future__ import annotations

import pytest

from productive_operator.backoff import Backoff


def test_pauses_double_up_to_a_bound() -> None:
    backoff = Backoff(0.5, 3.0, chance=lambda: 1.0)
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert backoff.failures == 5


def test_after_a_success_they_begin_again() -> None:
    backoff = Backoff(0.5, 3.0, chance=lambda: 1.0)
    backoff.next()
    backoff.next()
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.next() == 0.5


def test_hours_of_failures_are_no_more_than_the_bound_cut_in_half() -> None:
    backoff = Backoff(0.5, 30.0, chance=lambda: 0.0)
    assert [backoff.next() for _ in range(10_000)][-1] == pytest.approx(15.0)
