"""The product on a port: its real endpoint and tools, over a simulator, with one token for Ana.

It is what `make run` starts, but for the sign-in, and with a clock that stands, so that questions
with days in them have one right answer. Everything is new for each question.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.eval.calls import Calls

from harness.mcpkit import mcp_server, principal
from productive_dev.serving import serving
from productive_dev.simulator.world import World
from productive_dev.sockets import LOOPBACK, listen, port_of

TOKEN = "eval-token-of-ana-kovac"


@dataclass(frozen=True, slots=True)
class Product:
    """One running product."""

    url: str
    token: str
    world: World
    calls: Calls


@asynccontextmanager
async def running_product() -> AsyncIterator[Product]:
    """Serve a new product until the block ends."""
    listener, calls = listen(0), Calls()
    origin = f"http://{LOOPBACK}:{port_of(listener)}"
    config = {"public_url": origin, "resource": f"{origin}/mcp", "local": True}
    async with mcp_server(config=config) as server:
        server.tokens.known[TOKEN] = principal()
        async with serving(calls.around(server.app), listener):
            yield Product(f"{origin}/mcp", TOKEN, server.tools.world, calls)
