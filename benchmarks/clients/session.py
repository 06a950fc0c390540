"""Runs a client as a process and calls its tools, with the simulator on a port beside it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.clients.sources import Access, Command
from mcp import ClientSession, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from starlette.types import ASGIApp

from harness.simulation import MONDAY
from productive_dev.serving import serving
from productive_dev.simulator.app import BASE_PATH, simulator
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.world import World
from productive_dev.sockets import LOOPBACK, listen, port_of

SECONDS = 60.0
PLENTY = 10**6
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Told:
    """An answer of a client's tool."""

    text: str
    failed: bool
    """Whether the client said so, in any of the ways that clients do."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """A simulator on a port; its clock stands on a Monday at nine."""

    world: World
    url: str


@asynccontextmanager
async def simulated(around: Callable[[ASGIApp], ASGIApp] | None = None) -> AsyncIterator[Simulator]:
    """Serve a simulator, behind what `around` makes of it."""
    config = SimulatorConfig(
        clock=lambda: MONDAY, requests_per_token=PLENTY, requests_per_organization=PLENTY
    )
    app, listener = simulator(config), listen(0)
    served = app if around is None else around(app)
    async with serving(served, listener):
        yield Simulator(app.state.world, f"http://{LOOPBACK}:{port_of(listener)}{BASE_PATH}")


@asynccontextmanager
async def client_session(command: Command) -> AsyncIterator[ClientSession]:
    """Start a client and say hello."""
    environ = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    parameters = StdioServerParameters(
        command=command.words[0],
        args=list(command.words[1:]),
        env={**environ, **command.environment},
    )
    with open(os.devnull, "w") as nowhere:  # noqa: ASYNC230, PTH123  # what clients log
        async with (
            stdio_client(parameters, errlog=nowhere) as (read, write),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            yield session


async def call(session: ClientSession, tool: str, arguments: Mapping[str, Any]) -> Told:
    """Call a tool; an error of the protocol is an answer, too."""
    try:
        result = await session.call_tool(tool, dict(arguments), read_timeout_seconds=SECONDS)
    except MCPError as error:
        return Told(str(error), failed=True)
    text = "\n".join(part.text for part in result.content if part.type == "text")
    said = text.lower().startswith(("error", "failed")) or '"error"' in text[:60]
    return Told(text, failed=bool(result.is_error) or said)


def access_of(running: Simulator, token: str, person: str) -> Access:
    return Access(running.url, token, person)
