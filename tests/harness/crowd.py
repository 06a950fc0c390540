"""Clients that hold connections open and do as little as they can, many at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Crowd:
    """Many connections of one behaviour; each is open until the server closes it."""

    def __init__(self, port: int, behave: Callable[[Connection], Awaitable[None]]) -> None:
        self._port = port
        self._behave = behave
        self._tasks: list[asyncio.Task[None]] = []
        self.refused = 0
        """Connections that could not be made, or ended before they had done what they do."""
        self.open = 0

    async def gather(self, number: int) -> None:
        """Open connections, and return when each has done what it does before it falls silent."""
        ready = [asyncio.Event() for _ in range(number)]
        self._tasks += [asyncio.create_task(self._hold(event)) for event in ready]
        await asyncio.gather(*(event.wait() for event in ready))

    async def disperse(self) -> None:
        """Close what is still open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def closed_by_server(self) -> None:
        """Wait until the server has closed every connection."""
        await asyncio.gather(*self._tasks)

    async def _hold(self, ready: asyncio.Event) -> None:
        try:
            connection = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            self.refused += 1
            ready.set()
            return
        reader, writer = connection
        self.open += 1
        try:
            await self._behave(connection)
            ready.set()
            with contextlib.suppress(ConnectionError):
                while await reader.read(65536):
                    pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.refused += 1
        finally:
            ready.set()
            self.open -= 1
            writer.close()


async def silent_after_an_answer(connection: Connection, host: str) -> None:
    """Ask for something, take the answer, send one byte and fall silent."""
    reader, writer = connection
    writer.write(f"GET /mcp HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.lower().splitlines()
        if line.startswith(b"content-length:")
    )
    await reader.readexactly(length)
    writer.write(b"\n")
    await writer.drain()


async def slow_body(connection: Connection, host: str, size: int) -> None:
    """Announce a body, send all of it but its last byte, and fall silent."""
    _, writer = connection
    head = (
        f"POST /register HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"content-length: {size}\r\n\r\n"
    )
    writer.write(head.encode() + b" " * (size - 1))
    await writer.drain()
