"""uvicorn's HTTP protocol, with a deadline for each wait for the client.

uvicorn has one deadline, between two requests, and the first byte that arrives ends it. Without
more, anybody who can connect could hold connections and memory for ever: by never completing a
head or a body, by a stray byte after an answer, or by not reading what is sent.

While the gateway works on a request there is no deadline: a call may take long.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextvars import Context
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import httptools
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from productive_gateway.web.body import SECONDS as BODY_SECONDS
from productive_gateway.web.body import ArrivedBody
from productive_gateway.web.headers import has_other_codings, has_valid_host
from productive_gateway.web.timers import Timer, Timers
from productive_gateway.web.upgrade import RestOfRequest
from productive_gateway.web.whole_answer import WHOLE_ANSWER, send_parts, write_whole

RETRY_AFTER: Final = 5
"""Seconds after which a client whose connection had to give way should try again."""

_EXTENSIONS: Final[Mapping[str, Mapping[str, object]]] = {WHOLE_ANSWER: {}}


@dataclass(frozen=True, slots=True)
class PortLimits:
    """Bounds of one port; times are in seconds."""

    head: float = 10.0
    """For a whole head, from its first byte or from the start of the connection."""
    body: float = BODY_SECONDS + 5.0
    """For a whole body, from the end of the head. A handler that reads the body gives up a little
    earlier, and can say so."""
    idle: float = 75.0
    """Between two requests; bytes that begin no request do not extend it."""
    write: float = 30.0
    """For the client to take what was sent, once the buffer of the connection is full."""
    drain: float = 2.0
    """After an answer that came before the end of its request: for the client to read it. A
    connection that is closed while data arrive is reset, and the answer may be lost with it."""
    drain_bytes: int = 1024 * 1024
    """Bytes that are thrown away meanwhile."""
    head_bytes: int = 32 * 1024
    """Of a head: two transaction cookies and a sealed client id fit easily."""
    headers: int = 128
    """Of one request, each part of a split Cookie line included; others send fewer than 50."""
    connections: int = 1000
    """Open at a time. Above that, the one that has waited longest for its client is closed."""
    bodies: int = 256
    """Bodies that are awaited at a time, likewise: it bounds the memory that they fill."""


class Phase(Enum):
    """What a connection is doing."""

    NEW = auto()
    """Nothing has arrived yet."""
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    """The request is complete, its answer is not."""
    IDLE = auto()
    """Between two requests."""
    DRAIN = auto()
    """The last answer is sent; what still arrives is thrown away."""


class Waiting:
    """The connections of one port that wait for their clients, the longest wait first."""

    def __init__(self, limits: PortLimits) -> None:
        self.limits = limits
        self.deadlines: Final[Mapping[Phase, Timers]] = {
            Phase.NEW: Timers(limits.head),
            Phase.HEAD: Timers(limits.head),
            Phase.BODY: Timers(limits.body),
            Phase.IDLE: Timers(limits.idle),
        }
        """Of the phases that wait for the client."""
        self._all: dict[Connection, None] = {}
        self._bodies: dict[Connection, None] = {}

    def add(self, connection: Connection, *, body: bool = False) -> None:
        """Note that a connection has begun to wait, for a body or for anything else."""
        self.discard(connection)
        self._all[connection] = None
        if body:
            self._bodies[connection] = None
            if len(self._bodies) > self.limits.bodies:
                next(iter(self._bodies)).give_way()

    def discard(self, connection: Connection) -> None:
        """Note that a connection does not wait any more."""
        self._all.pop(connection, None)
        self._bodies.pop(connection, None)

    def make_room(self, connection: Connection) -> None:
        """Close the connection that has waited longest, or this new one if no other waits."""
        others = (one for one in self._all if one is not connection)
        next(others, connection).give_way()


class Connection(HttpToolsProtocol):
    """One connection."""

    def __init__(self, waiting: Waiting, **options: Any) -> None:
        """Take what uvicorn gives, and what the connections of the port share."""
        super().__init__(**options)
        self._waiting = waiting
        self._limits = waiting.limits
        self._context = Context()
        """Of deadlines. They often begin within a request, and would keep its context in memory,
        with all that it brought along, while the connection is idle."""
        self._phase = Phase.NEW
        self._entered = True
        """Whether the phase began since its deadline was last set."""
        self._deadline: Timer | asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        """Deadline of a client that does not read."""
        self._unparsed = 0
        """Bytes since the parser last completed a head or a piece of a body, or since the answer:
        those of an incomplete head, of trailers, or of nothing that begins a request."""
        self._read = 0
        """Bytes that were read together with what is being parsed."""
        self._running: RequestResponseCycle | None = None
        """The request that was handed to the application last; uvicorn's `cycle` is the one that
        arrived last, which may wait behind it."""
        self._upgrade_at: int | None = None
        """Where the head of a request ends that asks for another protocol, in the data at hand."""
        self._last: RequestResponseCycle | None = None
        """The request whose answer said that the connection ends."""

    # --- called by the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect the first head."""
        super().connection_made(transport)
        self._set_deadline()
        if len(self.connections) > self._limits.connections:
            self._waiting.make_room(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more, and tell the application."""
        self._clear_deadline()
        self._disconnect()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, or throw them away after the last answer."""
        self._read = len(data)
        self._unparsed += self._read
        if self._phase is Phase.DRAIN:
            if self._unparsed > self._limits.drain_bytes:
                self.transport.abort()
            return
        super().data_received(data)
        if self._upgrade_at is not None:
            data, self._upgrade_at = data[self._upgrade_at :], None
            super().data_received(data)
        if self._unparsed > self._limits.head_bytes:
            self.send_400_response("The head of the request is too long.")
        self._set_deadline()

    def pause_writing(self) -> None:
        """Give the client time to read."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self._abort_after(self._limits.write)

    def resume_writing(self) -> None:
        """Note that the client reads."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    # --- called by the parser

    def on_message_begin(self) -> None:
        """Expect the rest of this head."""
        super().on_message_begin()
        self._enter(Phase.HEAD)

    def on_headers_complete(self) -> None:
        """Expect the body.

        Raises:
            ValueError: there are too many headers, or the body has a coding that is unknown here
                (RFC 9112 6.1), which is answered already; or the Host header is not as RFC 9112 3.2
                demands; uvicorn then answers 400.
        """
        if not has_valid_host(self.headers, required=self.parser.get_http_version() != "1.0"):
            raise ValueError("Host")
        if len(self.headers) > self._limits.headers or self._head_is_too_long():
            self._refuse(431, "The request has too many headers, or too long ones.")
            raise ValueError("headers")
        if has_other_codings(self.headers):
            self._refuse(501, "The only transfer coding that this server knows is chunked.")
            raise ValueError("Transfer-Encoding")
        super().on_headers_complete()
        self._enter(Phase.BODY)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, and wake the application only when the buffer is full.

        A body that fits into the buffer is in this one place until it is complete, and can be let
        go at once when the connection has to give way.
        """
        self._unparsed = 0
        if self.cycle.response_complete:
            return
        self.cycle.body += body
        if len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Leave the client alone until the answer."""
        if self.parser.should_upgrade():
            # Only its head is; `_unsupported_upgrade_warning` is called next.
            return
        super().on_message_complete()
        self._enter(Phase.ANSWER)

    def _unsupported_upgrade_warning(self) -> None:
        """Go on in HTTP/1.1 with a request that asks for another protocol; called by uvicorn."""
        error = sys.exception()
        if isinstance(error, httptools.HttpParserUpgrade):
            self._upgrade_at = error.args[0]
        self.cycle.keep_alive = False
        rest: Any = RestOfRequest(self.headers, self.on_body, self.on_message_complete)
        self.parser = rest

    # --- called by the application

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, partial(self._answer, cycle, app))

    async def _answer(
        self,
        cycle: RequestResponseCycle,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Run the application; if it answers before its request is complete, say "close"."""
        if not cycle.more_body:
            # Most requests arrive as a whole, before this begins.
            await self._answer_arrived(cycle, app, scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and cycle.more_body:
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                message = {**message, "headers": headers}
                self._last = cycle
            await send(message)
            if self._last is cycle:
                # Not closed by uvicorn: `on_response_complete` drains the connection first.
                cycle.keep_alive = True

        await app(scope, receive, sending)

    async def _answer_arrived(
        self,
        cycle: RequestResponseCycle,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Run the application for a request that is complete."""

        async def sending(message: Message) -> None:
            if message["type"] != WHOLE_ANSWER:
                await send(message)
            elif not write_whole(cycle, message):
                await send_parts(send, message)

        scope["extensions"] = _EXTENSIONS
        await app(scope, ArrivedBody(receive, partial(_take_body, cycle)), sending)

    def on_response_complete(self) -> None:
        """Expect the next request, or end the connection.

        In place of uvicorn's: its own deadline between two requests ends with any byte.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._close()
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.cycle.more_body or self._last is self.cycle:
            self._drain()
            return
        elif self._phase is Phase.ANSWER:
            self._enter(Phase.IDLE)
        self._entered = True
        self._set_deadline()

    def shutdown(self) -> None:
        """Close at once, or after the answer that is under way."""
        cycle: RequestResponseCycle | None = self.cycle
        if self._phase is Phase.DRAIN:
            self.transport.abort()
        elif cycle is None or cycle.response_complete:
            self._close()
        else:
            cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed."""
        self._refuse(400, msg)

    # --- deadlines

    def give_way(self) -> None:
        """End a connection that waits for its client, in favour of others."""
        if self._phase in {Phase.NEW, Phase.IDLE}:
            # An answer would be taken for one to the next request.
            self._close()
        else:
            message = "This server has too many connections. Try again soon."
            self._refuse(503, message, f"retry-after: {RETRY_AFTER}\r\n")

    def _late(self) -> None:
        if self._phase in {Phase.NEW, Phase.IDLE}:
            self._close()
        elif self._answering():
            # A next request is late; the answer to the one before it must not suffer.
            self.cycle.keep_alive = False
        else:
            self._refuse(408, "The request took too long to arrive. Send it again.")

    def _head_is_too_long(self) -> bool:
        """Whether a head that is complete is longer than an incomplete one may be."""
        most = self._limits.head_bytes
        if self._unparsed + self._read <= most:
            return False
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > most

    def _answering(self) -> bool:
        """Whether a complete request is being answered, or one before it is."""
        # uvicorn's annotation leaves out that there is none before the first request.
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return bool(self.pipeline) or not cycle.more_body

    def _enter(self, phase: Phase) -> None:
        self._phase, self._entered, self._unparsed = phase, True, 0

    def _set_deadline(self) -> None:
        """Set the deadline of the phase that data or an answer led to."""
        if not self._entered or self.transport.is_closing() or self._phase is Phase.DRAIN:
            return
        self._entered = False
        self._clear_deadline()
        answering = self._answering()
        if self._phase is Phase.ANSWER or (self._phase is Phase.BODY and answering):
            # A body behind an answer under way is not even read yet.
            return
        start = self._waiting.deadlines[self._phase].start
        self._deadline = self._context.run(start, self._late)
        if not answering:
            self._waiting.add(self, body=self._phase is Phase.BODY)

    def _abort_after(self, seconds: float) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, self.transport.abort, context=self._context)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._waiting.discard(self)

    # --- ends

    def _refuse(self, status: int, message: str, headers: str = "") -> None:
        """Answer in place of the application, unless it has begun to, and end the connection.

        Args:
            status: of the answer.
            message: its body.
            headers: whole lines that this answer has besides the usual ones.
        """
        if self.transport.is_closing() or self._phase is Phase.DRAIN:
            return
        running = self._running
        if running is not None and running.response_started and not running.response_complete:
            self._close()
            return
        self._disconnect()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            "content-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(message)}\r\n{headers}connection: close\r\n\r\n"
        )
        self.transport.write(f"{head}{message}".encode("ascii"))
        self._drain()

    def _disconnect(self) -> None:
        """Tell the application that nobody waits for what is not answered yet."""
        waiting = [cycle for cycle, _ in self.pipeline]
        self.pipeline.clear()
        for cycle in (self._running, *waiting):
            if cycle is None or cycle.response_complete:
                continue
            cycle.disconnected = True
            cycle.message_event.set()
            # At once: many connections may be read before the application runs. And not `clear`,
            # which shrinks the buffer in place and leaves a hole that no other buffer fits into.
            cycle.body = bytearray()

    def _close(self) -> None:
        """End the connection once the client has taken what was sent."""
        self._clear_deadline()
        self._deadline = self._abort_after(self._limits.write)
        self.transport.close()

    def _drain(self) -> None:
        """End the connection, but let the client read the last answer first."""
        self._enter(Phase.DRAIN)
        self._clear_deadline()
        self._deadline = self._abort_after(self._limits.drain)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()


def _take_body(cycle: RequestResponseCycle) -> bytes | None:
    """Take the body of a request as its `receive` would; None if that would wait, or do more."""
    if (
        cycle.disconnected
        or cycle.response_complete
        or cycle.waiting_for_100_continue
        or not cycle.message_event.is_set()
    ):
        return None
    cycle.flow.resume_reading()
    cycle.message_event.clear()
    body, cycle.body = bytes(cycle.body), bytearray()
    return body
