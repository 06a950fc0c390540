"""Bounds on the head of a request, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from starlette.types import Receive, Scope, Send

from harness.grantkit import eventually
from productive_gateway.serving import http_server
from productive_gateway.web import request_head as module

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    length = str(len(body)).encode()
    headers = [(b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(body)})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = http_server(echo, "127.0.0.1", 0)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started, what="it serves")
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


@pytest.fixture
async def connection(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield reader, writer
    writer.close()


async def flood(writer: asyncio.StreamWriter, chunk: bytes, times: int) -> int:
    """Send until the other side closes; returns how many bytes it took."""
    sent = 0
    with suppress(ConnectionError):
        for _ in range(times):
            writer.write(chunk)
            await writer.drain()
            sent += len(chunk)
    return sent


@pytest.mark.attack("L-09")
@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET /", b"a" * 8192),
        (HEAD + b"x: ", b"a" * 8192),
        (HEAD, b"x: y\r\n" * 1024),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"x: y\r\n" * 1024),
    ],
    ids=["address", "one header", "many headers", "trailers"],
)
async def test_a_head_without_an_end_is_cut(
    connection: Connection, begin: bytes, more: bytes
) -> None:
    reader, writer = connection
    writer.write(begin)
    sent = await asyncio.wait_for(flood(writer, more, 8192), 10)
    assert sent < 64 * 1024 * 1024
    with suppress(ConnectionError):
        answer = await asyncio.wait_for(reader.read(), 10)
        assert not answer or answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.attack("E-04")
async def test_a_head_of_sixteen_kilobytes_and_a_long_body_are_served(
    connection: Connection,
) -> None:
    reader, writer = connection
    body = b"b" * 1_000_000
    for _ in range(2):
        writer.write(HEAD + b"cookie: " + b"c" * 16_000 + b"\r\ncontent-length: 1000000\r\n\r\n")
        writer.write(body)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert await asyncio.wait_for(reader.readexactly(len(body)), 10) == body


@pytest.mark.attack("L-10")
@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\nhost:"])
async def test_a_head_that_takes_too_long_is_given_up(
    port: int, begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begin)
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 400 ")
    writer.close()


@pytest.mark.attack("L-10")
async def test_a_body_may_take_longer_than_a_head(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"content-length: 2\r\n\r\na")
    await asyncio.sleep(0.3)
    writer.write(b"b")
    answer = await asyncio.wait_for(reader.readuntil(b"ab"), 5)
    assert answer.startswith(b"HTTP/1.1 200 ")
    writer.close()
