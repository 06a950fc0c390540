"""How deeply JSON is nested, before a parser sees it.

A parser follows each level by a call of its own, and what reads its result does the same. How many
levels that takes before it fails depends on versions and on the stack, so there is a bound here.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final

MAX_DEPTH: Final = 64
"""Levels; arguments of tools and metadata of clients have fewer than ten."""

_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_OTHERS: Final = bytes(set(range(256)) - set(_STEPS))


def is_too_deep(raw: bytes, most: int = MAX_DEPTH) -> bool:
    """Whether arrays and objects are nested more than `most` levels deep; JSON or not."""
    # What has few brackets needs no closer look: that is nearly everything.
    if raw.count(b"[") + raw.count(b"{") <= most:
        return False
    # Between quotes, escaped ones left out, every second part is outside of a string.
    outside = raw.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2]
    brackets = b"".join(outside).translate(None, _OTHERS)
    return any(level > most for level in accumulate(map(_STEPS.__getitem__, brackets)))
