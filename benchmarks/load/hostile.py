"""Slow and hostile clients that are there at the same time as honest ones."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import Final

from benchmarks.load.client import parse_head, post

from harness.crowd import Crowd, silent_after_an_answer, slow_body

SILENT: Final = 100
SLOW: Final = 100
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
        "L-11 bare LF": f"POST /mcp HTTP/1.1\nHost: {host}\nContent-Length: 2\n\n{{}}".encode(),
        "L-11 space before colon": f"{start}Content-Length : 2\r\n\r\n{{}}".encode(),
    }


class Hostile:
    """All of them."""

    def __init__(self, port: int, host: str, token: str) -> None:
        self._port = port
        self._attacks = attacks(host, token)
        self._crowds = [
            (Crowd(port, partial(silent_after_an_answer, host=host)), SILENT),
            (Crowd(port, partial(slow_body, host=host, size=SLOW_BODY)), SLOW),
        ]
        self.answers: Counter[tuple[str, int]] = Counter()
        """By attack and status; 0 is a connection that was closed without an answer."""

    async def run(self) -> None:
        """Attack until cancelled: slow ones come again when they were thrown out."""
        try:
            async with asyncio.TaskGroup() as group:
                for name, sent in self._attacks.items():
                    group.create_task(self._repeat(name, sent))
                for crowd, size in self._crowds:
                    group.create_task(_refill(crowd, size))
        finally:
            for crowd, _ in self._crowds:
                await crowd.disperse()

    async def _repeat(self, name: str, sent: bytes) -> None:
        while True:
            self.answers[name, await self._attack(sent)] += 1
            await asyncio.sleep(PAUSE_SECONDS)

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
