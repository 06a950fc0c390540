"""A port of the gateway on a real socket, with an application of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from harness.grantkit import eventually
from productive_gateway.serving import Server
from productive_gateway.web.connection import PortLimits
from productive_gateway.web.listening import listen

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\n"
"""Of a request, without its end."""
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answer(send: Send, body: bytes, status: int = 200) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(app: ASGIApp, **limits: Any) -> AsyncIterator[Callable[[], Any]]:
    """Serve on a free port; yields what opens a connection to it."""
    sockets = listen(["127.0.0.1"], 0)
    server = Server(app, sockets, PortLimits(**limits))
    running = asyncio.create_task(server.run_until_exit())
    await eventually(lambda: server.started, what="it serves")
    async with AsyncExitStack() as stack:

        async def connect() -> Connection:
            reader, writer = await asyncio.open_connection(*sockets[0].getsockname())
            stack.callback(writer.close)
            return reader, writer

        yield connect
    server.should_exit = True
    await running


async def rest(reader: asyncio.StreamReader, seconds: float = 5) -> bytes:
    """Return all that still comes; the connection must end within that time."""
    with suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(), seconds)
    return b""


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    [length] = [line[15:] for line in head.splitlines() if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(length))


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await answer(send, bytes(body))


class HeldAnswer:
    """An application that answers once `go` is set."""

    def __init__(self, body: bytes = b"done") -> None:
        self.asked, self.go, self.body = asyncio.Event(), asyncio.Event(), body

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        self.asked.set()
        await self.go.wait()
        await answer(send, self.body)


async def flood(writer: asyncio.StreamWriter, chunk: bytes, times: int) -> int:
    """Send until the other side closes; returns how many bytes it took."""
    sent = 0
    with suppress(ConnectionError):
        for _ in range(times):
            writer.write(chunk)
            await writer.drain()
            sent += len(chunk)
    return sent
