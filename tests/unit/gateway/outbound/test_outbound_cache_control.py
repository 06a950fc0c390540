"""How long an answer may be reused: the parser of Cache-Control."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.outbound.cache_control import freshness


@pytest.mark.parametrize(
    ("values", "age", "seconds"),
    [
        ([], None, None),
        ([""], None, None),
        (["public"], None, None),
        (["must-revalidate, public"], None, None),
        (["max-age=300"], None, 300),
        (["Max-Age=300"], None, 300),
        (['max-age="300"'], None, 300),
        (["public, max-age=300"], None, 300),
        (["public", "max-age=300"], None, 300),
        (["max-age=315360000"], None, 315_360_000),
        (['ext="a, max-age=1", max-age=300'], None, 300),
        (["s-maxage=10, max-age=300"], None, 300),
        (["max-age=300"], "100", 200),
        (["max-age=300"], "400", 0),
        (["max-age=300"], "soon", 300),
        (["max-age=0"], None, 0),
        (["no-store"], None, 0),
        (["no-cache, max-age=300"], None, 0),
        (["private, max-age=300"], None, 0),
        (["max-age=300, max-age=10"], None, 0),
        (["max-age=300", "max-age=10"], None, 0),
        (["max-age=-1"], None, 0),
        (["max-age=1.5"], None, 0),
        (["max-age"], None, 0),
        (["max-age=9999999999999999999"], None, 0),
        (["max-age = 300"], None, 0),
        (['max-age="300'], None, 0),
    ],
)
def test_freshness(values: list[str], age: str | None, seconds: float | None) -> None:
    assert freshness(values, age) == seconds


@given(st.lists(st.text(max_size=60), max_size=3), st.none() | st.text(max_size=20))
def test_any_header_is_read_without_an_error(values: list[str], age: str | None) -> None:
    found = freshness(values, age)
    assert found is None or found >= 0


@given(
    st.integers(0, 10**9),
    st.lists(st.sampled_from(["public", "immutable", "must-revalidate"]), unique=True),
    st.integers(0, 3),
)
def test_max_age_is_found_anywhere_among_other_directives(
    seconds: int, others: list[str], at: int
) -> None:
    directives = [*others[:at], f"max-age={seconds}", *others[at:]]
    assert freshness([", ".join(directives)], None) == seconds
    assert freshness(directives, None) == seconds
