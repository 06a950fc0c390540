"""Token buckets: what they allow in any time, what they forget, and what is reported."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from harness.grantkit import HeldClock
from productive_gateway.errors import TooManyRequests
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.web.limits import (
    ALL_TOGETHER,
    MINUTE,
    UNLIMITED,
    Buckets,
    Limit,
    Limits,
    PerMinute,
)

PAUSES = st.lists(st.floats(0, 90, allow_nan=False), min_size=1, max_size=120)
RATES = st.integers(1, 40)


def allowed(buckets: Buckets, key: str, now: float) -> bool:
    if buckets.wait(key, now):
        return False
    buckets.take(key, now)
    return True


def taken(limit: Limit, key: str | None, times: int) -> int:
    """Return how many of so many requests are allowed."""
    count = 0
    for _ in range(times):
        try:
            limit.take(key)
        except TooManyRequests:
            continue
        count += 1
    return count


@given(RATES, PAUSES)
def test_no_stretch_of_time_has_more_than_a_full_bucket_and_what_came_back_meanwhile(
    rate: int, pauses: list[float]
) -> None:
    buckets, now, times = Buckets(rate), 1000.0, []
    for pause in pauses:
        now += pause
        if allowed(buckets, "a", now):
            times.append(now)
    for first, begin in enumerate(times):
        for last, end in enumerate(times[first:], start=1):
            assert last <= rate + rate * (end - begin) / MINUTE + 0.1


@given(RATES, PAUSES)
def test_a_refused_key_is_allowed_after_the_wait_that_it_was_told_and_not_before(
    rate: int, pauses: list[float]
) -> None:
    buckets, now = Buckets(rate), 1000.0
    for pause in [*pauses, *[0.0] * (rate + 1)]:
        now += pause
        wait = buckets.wait("a", now)
        if wait:
            assert wait <= MINUTE / rate + 0.01
            assert buckets.wait("a", now + wait - 0.01) or wait < 0.011
            now += wait
        assert allowed(buckets, "a", now)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 30)), max_size=200))
@example([(0, 0.0), (2, 0.0), (3, 0.0), (4, 0.0), (1, 1.0), (1, 0.0), (1, 0.0), (1, 19.0)])
def test_a_small_table_never_gives_anybody_more_than_a_large_one(
    asked: list[tuple[int, float]],
) -> None:
    small, large, now = Buckets(3, 4), Buckets(3, 1000), 0.0
    counts = {"small": 0, "large": 0}
    for key, pause in asked:
        now += pause
        counts["large"] += allowed(large, str(key), now)
        counts["small"] += allowed(small, str(key), now)
        assert small.keys <= 4
    assert counts["small"] <= counts["large"]


@pytest.mark.attack("Q-05")
def test_nobody_gets_a_new_bucket_by_filling_the_table() -> None:
    buckets = Buckets(2, 100)
    assert [allowed(buckets, "abuser", 0) for _ in range(3)] == [True, True, False]
    strangers = [allowed(buckets, f"stranger {number}", 1) for number in range(10_000)]
    # The table takes 99 more; all others share one bucket of two.
    assert sum(strangers) == 99 + 2
    assert buckets.keys == 100
    assert not allowed(buckets, "abuser", 2)


def test_full_buckets_are_forgotten() -> None:
    buckets = Buckets(10, 1000)
    for number in range(1000):
        assert allowed(buckets, str(number), 0)
    assert allowed(buckets, "one", MINUTE + 1)
    assert buckets.keys == 1


@pytest.mark.attack("Q-05")
def test_all_callers_together_have_a_limit_too() -> None:
    limit = Limit("test", 10, clock=HeldClock())
    assert sum(taken(limit, str(number), 1) for number in range(10 * ALL_TOGETHER + 50)) == 500
    assert limit.keys == 500
    assert taken(limit, None, 1) == 0


def test_callers_without_an_address_have_only_the_limit_of_all() -> None:
    limit = Limit("test", 10, clock=HeldClock())
    assert taken(limit, None, 600) == 10 * ALL_TOGETHER
    alone = Limit("test", 10, together=False, clock=HeldClock())
    assert taken(alone, None, 600) == 600


def test_refused_requests_of_one_caller_use_up_nothing_of_the_others() -> None:
    limit = Limit("test", 10, clock=HeldClock())
    assert taken(limit, "flood", 100_000 // 10) == 10
    assert taken(limit, "other", 20) == 10


def test_zero_is_no_limit() -> None:
    limits = Limits.of(UNLIMITED, HeldClock())
    assert taken(limits.register, "a", 1000) == 1000
    assert taken(limits.failed_tokens, "a", 1000) == 1000
    assert limits.register.keys == 0


def test_each_limit_has_its_own_count() -> None:
    limits = Limits.of(PerMinute(register=1, authorize=2, token=3), HeldClock())
    assert taken(limits.register, "a", 9) == 1
    assert [taken(one, "a", 9) for one in (limits.authorize, limits.callback)] == [2, 2]
    assert [taken(one, "a", 9) for one in (limits.token, limits.issued, limits.revoke)] == [3, 3, 3]


def test_the_error_says_how_long_to_wait() -> None:
    clock = HeldClock()
    limit = Limit("test", 10, clock=clock)
    assert taken(limit, "a", 10) == 10
    with pytest.raises(TooManyRequests, match="Wait 6 seconds") as refused:
        limit.take("a")
    assert refused.value.retry_after == 6
    clock.forward(5.5)
    with pytest.raises(TooManyRequests, match="Wait a second"):
        limit.take("a")
    clock.forward(0.5)
    limit.take("a")


@pytest.mark.attack("Q-05")
def test_a_flood_makes_one_audit_line_a_minute_and_counts_each_hit() -> None:
    clock = HeldClock()
    limit = Limit("flood_test", 1, clock=clock)

    def hits() -> float:
        labels = {"limit": "flood_test"}
        return REGISTRY.get_sample_value("productive_mcp_limit_hits_total", labels) or 0.0

    assert hits() == 0
    limit.take("a", address="192.0.2.1")
    with capture_logs() as lines:
        for _ in range(1000):
            with pytest.raises(TooManyRequests):
                limit.take("a", address="192.0.2.1")
    assert [(line["event"], line["audit"], line["reason"], line["address"]) for line in lines] == [
        ("limit_hit", True, "flood_test", "192.0.2.1")
    ]
    assert hits() == 1000


def test_floods_of_many_callers_make_no_flood_of_audit_lines() -> None:
    limit = Limit("many_test", 1, together=False, clock=HeldClock())
    with capture_logs() as lines:
        for number in range(1000):
            assert taken(limit, str(number), 2) == 1
    assert len(lines) == 60
