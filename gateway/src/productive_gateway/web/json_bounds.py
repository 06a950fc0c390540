"""How deeply JSON is nested, and how many values it holds, before a parser sees it.

A parser follows each level by a call of its own, and what reads its result does the same. How many
levels that takes before it fails depends on versions and on the stack, so there is a bound here.
And each value takes memory, however short it is written: 4 MB of empty objects become 100 MB.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final

MAX_DEPTH: Final = 64
"""Levels; arguments of tools and metadata of clients have fewer than ten."""
MAX_VALUES: Final = 50_000
"""Members and elements; the largest call that is sensible has some hundreds."""

_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_OTHERS: Final = bytes(set(range(256)) - set(_STEPS))


def is_too_deep(raw: bytes, most: int = MAX_DEPTH) -> bool:
    """Whether arrays and objects are nested more than `most` levels deep; JSON or not."""
    # What has few brackets needs no closer look: that is nearly everything.
    if raw.count(b"[") + raw.count(b"{") <= most:
        return False
    brackets = b"".join(_outside_of_texts(raw)).translate(None, _OTHERS)
    return any(level > most for level in accumulate(map(_STEPS.__getitem__, brackets)))


def has_too_many_values(raw: bytes, most: int = MAX_VALUES) -> bool:
    """Whether all arrays and objects together have more than `most` commas; JSON or not."""
    if raw.count(b",") <= most:
        return False
    return sum(part.count(b",") for part in _outside_of_texts(raw)) > most


def _outside_of_texts(raw: bytes) -> list[bytes]:
    # Between quotes, escaped ones left out, every second part is outside of a string.
    return raw.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2]
