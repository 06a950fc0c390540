"""Rate limits of the simulator, exact at the boundary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_dev.simulator.errors import Problem
from productive_dev.simulator.limits import Limiter


def limiter() -> Limiter:
    return Limiter(per_token=100, per_organization=4000)


def test_the_hundredth_request_passes_and_the_next_does_not() -> None:
    limits = limiter()
    for _ in range(100):
        limits.count(1_000_003.0, token="a", organization="1200")
    with pytest.raises(Problem) as caught:
        limits.count(1_000_003.0, token="a", organization="1200")
    assert caught.value.http_status == 429
    assert caught.value.headers == {"X-RateLimit-Reset": "7"}
    assert caught.value.body() == {
        "errors": [
            {
                "status": 429,
                "title": "Too many requests",
                "detail": "Rate limit reached. Try again later",
                "limit": 100,
                "period": 10,
            }
        ]
    }


def test_after_the_time_that_the_header_says_it_passes_again() -> None:
    limits = limiter()
    for _ in range(100):
        limits.count(1_000_003.5, token="a", organization="1200")
    with pytest.raises(Problem) as caught:
        limits.count(1_000_003.5, token="a", organization="1200")
    wait = int(caught.value.headers["X-RateLimit-Reset"])
    limits.count(1_000_003.5 + wait, token="a", organization="1200")


def test_tokens_do_not_share_their_limit_but_the_organization_s() -> None:
    limits = Limiter(per_token=2, per_organization=3)
    for token in ("a", "a", "b"):
        limits.count(0.0, token=token, organization="1200")
    with pytest.raises(Problem) as caught:
        limits.count(0.0, token="b", organization="1200")
    assert caught.value.errors[0].extra == {"limit": 3, "period": 1800}
    limits.count(0.0, token="b", organization="1300")


@given(st.lists(st.floats(0, 60), max_size=40).map(sorted))
def test_no_window_ever_holds_more_than_the_limit(moments: list[float]) -> None:
    limits = Limiter(per_token=3, per_organization=10**6)
    passed: list[float] = []
    for moment in moments:
        try:
            limits.count(moment, token="a", organization="1200")
        except Problem:
            assert sum(past // 10 == moment // 10 for past in passed) == 3
        else:
            passed.append(moment)
    for window in range(7):
        assert sum(moment // 10 == window for moment in passed) <= 3
