"""uvicorn's HTTP protocol with bounds on the head of a request, for which uvicorn has none.

Without them anybody who can connect could make a header grow until memory runs out, or hold
connections open by never completing a head.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

LONGEST_HEAD: Final = 32 * 1024
"""Bytes of request line and headers that are accepted while they are incomplete: two transaction
cookies and a sealed client id fit easily. A head that arrives in one read may be longer."""
HEAD_SECONDS: Final = 10.0
"""Within which a head must arrive, from its first byte or from the start of the connection."""


class BoundedHead(HttpToolsProtocol):
    """One connection."""

    _unparsed = 0
    """Bytes since the parser last completed a head or a piece of a body: those of an incomplete
    head, or of trailers."""
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, unless it only makes one head longer and longer."""
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > LONGEST_HEAD:
            self._give_up()

    def on_message_begin(self) -> None:
        """Expect the rest of this head."""
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        """Take the head."""
        self._stop_waiting()
        self._unparsed = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unparsed = 0
        super().on_body(body)

    def _expect_head(self) -> None:
        self._stop_waiting()
        self._unparsed = 0
        self._late = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        if self.transport.is_closing():
            return
        # uvicorn's annotation leaves out that there is none before the first request.
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            # Another answer is under way; there is no room for this one.
            self.transport.close()
        else:
            self.send_400_response("The head of the request is too long or takes too long.")
