"""The bounds on nesting and on the number of values, checked before any parser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.web.json_bounds import (
    MAX_DEPTH,
    MAX_VALUES,
    has_too_many_values,
    is_too_deep,
)
from productive_gateway.web.json_object import JsonError, read_object

TEXT = st.text(st.sampled_from('[]{},"\\a'))
DOCUMENTS = st.recursive(
    st.none() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=30,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(DOCUMENTS, st.integers(0, 6), st.booleans())
def test_depth_is_that_of_arrays_and_objects(value: Any, most: int, escaped: bool) -> None:
    raw = json.dumps(value, ensure_ascii=escaped).encode()
    assert is_too_deep(raw, most) == (depth(value) > most)


def commas(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return 0
    return max(len(value) - 1, 0) + sum(map(commas, value))


@given(DOCUMENTS, st.integers(0, 6), st.booleans())
def test_values_are_members_and_elements(value: Any, most: int, escaped: bool) -> None:
    raw = json.dumps(value, ensure_ascii=escaped).encode()
    assert has_too_many_values(raw, most) == (commas(value) > most)


def test_commas_in_texts_are_no_values() -> None:
    text = "one, two, " * MAX_VALUES
    assert not has_too_many_values(json.dumps({"comment": text, "more": [1, 2]}).encode())
    assert has_too_many_values(json.dumps({"comment": [0] * (MAX_VALUES + 2)}).encode())


@given(st.binary(max_size=300) | TEXT.map(str.encode), st.integers(0, 4))
def test_anything_can_be_looked_at(raw: bytes, most: int) -> None:
    assert is_too_deep(raw, most) in {True, False}
    assert has_too_many_values(raw, most) in {True, False}


@pytest.mark.attack("O-02", "L-09")
@pytest.mark.parametrize("name", ['{"a":', "["])
def test_what_is_too_deep_is_refused_before_it_is_parsed(name: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[name]
    deepest = name * (MAX_DEPTH - 1) + "1" + closing * (MAX_DEPTH - 1)
    assert read_object(f'{{"b":{deepest}}}'.encode())
    with pytest.raises(JsonError, match="nested too deeply"):
        read_object(f'{{"b":{name}{deepest}{closing}}}'.encode())
    for levels in (100, 10_000, 500_000):
        with pytest.raises(JsonError, match="nested too deeply"):
            read_object(f'{{"b":{name * levels}'.encode())


def test_brackets_in_texts_are_no_levels() -> None:
    assert not is_too_deep(json.dumps({"a": "[" * 1000, "{" * 500: '\\"[[{"'}).encode())
    wide = json.dumps([{"a": [1]}] * 1000).encode()
    assert not is_too_deep(wide)
