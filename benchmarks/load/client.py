"""One client with one connection, which costs little beside the server that it measures."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    retry_after: bool
    body: bytes = b""


class Client:
    """Sends one request after the other; opens its connection again when it was closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, request: bytes) -> Reply:
        """Send a request.

        Raises:
            OSError: the connection could not be opened, or broke.
            asyncio.IncompleteReadError: it ended before the answer did.
            TimeoutError: no answer came.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._writer is None or self._writer.is_closing():
                    self._reader, self._writer = await asyncio.open_connection(
                        "127.0.0.1", self._port
                    )
                self._writer.write(request)
                assert self._reader is not None
                status, headers = parse_head(await self._reader.readuntil(b"\r\n\r\n"))
                body = await read_body(self._reader, headers)
                if headers.get("connection") == "close":
                    self.close()
                return Reply(status, "retry-after" in headers, body)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
        self._reader = self._writer = None


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers of an answer, with lower-case names."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ", 2)[1]), {name.lower(): text.strip() for name, _, text in pairs}


def post(host: str, body: bytes, headers: str = "") -> bytes:
    """Return the bytes of a request to /mcp."""
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """Return a body of a given length, or one that comes in chunks (RFC 9112 7.1)."""
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body
