"""Lists and lines that are decoded while they come in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_kube.list_stream import ListReader, MalformedList, split_lines

OBJECTS = [
    {"metadata": {"name": "ana"}, "data": {"token": "eA=="}},
    {"metadata": {"name": "bob", "annotations": {"note": 'č "items":[{}] \\ 🦊', "ž": "]}"}}},
    {"metadata": {"name": "cleo"}, "spec": {"items": [{"a": []}, 1.5e3]}, "status": None},
]
METADATA = {"resourceVersion": "812", "continue": "eyJ2IjoibWV0YS"}
SHAPES = {
    "items last": {
        "kind": "SecretList",
        "apiVersion": "v1",
        "metadata": METADATA,
        "items": OBJECTS,
    },
    "items first": {"apiVersion": "v1", "items": OBJECTS, "kind": "List", "metadata": METADATA},
}
TEXTS = [
    json.dumps(shape, ensure_ascii=False, indent=indent).encode() + b"\n"
    for shape in SHAPES.values()
    for indent in (None, 1)
]


def read(parts: list[bytes]) -> tuple[list[Any], dict[str, Any]]:
    reader = ListReader()
    found = [item for part in parts for item in reader.feed(part)]
    return found, reader.end()


@given(st.sampled_from(TEXTS), st.lists(st.integers(0, 900), max_size=20))
def test_a_list_is_the_same_however_it_was_cut(text: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(text)]
    found, rest = read([text[a:b] for a, b in pairwise(places)])
    whole = json.loads(text)
    assert found == OBJECTS
    assert rest == whole | {"items": []}


def test_each_object_comes_as_soon_as_it_is_complete() -> None:
    reader = ListReader()
    assert list(reader.feed(b'{"items":[{"a":1},{"a"')) == [{"a": 1}]
    assert list(reader.feed(b":2}")) == [{"a": 2}]
    assert list(reader.feed(b"]}")) == []


@pytest.mark.parametrize("text", TEXTS)
def test_a_part_of_a_list_is_none(text: bytes) -> None:
    for end in range(len(text.rstrip())):
        with pytest.raises(MalformedList):
            read([text[:end]])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"ok",
        b"[]",
        b"{}",
        b'{"kind":"Status"}',
        b'{"items":{}}',
        b'{"items":[{"a":1}{]}',
        b'{"items":[{"a":1},]}',
        b'{"items":[{"a":"\xff"}]}',
        b'{"metadata":{"items":[{"a":1}]}}',
        b'{"items":[{"a":1}]}{',
        b'{"items":[1]}',
        b'{"items":[[]]}',
        b'{"items":[' + b"[" * 100_000,
        b"[" * 100_000,
    ],
)
def test_what_is_no_list_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedList):
        read([text])


@pytest.mark.parametrize("text", [b'{"items":[]}', b'{"items":null}', b'{"items" : [ ] }'])
def test_an_empty_list_is_one(text: bytes) -> None:
    assert read([text])[0] == []


async def _chunks(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def _lines(parts: list[bytes]) -> list[bytes]:
    return [line async for line in split_lines(_chunks(parts))]


@given(st.lists(st.binary(max_size=12).map(lambda raw: raw.replace(b"x", b"\n")), max_size=12))
async def test_lines_are_the_same_however_the_stream_was_cut(parts: list[bytes]) -> None:
    assert await _lines(parts) == [line for line in b"".join(parts).split(b"\n") if line]


async def test_a_last_line_without_its_newline_counts() -> None:
    assert await _lines([b"{}\n{", b"}"]) == [b"{}", b"{}"]


async def test_a_line_longer_than_any_secret_comes_through_whole() -> None:
    piece = b"x" * 65536
    assert await _lines([piece] * 64 + [b"\n{}\n"]) == [piece * 64, b"{}"]
