"""One connection of HTTP/1.1, against a server that sends given bytes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.outbound.client import trusted
from productive_gateway.outbound.connections import KEEP_ALIVE, ReusedConnections
from productive_gateway.outbound.http1 import Answer, Http1Connection

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNFRAMED = b"HTTP/1.1 200 OK\r\n\r\no|k"
CLOSE = b""
"""The server closes the connection."""
SECONDS = 20


class Server:
    """A server on this machine; each list is what one connection sends, an entry a request."""

    def __init__(self, *connections: Sequence[bytes]) -> None:
        self._connections = list(connections)
        self.url = ""
        self.opened = 0
        self.ended = asyncio.Event()
        """A connection was closed by the client."""
        self.closed = asyncio.Event()
        """The server closed a connection."""
        self.received: list[bytes] = []
        self.asked = asyncio.Event()
        self.serving: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.current_task())
        answers = list(self._connections[self.opened])
        self.opened += 1
        with contextlib.suppress(ConnectionError):
            await self._answer(reader, writer, answers)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self.closed.set()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: list[bytes]
    ) -> None:
        while head := await self._request(reader):
            self.received.append(head)
            self.asked.set()
            if not answers:
                continue
            for part in answers.pop(0).split(b"|"):
                writer.write(part)
                await writer.drain()
            if answers and answers[0] == CLOSE:
                return
        self.ended.set()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    head += await reader.readexactly(int(line[15:]))
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        return head


@asynccontextmanager
async def server(*connections: Sequence[bytes]) -> AsyncIterator[Server]:
    made = Server(*connections)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        async with asyncio.timeout(SECONDS):
            yield made
    finally:
        listening.close()
        await asyncio.gather(*(task for task in made.serving if task), return_exceptions=True)


def connection(now: float = 0.0) -> Http1Connection:
    return Http1Connection(trusted(None), KEEP_ALIVE, monotonic=lambda: now)


async def fetch(
    transport: httpx.AsyncBaseTransport, url: str, method: str = "GET", content: bytes | None = None
) -> httpx.Response:
    timeout = httpx.Timeout(SECONDS).as_dict()
    request = httpx.Request(method, url, content=content, extensions={"timeout": timeout})
    response = await transport.handle_async_request(request)
    try:
        await response.aread()
    finally:
        await response.aclose()
    return response


async def failure(answer: bytes) -> type[BaseException]:
    async with server([answer, CLOSE]) as one, connection() as transport:
        with pytest.raises(httpx.TransportError) as raised:
            await fetch(transport, one.url)
        return raised.type


async def test_request_is_sent_with_its_target_headers_and_body() -> None:
    async with server([OK]) as one, connection() as transport:
        response = await fetch(transport, f"{one.url}/a?b=c%20d", "POST", b"body")
        assert (response.status_code, response.text) == (200, "ok")
        [sent] = one.received
        assert sent.startswith(b"POST /a?b=c%20d HTTP/1.1\r\nHost: 127.0.0.1:")
        assert sent.endswith(b"\r\nContent-Length: 4\r\n\r\nbody")


async def test_connection_is_used_again() -> None:
    async with server([OK, OK, OK]) as one, connection() as transport:
        for _ in range(3):
            assert (await fetch(transport, one.url)).text == "ok"
        assert one.opened == 1


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n|1\r\nk\r\n|0\r\n\r\n",
            "ok",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n|" + OK, "ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, "ok"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, "ok"),
        (b"HTTP/1.1 200 OK\r\n|Content-Le|ngth: 2\r\n\r\no|k", "ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
    ],
)
async def test_answers_are_read_however_they_are_framed(answer: bytes, text: str) -> None:
    async with server([answer, OK]) as one, connection() as transport:
        response = await fetch(transport, one.url)
        assert response.text == text
        assert "link" not in response.headers
        assert (await fetch(transport, one.url)).text == "ok"
        assert one.opened == 1


async def test_body_without_a_length_ends_with_the_connection() -> None:
    async with (
        server([UNFRAMED, CLOSE], [OK]) as one,
        connection() as transport,
    ):
        assert (await fetch(transport, one.url)).text == "ok"
        assert (await fetch(transport, one.url)).text == "ok"
        assert one.opened == 2


async def test_packed_body_is_unpacked() -> None:
    packed = gzip.compress(b"ok" * 50, mtime=0)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    if b"|" in packed:
        raise AssertionError("the server would divide it")
    async with server([head + packed]) as one, connection() as transport:
        assert (await fetch(transport, one.url)).text == "ok" * 50


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
        OK + b"HTTP/1.1 200",
        OK + b"rest",
    ],
)
async def test_connection_that_cannot_be_trusted_is_not_used_again(answer: bytes) -> None:
    async with server([answer, OK], [OK]) as one, connection() as transport:
        assert (await fetch(transport, one.url)).text == "ok"
        assert (await fetch(transport, one.url)).text == "ok"
        assert one.opened == 2


async def test_connection_that_the_server_closed_is_not_used_again() -> None:
    async with server([OK, CLOSE], [OK]) as one, connection() as transport:
        await fetch(transport, one.url)
        await one.closed.wait()
        assert (await fetch(transport, one.url, "POST", b"{}")).text == "ok"
        assert one.opened == 2


async def test_connection_that_was_idle_for_long_is_not_used_again() -> None:
    now = [0.0]
    transport = Http1Connection(trusted(None), KEEP_ALIVE, monotonic=lambda: now[0])
    async with server([OK], [OK]) as one, transport:
        await fetch(transport, one.url)
        now[0] = KEEP_ALIVE + 1
        await fetch(transport, one.url)
        assert one.opened == 2


async def test_connection_whose_body_was_not_read_is_closed() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"
    async with server([long], [OK]) as one, connection() as transport:
        response = await transport.handle_async_request(httpx.Request("GET", one.url))
        await response.aclose()
        await one.ended.wait()
        assert (await fetch(transport, one.url)).text == "ok"


async def test_request_is_sent_once_when_the_server_closes_without_an_answer() -> None:
    async with server([b"", CLOSE], [OK]) as one, ReusedConnections(connection) as transport:
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(transport, one.url, "POST", b"{}")
        assert len(one.received) == 1


async def test_cancelled_request_closes_its_connection() -> None:
    async with server([], [OK]) as one, ReusedConnections(connection) as transport:
        request = asyncio.create_task(fetch(transport, one.url))
        await one.asked.wait()
        request.cancel()
        await one.ended.wait()
        assert (await fetch(transport, one.url)).text == "ok"
        assert one.opened == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 400_000,
    ],
)
async def test_what_is_no_whole_answer_is_an_error(answer: bytes) -> None:
    assert await failure(answer) is httpx.RemoteProtocolError


async def test_server_that_does_not_answer_in_time() -> None:
    async with server([]) as one, connection() as transport:
        request = httpx.Request("GET", one.url, extensions={"timeout": {"read": 0.01}})
        with pytest.raises(httpx.ReadTimeout):
            await transport.handle_async_request(request)


async def test_address_without_a_server_is_a_failed_connection() -> None:
    async with server() as one:
        url = one.url
    async with connection() as transport:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, url)


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0"])
async def test_header_that_would_end_early_is_not_sent(value: str) -> None:
    async with server([OK]) as one, connection() as transport:
        request = httpx.Request("GET", one.url, headers={"X-Auth-Token": value})
        with pytest.raises(httpx.LocalProtocolError):
            await transport.handle_async_request(request)
        assert one.opened == 0


@given(body=st.binary(max_size=40), cuts=st.sets(st.integers(1, 120), max_size=6))
def test_answer_is_the_same_however_it_is_cut(body: bytes, cuts: set[int]) -> None:
    sent = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    answer = Answer()
    ends = [*sorted(cut for cut in cuts if cut < len(sent)), len(sent)]
    for start, end in zip([0, *ends], ends, strict=False):
        answer.feed(sent[start:end])
    assert (answer.status, answer.complete, b"".join(answer.body)) == (201, True, body)
    assert (answer.keeps, answer.more) == (True, False)
