"""Counts how many requests to Productive had to wait for one another.

The wave of a request is one more than the highest wave of all requests that were done when it
began. Each takes a fixed time, so that requests which do not depend on each other overlap; how busy
the machine is changes nothing else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

SECONDS = 0.03
_WAVE = "wave"


@dataclass
class Waves:
    """The waves since the last `clear`."""

    depth: int = 0

    def clear(self) -> None:
        self.depth = 0

    async def begin(self, request: httpx.Request) -> None:
        """Let a request of our client wait; `end` has to get the same one."""
        request.extensions[_WAVE] = self.depth + 1
        await asyncio.sleep(SECONDS)

    def end(self, request: httpx.Request) -> None:
        self.depth = max(self.depth, request.extensions[_WAVE])

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the simulator, with each request waiting; for clients in other processes."""

        async def delayed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            wave = self.depth + 1
            await asyncio.sleep(SECONDS)
            await app(scope, receive, send)
            self.depth = max(self.depth, wave)

        return delayed
