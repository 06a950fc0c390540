from __future__ import annotations

from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st
from productive_kube.lines import split_lines


async def _chunks(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def _lines(parts: list[bytes]) -> list[bytes]:
    return [line async for line in split_lines(_chunks(parts))]


@given(st.lists(st.binary(max_size=12).map(lambda raw: raw.replace(b"x", b"\n")), max_size=12))
async def test_lines_are_the_same_however_the_stream_was_cut(parts: list[bytes]) -> None:
    assert await _lines(parts) == [line for line in b"".join(parts).split(b"\n") if line]


async def test_a_line_longer_than_any_secret_comes_through_whole() -> None:
    piece = b"x" * 65536
    assert await _lines([piece] * 64 + [b"\n{}\n"]) == [piece * 64, b"{}"]
