"""One connection of HTTP/1.1 to a server, with the parser that uvicorn uses (llhttp).

httpx's own transport reads and writes HTTP/1.1 in Python, behind a pool of connections. In a call
with two short requests that took a third of the processor time.

A request is sent once: whether it may be sent again after a failure is the caller's decision.
"""

from __future__ import annotations

import re
import select
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, cast

import httpcore
import httptools
import httpx

_READ_BYTES: Final = 64 * 1024
_MOST_FRAMING: Final = 100 * 1024
"""Bytes of headers, chunk sizes and trailers without a byte of a body between them."""
_VALUE: Final = re.compile(rb"[^\x00\r\n]*")
"""What cannot end a header (RFC 9110 5.5)."""
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
"""The others have answers that are framed differently: HEAD, CONNECT."""
_ERRORS: Final[Mapping[type[Exception], type[httpx.TransportError]]] = {
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadError: httpx.ReadError,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteError: httpx.WriteError,
    httpcore.WriteTimeout: httpx.WriteTimeout,
}
_Origin = tuple[str, str, int]


class Http1Connection(httpx.AsyncBaseTransport):
    """A transport of one connection, which is opened when it is needed.

    It takes one request at a time, and the next one once the response is closed. The connection is
    used again only if the server keeps it, nothing came after the last answer, and it was idle for
    less than `keep_alive` seconds.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        keep_alive: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create it without connecting."""
        self._tls = tls
        self._keep_alive = keep_alive
        self._monotonic = monotonic
        self._network = httpcore.AnyIOBackend()
        self._origin: _Origin | None = None
        self._stream: httpcore.AsyncNetworkStream | None = None
        self._readable: Callable[[], bool] = _never
        self._idle_since = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its response when the headers have come.

        Raises:
            httpx.ConnectError: nothing was sent; so also ConnectTimeout.
            httpx.TransportError: the request was sent in part or as a whole.
        """
        timeouts: Mapping[str, float | None] = request.extensions.get("timeout", {})
        message = _serialized(request)
        with _httpx_errors():
            stream = await self._connected(request.url, timeouts)
            # A server may answer before it has read everything and close: its answer counts.
            with suppress(httpcore.WriteError):
                await stream.write(message, timeouts.get("write"))
            answer = Answer()
            while not answer.begun:
                await _read(stream, answer, timeouts)
        body = _Body(self, stream, answer, timeouts)
        return httpx.Response(answer.status, headers=answer.headers, stream=body)

    async def aclose(self) -> None:
        """Close the connection."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()

    async def finish(self, answer: Answer) -> None:
        """Keep the connection after an answer, or close it if it cannot be used again."""
        if answer.complete and answer.keeps and not answer.more:
            self._idle_since = self._monotonic()
        else:
            await self.aclose()

    async def _connected(
        self, url: httpx.URL, timeouts: Mapping[str, float | None]
    ) -> httpcore.AsyncNetworkStream:
        origin = _origin_of(url)
        if self._stream is not None:
            idle = self._monotonic() - self._idle_since
            # What can be read before a request is sent is the end of the connection.
            if origin == self._origin and idle <= self._keep_alive and not self._readable():
                return self._stream
            await self.aclose()
        scheme, host, port = origin
        timeout = timeouts.get("connect")
        stream = await self._network.connect_tcp(host, port, timeout)
        if scheme == "https":
            self._tls.set_alpn_protocols(["http/1.1"])
            try:
                stream = await stream.start_tls(self._tls, host, timeout)
            except BaseException:
                await stream.aclose()
                raise
        self._origin, self._stream = origin, stream
        self._readable = _readability(stream)
        return stream


class Answer:
    """What has come of an answer; the callbacks are those of httptools."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.begun = False
        """Whether all headers of the final answer have come."""
        self.complete = False
        self.keeps = False
        """Whether the server keeps the connection."""
        self.more = False
        """Whether anything came after the answer."""
        self.body: list[bytes] = []
        """Parts that were not taken yet."""
        self._parser = httptools.HttpResponseParser(self)
        self._framing = 0

    def feed(self, data: bytes) -> None:
        """Take what came over the connection; nothing at its end.

        Raises:
            httpx.RemoteProtocolError: it is not an answer of HTTP/1.1.
        """
        if not data:
            self._end()
            return
        self._framing += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.complete:
                self.more = True
                return
            raise httpx.RemoteProtocolError("the answer is not HTTP/1.1") from error
        if self._framing > _MOST_FRAMING + _READ_BYTES:
            raise httpx.RemoteProtocolError("the headers are too large")

    def _end(self) -> None:
        framed = any(
            name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in self.headers
        )
        if not self.begun or framed:
            raise httpx.RemoteProtocolError("the server closed the connection before the end")
        # RFC 9112 6.3: such a body ends with the connection.
        self.complete = True

    def on_message_begin(self) -> None:
        self.more = self.complete

    def on_header(self, name: bytes, value: bytes | None) -> None:
        # Trailers are not headers: nobody reads them.
        if not self.begun:
            self.headers.append((name, value or b""))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        status = self._parser.get_status_code()
        if status == 101:
            raise httpx.RemoteProtocolError("the server changes the protocol")
        if status < 200:
            self.headers.clear()
            return
        self.status = status
        self.keeps = self._parser.should_keep_alive()
        self.begun = True

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self._framing = 0
            self.body.append(data)

    def on_message_complete(self) -> None:
        self.complete = self.begun


class _Body(httpx.AsyncByteStream):
    """The body of an answer, read from the connection as it is asked for."""

    def __init__(
        self,
        connection: Http1Connection,
        stream: httpcore.AsyncNetworkStream,
        answer: Answer,
        timeouts: Mapping[str, float | None],
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._answer = answer
        self._timeouts = timeouts
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        answer = self._answer
        while True:
            parts, answer.body = answer.body, []
            for part in parts:
                yield part
            if answer.complete:
                return
            with _httpx_errors():
                await _read(self._stream, answer, self._timeouts)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._connection.finish(self._answer)


async def _read(
    stream: httpcore.AsyncNetworkStream, answer: Answer, timeouts: Mapping[str, float | None]
) -> None:
    answer.feed(await stream.read(_READ_BYTES, timeouts.get("read")))


@contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except tuple(_ERRORS) as error:
        raise _ERRORS[type(error)](str(error)) from error


def _serialized(request: httpx.Request) -> bytes:
    """Return a request as it is sent.

    Raises:
        httpx.LocalProtocolError: it would not be one request of HTTP/1.1.
    """
    if request.method not in _METHODS:
        raise httpx.LocalProtocolError("the method is not supported")
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    for name, value in request.headers.raw:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise httpx.LocalProtocolError("a header is malformed")
        lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join((*lines, b"", request.content))


def _origin_of(url: httpx.URL) -> _Origin:
    port = url.port or (443 if url.scheme == "https" else 80)
    return url.scheme, url.raw_host.decode(), port


def _readability(stream: httpcore.AsyncNetworkStream) -> Callable[[], bool]:
    """Return a function that says whether anything waits to be read."""
    waiting = select.poll()
    socket = cast("Any", stream.get_extra_info("socket"))
    waiting.register(socket.fileno(), select.POLLIN)
    return lambda: bool(waiting.poll(0))


def _never() -> bool:
    return False
