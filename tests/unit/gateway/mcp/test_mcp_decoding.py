"""Bodies are decoded as the standard library decodes them, by a faster parser where it can."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from productive_gateway.mcp.message import MalformedMessage, decode

TOKENS = (
    *("{", "}", "[", "]", ",", ":", " ", "\t", "\r", "\n", "\x0c", "\ufeff", "\x00"),
    *("true", "false", "null", "tru", "NaN", "Infinity", "-Infinity", "-", "+", "'a'"),
    *('"a"', '"b"', '""', '"\\u00e9"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"'),
    *('"\\x"', '"\\u12"', '"\x01"', '"\x7f"', '"\\u0000"', '"é"', '"', "\\", "/", "//"),
    *("0", "-0", "01", "1.", ".5", "1.0", "-0.0", "1e5", "1E+5", "1e-400", "1e999", "-1e999", "1e"),
    *("9007199254740993", "9007199254740993.0", "18446744073709551616", "-9223372036854775809"),
    *("0.30000000000000004441", "2.2250738585072011e-308", "123456789012345678901234567890.5"),
)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers()
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def refuse(constant: str) -> None:
    raise ValueError(constant)


def by_the_standard_library(body: bytes) -> Any:
    return json.JSONDecoder(parse_constant=refuse).decode(body.decode())


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in type, order and sign too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


def check(body: bytes) -> None:
    try:
        expected = by_the_standard_library(body)
    except ValueError:
        with pytest.raises(MalformedMessage):
            decode(body)
        return
    assert same(decode(body), expected)


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_written_values_are_read_alike(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    check(text.encode("utf-8", "surrogatepass"))


@given(st.lists(st.sampled_from(TOKENS), max_size=12))
def test_any_tokens_are_read_or_refused_alike(tokens: list[str]) -> None:
    check("".join(tokens).encode())


@given(st.binary(max_size=12))
def test_any_bytes_are_read_or_refused_alike(body: bytes) -> None:
    check(body)
    check(b'"' + body + b'"')


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "é"]), st.integers(0, 3)), max_size=6))
def test_of_repeated_names_the_last_counts(members: list[tuple[str, int]]) -> None:
    text = ",".join(f"{json.dumps(name)}:{value}" for name, value in members)
    check(f"{{{text}}}".encode())


@given(st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
@example("1" * 4300)
@example("1" * 4301)
@example("1" * 400 + ".0")
def test_numbers_are_read_or_refused_alike(text: str) -> None:
    check(text.encode())


@pytest.mark.parametrize("depth", [1, 10, 60])
def test_nested_values_are_read_alike(depth: int) -> None:
    check(b"[" * depth + b"]" * depth)
    check(b'{"a":' * depth + b"1" + b"}" * depth)
