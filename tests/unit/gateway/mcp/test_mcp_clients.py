"""The SDK's own client against the endpoint, over a socket, in both eras and with both parsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
import pytest
import uvicorn
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from harness.mcpkit import McpServer, mcp_server, until
from productive_dev.simulator.faults import Fault
from productive_dev.sockets import listen, port_of
from productive_gateway.tools.registry import TOOLS

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


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize(("mode", "version"), MODES)
async def test_sdk_client_lists_and_calls(
    mode: Mode, version: str, http: Literal["h11", "httptools"]
) -> None:
    async with served(http) as (_, url), asyncio.timeout(20), connected(url, mode) as client:
        assert client.protocol_version == version
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == [tool.name for tool in TOOLS]
        me = await client.call_tool("get_me", {})
        assert me.structured_content["person"]["name"] == "Ana Kovač"
        entry: dict[str, Any] = {"project": "relaunch", "service": "design", "hours": "1:30"}
        logged = await client.call_tool("log_time", {"entries": [entry]})
        assert not logged.is_error
        assert logged.structured_content["results"][0]["entry"]["hours"] == 1.5
        text = logged.content[0].text
        assert text.startswith("Logged 1.50 h on Website relaunch / Design (today 1.50 of 8 h).\n")


@pytest.mark.parametrize(("mode", "version"), MODES)
async def test_sdk_client_gets_candidates_of_an_ambiguous_reference(
    mode: Mode, version: str
) -> None:
    async with served() as (_, url), asyncio.timeout(20), connected(url, mode) as client:
        unclear = await client.call_tool("log_time", {"entries": [{"task": "#87", "hours": 1}]})
        assert unclear.is_error
        error = unclear.structured_content["error"]
        assert (error["code"], error["field"]) == ("ambiguous_reference", "entries[0].service")
        assert len(error["candidates"]) == 2


@pytest.mark.parametrize(("mode", "version"), MODES)
async def test_client_is_told_that_the_state_is_unknown_after_a_cut_answer(
    mode: Mode, version: str
) -> None:
    async with served() as (mcp, url), asyncio.timeout(20), connected(url, mode) as client:
        mcp.tools.world.faults.put([Fault(method="POST", cut=True)])
        entry = {"project": "relaunch", "service": "design", "hours": 1}
        lost = await client.call_tool("log_time", {"entries": [entry]})
        assert lost.is_error
        assert lost.structured_content["error"]["code"] == "timeout"
        assert len(mcp.tools.requests("POST")) == 1
