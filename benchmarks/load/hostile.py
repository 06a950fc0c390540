"""Slow and hostile clients that are there at the same time as honest ones."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import Final

from benchmarks.load.client import parse_head, post
from benchmarks.mcp.wire import MODERN, call, message

from harness.crowd import Connection, Crowd, silent_after_an_answer, slow_body

SILENT: Final = 100
SLOW: Final = 100
SLOW_HEADS: Final = 50
STREAMS: Final = 50
"""Of one person, who may have eight."""
SLOW_BODY: Final = 63 * 1024
CLOSED_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.5
MOST_BODY: Final = 4 * 1024 * 1024
REFUSED: Final = range(400, 500)
BUSY: Final = frozenset({503})


def attacks(host: str, token: str) -> dict[str, bytes]:
    """Return requests that must be refused, by name."""
    bearer = f"Authorization: Bearer {token}\r\nAccept: application/json, text/event-stream\r\n"
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    start = f"POST /mcp HTTP/1.1\r\nHost: {host}\r\n{bearer}Content-Type: application/json\r\n"
    return {
        "L-09 body above 4 MB": f"{start}Content-Length: {MOST_BODY + 1}\r\n\r\n".encode(),
        "L-09 gzip": post(host, b"\x1f\x8b" + bytes(20), f"{bearer}Content-Encoding: gzip\r\n"),
        "L-09 deep JSON": post(host, b"[" * 100_000 + b"]" * 100_000, bearer),
        "L-09 batch of 10,000": post(host, b"[" + b",".join([ping] * 10_000) + b"]", bearer),
        "L-11 length and chunks": (
            f"{start}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ).encode(),
        "L-11 obfuscated coding": (f"{start}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n").encode(),
        "L-11 bare LF": f"POST /mcp HTTP/1.1\nHost: {host}\nContent-Length: 2\n\n{{}}".encode(),
        "L-11 space before colon": f"{start}Content-Length : 2\r\n\r\n{{}}".encode(),
        "token of nobody": message("tools/list", MODERN).to(host, "/mcp", "pmcp_at_" + "A" * 200),
    }


def large_call(host: str, token: str) -> bytes:
    """Return a call that is allowed, and as costly as one may be: 4 MB with many values."""
    members = b",".join(b'"%d":{"%s":1}' % (number, b"x" * 66) for number in range(49_000))
    asked = call("get_me", MODERN)
    body = asked.body.replace(b'"arguments":{}', b'"arguments":{"x":{%s}}' % members)
    assert len(asked.body) + len(members) < len(body) <= MOST_BODY
    return type(asked)(asked.headers, body).to(host, "/mcp", token)


def stream(host: str, token: str) -> bytes:
    """Return a request for a stream of changes."""
    wanted = {"toolsListChanged": True}
    return message("subscriptions/listen", MODERN, notifications=wanted).to(host, "/mcp", token)


class Hostile:
    """All of them."""

    def __init__(self, port: int, host: str, token: str) -> None:
        """Take the token of somebody who attacks, and is no other client of the load."""
        self._port = port
        self._attacks = attacks(host, token)
        self._large = large_call(host, token)
        opening = stream(host, token)
        self._crowds = [
            (Crowd(port, partial(silent_after_an_answer, host=host)), SILENT),
            (Crowd(port, partial(slow_body, host=host, size=SLOW_BODY)), SLOW),
            (Crowd(port, _slow_head), SLOW_HEADS),
            (Crowd(port, partial(_listening, opening=opening)), STREAMS),
        ]
        self.answers: Counter[tuple[str, int]] = Counter()
        """By attack and status; 0 is a connection that was closed without an answer."""
        self.large: Counter[int] = Counter()
        """Answers to large calls, by status."""

    async def run(self) -> None:
        """Attack until cancelled: slow ones come again when they were thrown out."""
        try:
            async with asyncio.TaskGroup() as group:
                for name, sent in self._attacks.items():
                    group.create_task(self._repeat(name, sent))
                for _ in range(LARGE):
                    group.create_task(self._call_large())
                for crowd, size in self._crowds:
                    group.create_task(_refill(crowd, size))
        finally:
            for crowd, _ in self._crowds:
                await crowd.disperse()

    async def _repeat(self, name: str, sent: bytes) -> None:
        while True:
            self.answers[name, await self._attack(sent)] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def _call_large(self) -> None:
        while True:
            self.large[await self._attack(self._large)] += 1
            await asyncio.sleep(LARGE_PAUSE_SECONDS)

    async def _attack(self, sent: bytes) -> int:
        """Send an attack and return the status, after the server has closed the connection."""
        try:
            async with asyncio.timeout(CLOSED_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    writer.write(sent)
                    status, _ = parse_head(await reader.readuntil(b"\r\n\r\n"))
                    return status
                finally:
                    with suppress(OSError):
                        writer.close()
        except (OSError, EOFError):
            return 0


LARGE: Final = 24
"""Large calls at the same time, of one person: as many as may run and wait for their turn."""
LARGE_PAUSE_SECONDS: Final = 20.0
"""Each costs as much of the processor as hundreds of others: a bound for that is not tried here."""


async def _slow_head(connection: Connection) -> None:
    _, writer = connection
    writer.write(b"POST /mcp HTTP/1.1\r\nHost: ")
    await writer.drain()


async def _listening(connection: Connection, opening: bytes) -> None:
    reader, writer = connection
    writer.write(opening)
    await reader.readuntil(b"\r\n\r\n")


async def _refill(crowd: Crowd, size: int) -> None:
    while True:
        if missing := size - crowd.open:
            await crowd.gather(missing)
        await asyncio.sleep(PAUSE_SECONDS)


def accepted(answers: Counter[tuple[str, int]]) -> list[str]:
    """Return what was answered to attacks otherwise than by a refusal."""
    return [
        f"{name}: {status}"
        for (name, status), _ in sorted(answers.items())
        if status and status not in REFUSED and status not in BUSY
    ]
