"""/mcp of `mcpkit` over a socket of loopback, and the SDK's own client connected to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import httpx2
import uvicorn
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from harness.mcpkit import McpServer, mcp_server, until
from productive_dev.sockets import listen, port_of

Mode = Literal["auto", "legacy"]
MODES: tuple[tuple[Mode, str], ...] = (("auto", "2026-07-28"), ("legacy", "2025-11-25"))


@asynccontextmanager
async def served(
    http: Literal["h11", "httptools"] = "httptools",
) -> AsyncIterator[tuple[McpServer, str]]:
    """The endpoint on a free port of loopback."""
    async with mcp_server(config={"local": True}) as mcp:
        config = uvicorn.Config(
            mcp.endpoint,
            http=http,
            ws="none",
            lifespan="off",
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        listener = listen(0)
        port = port_of(listener)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        try:
            yield mcp, f"http://127.0.0.1:{port}/mcp"
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def connected(url: str, mode: Mode, token: str = "good") -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client
