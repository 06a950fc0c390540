"""Numbers the mappings, so that of two the newer one is known."""

from __future__ import annotations

from productive_contract.mapping import MAX_INTEGER


def next_revision(previous: int, now: float) -> int:
    """Return a revision above `previous`: the Unix time in milliseconds, unless that is behind.

    After the largest one it is the time again, so that nobody can end the numbering by writing it.
    """
    return max(previous + 1 if previous < MAX_INTEGER else 0, int(now * 1000))
