"""A running call, and what can end it from outside: its deadline, or its caller.

Both end it in the same way, because each scope of cancellation costs as much as all other checks of
a call together. A write that was sent is shielded: it finishes first.
"""

from __future__ import annotations

import math
from functools import cache

import anyio


class CallEnded(Exception):
    """The caller ended the call: nobody waits for an answer any more."""


class RunningCall:
    """What runs inside of `scope`, which is entered once."""

    __slots__ = ("deadline", "is_ended", "scope")

    def __init__(self) -> None:
        self.scope = _scope_class()()
        """Its block is left without an error if the call is cancelled."""
        self.deadline = math.inf
        """When the call is cancelled, by the clock of the event loop."""
        self.is_ended = False
        """Whether the caller has ended it."""

    def end(self) -> None:
        """Cancel the call, because its caller wants no answer any more."""
        self.is_ended = True
        self.scope.cancel()


@cache
def _scope_class() -> type[anyio.CancelScope]:
    """Return the class of a scope; anyio looks for the event loop before it makes each one."""
    return type(anyio.CancelScope())
