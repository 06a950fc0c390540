"""Numbers the mappings, so that of two the newer one is known."""

from __future__ import annotations


def next_revision(previous: int, now: float) -> int:
    """Return a revision above `previous`: the Unix time in milliseconds, unless that is behind."""
    return max(previous + 1, int(now * 1000))
