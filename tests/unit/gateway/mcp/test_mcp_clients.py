"""The SDK's own client against the endpoint, over a socket, in both eras and with both parsers."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from mcp.client.subscriptions import ToolsListChanged

from harness.mcpkit import person
from harness.mcpsocket import MODES, Mode, connected, served
from productive_contract.mapping import Access, Mapping
from productive_dev.simulator.faults import Fault
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.tools.registry import TOOLS


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


@pytest.mark.rule("T17")
async def test_sdk_client_that_listens_hears_of_a_change_and_of_the_end() -> None:
    async with served() as (mcp, url), asyncio.timeout(20), connected(url, "auto") as client:
        async with client.listen(tools_list_changed=True) as stream:
            changed = person(access=Access(read_only=True))
            mapping = Mapping(revision=1, people={changed.email: changed})
            mcp.endpoint.subscriptions.take(Snapshot.of(mapping))
            assert await anext(stream) == ToolsListChanged()
            mcp.endpoint.subscriptions.close()
            assert [event async for event in stream] == []
        assert (await client.list_tools()).tools
