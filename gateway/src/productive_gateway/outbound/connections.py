"""Connections that are used again: as many transports of one connection each as are needed.

The pool of httpcore looks at all of its connections, each with a system call, when a request begins
and when it ends. Here the connection that was used last is taken again, and no other is looked at.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final, cast

import anyio
import httpx

KEEP_ALIVE: Final = 5.0
"""Seconds after which a connection that is not used is not used again; servers keep theirs open for
longer, so a request seldom meets a connection that is being closed."""

SINGLE: Final = httpx.Limits(
    max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE
)
"""Limits of each transport."""


class ReusedConnections(httpx.AsyncBaseTransport):
    """A transport for many requests to a few addresses.

    It does not bound how many run at once: that is for the caller.
    """

    def __init__(
        self,
        connect: Callable[[], httpx.AsyncBaseTransport],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create it without connecting.

        Args:
            connect: makes a transport with the limits `SINGLE`.
            monotonic: seconds from any origin.
        """
        self._connect = connect
        self._monotonic = monotonic
        self._idle: deque[tuple[float, httpx.AsyncBaseTransport]] = deque()
        """Since when each is idle, the longest first."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request over the idle connection that was used last, or over a new one."""
        transport = self._idle.pop()[1] if self._idle else self._connect()
        try:
            response = await transport.handle_async_request(request)
        except BaseException:
            await _discard(transport)
            raise
        # httpx's own transports promise it.
        stream = cast("httpx.AsyncByteStream", response.stream)
        response.stream = _Body(stream, partial(self._returned, transport), transport)
        await self._close_oldest()
        return response

    async def aclose(self) -> None:
        """Close the idle connections."""
        while self._idle:
            await self._idle.pop()[1].aclose()

    def _returned(self, transport: httpx.AsyncBaseTransport) -> None:
        self._idle.append((self._monotonic(), transport))

    async def _close_oldest(self) -> None:
        """Close one connection that a busier time left behind, if there is one."""
        if self._idle and self._monotonic() - self._idle[0][0] > KEEP_ALIVE:
            await self._idle.popleft()[1].aclose()


class _Body(httpx.AsyncByteStream):
    """The body of a response; when it is closed, its transport can be used again."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        closed: Callable[[], None],
        transport: httpx.AsyncBaseTransport,
    ) -> None:
        self._stream = stream
        self._closed: Callable[[], None] | None = closed
        self._transport = transport

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                yield part
        except BaseException:
            self._closed = None
            await _discard(self._transport)
            raise

    async def aclose(self) -> None:
        closed, self._closed = self._closed, None
        try:
            await self._stream.aclose()
        except BaseException:
            await _discard(self._transport)
            raise
        if closed is not None:
            closed()


async def _discard(transport: httpx.AsyncBaseTransport) -> None:
    """Close a transport whose request failed or was cancelled.

    A pool of httpcore can count the connection of a cancelled request as busy for good: the
    next request that got the transport would wait for that connection in vain.
    """
    with anyio.CancelScope(shield=True), contextlib.suppress(Exception):
        await transport.aclose()
