"""The event loop of asynchronous tests: a TLS connection that says goodbye is not a leak.

A closed TLS connection waits for its peer's farewell, and a peer that was stopped never sends one.
A program goes on meanwhile; a test ends, and the garbage collector would report the socket in
whichever test runs by then. So such connections are cut when the loop ends. One that nobody closed
is still reported, and fails the run.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

_SAYING_GOODBYE: Final = frozenset({"FLUSHING", "SHUTDOWN"})
"""States of `asyncio.sslproto.SSLProtocol`, which asyncio has no public way to see."""


class TestLoop(asyncio.SelectorEventLoop):
    """Cuts TLS connections that are waiting for a farewell when it is closed."""

    __test__ = False

    def close(self) -> None:
        """Close the loop."""
        if not self.is_closed() and not self.is_running():
            self.run_until_complete(self._cut())
        super().close()

    async def _cut(self) -> None:
        leaving = [one for one in self._open_transports() if _says_goodbye(one)]
        for transport in leaving:
            transport.abort()
        # An aborted transport closes its socket by a callback.
        while any(one._sock is not None for one in leaving):  # noqa: ASYNC110  # no event says so
            await asyncio.sleep(0)

    def _open_transports(self) -> list[Any]:
        known = list(self._transports.values())  # type: ignore[attr-defined]
        return [transport for transport in known if transport._sock is not None]


def _says_goodbye(transport: Any) -> bool:
    state = getattr(transport.get_protocol(), "_state", None)
    return getattr(state, "name", None) in _SAYING_GOODBYE
