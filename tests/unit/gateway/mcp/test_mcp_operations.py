"""Every MCP message is measured once, under labels that the client cannot choose."""

from __future__ import annotations

import asyncio
import json
import weakref
from typing import Any

import pytest

from harness.mcpkit import JSON_HEADERS, MODERN, McpServer, mcp_server, principal, request, until
from harness.measured import Labels, counted
from harness.revisions import REVISIONS, Exchange, exchange
from productive_gateway.errors import InvalidToken
from productive_gateway.observability.operations import Operation
from productive_gateway.people.scopes import READ

SERIES = "mcp_server_operation_duration_seconds_count"
OLDER = "2025-11-25"
CLIENT = {"name": "test", "version": "1"}
INITIALIZE = {"protocolVersion": OLDER, "capabilities": {}, "clientInfo": CLIENT}


def series(method: str, revision: str = OLDER, *, error: str = "", tool: str = "") -> Labels:
    labels = {
        "error_type": error,
        "gen_ai_tool_name": tool,
        "mcp_method_name": method,
        "mcp_protocol_version": revision,
    }
    return tuple((name, value) for name, value in labels.items() if value)


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("initialize", INITIALIZE, series("initialize")),
        ("ping", {}, series("ping")),
        ("tools/list", {}, series("tools/list")),
        ("tools/call", {"name": "get_me"}, series("tools/call", tool="get_me")),
        (
            "tools/call",
            {"name": "log_time", "arguments": {"entries": 1}},
            series("tools/call", tool="log_time", error="invalid_value"),
        ),
        ("tools/call", {"name": "canary"}, series("tools/call", error="-32602")),
        ("canary/method", {}, series("_OTHER", error="-32601")),
        ("resources/list", {}, series("resources/list", error="-32601")),
    ],
)
async def test_a_message_is_measured_by_method_tool_error_and_revision(
    method: str, params: dict[str, Any], expected: Labels
) -> None:
    async with mcp_server() as mcp:
        with counted(SERIES) as grown:
            await mcp.post(request(method, **params), version=OLDER)
    assert grown == {expected: 1}


@pytest.mark.parametrize(
    ("method", "params", "tool"),
    [
        ("server/discover", {}, ""),
        ("tools/list", {}, ""),
        ("tools/call", {"name": "get_me"}, "get_me"),
    ],
)
async def test_the_newest_revision_is_measured_alike(
    method: str, params: dict[str, Any], tool: str
) -> None:
    async with mcp_server() as mcp:
        with counted(SERIES) as grown:
            await mcp.modern(method, **params)
    assert grown == {series(method, MODERN, tool=tool): 1}


async def test_a_notification_is_measured() -> None:
    async with mcp_server() as mcp:
        with counted(SERIES) as grown:
            await mcp.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, version=OLDER)
    assert grown == {series("notifications/initialized"): 1}


@pytest.mark.parametrize(
    ("sent", "revision"),
    [(None, "2025-03-26"), ("2025-06-18", "2025-06-18"), ("canary", "_OTHER")],
)
async def test_the_revision_is_one_that_is_known(sent: str | None, revision: str) -> None:
    async with mcp_server() as mcp:
        with counted(SERIES) as grown:
            await mcp.post(request("ping"), version=sent)
    [labels] = grown
    assert dict(labels)["mcp_protocol_version"] == revision
    assert ("error_type" in dict(labels)) == (revision == "_OTHER")


@pytest.mark.parametrize(
    ("offered", "revision"),
    [(OLDER, OLDER), ("canary", "_OTHER"), (["canary"], "_OTHER"), (None, "_OTHER")],
)
async def test_a_handshake_is_measured_by_the_known_revision_that_it_offers(
    offered: Any, revision: str
) -> None:
    async with mcp_server() as mcp:
        with counted(SERIES) as grown:
            offer = {**INITIALIZE, "protocolVersion": offered}
            await mcp.post(request("initialize", **offer), version=None)
    [labels] = grown
    assert dict(labels)["mcp_protocol_version"] == revision


async def test_each_message_of_a_batch_is_measured() -> None:
    messages = [request("ping"), request("tools/call", 2, name="get_me"), request("canary", 3)]
    async with mcp_server() as mcp:
        with counted(SERIES) as grown:
            answer = await mcp.post(json.dumps(messages).encode(), version="2025-03-26")
    assert answer.status_code == 200
    assert grown == {
        series("ping", "2025-03-26"): 1,
        series("tools/call", "2025-03-26", tool="get_me"): 1,
        series("_OTHER", "2025-03-26", error="-32601"): 1,
    }


async def test_a_call_that_needs_another_scope_is_measured_as_refused() -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["reader"] = principal(scopes=frozenset({READ}))
        with counted(SERIES) as grown:
            await mcp.modern("tools/call", name="log_time", arguments={}, token="reader")
    assert grown == {series("tools/call", MODERN, error="Refused"): 1}


async def test_a_call_that_outlives_its_token_is_measured_as_cancelled() -> None:
    async with mcp_server(recheck=0.01) as mcp, asyncio.timeout(30):
        never = asyncio.Event()

        async def wait(_: Any) -> None:
            mcp.tokens.known["good"] = InvalidToken("Over.", reason="revoked")
            await never.wait()

        mcp.tools.transport.before = wait
        with counted(SERIES) as grown:
            await mcp.modern("tools/call", name="get_me")
    assert grown == {series("tools/call", MODERN, tool="get_me", error="cancelled"): 1}


@pytest.mark.parametrize(
    "params", [{}, {"_meta": {"progressToken": "t"}}], ids=["plain", "by the SDK"]
)
@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_call_whose_client_goes_away_is_measured_as_cancelled(
    revision: str, params: dict[str, Any]
) -> None:
    async with mcp_server() as mcp, asyncio.timeout(30):
        reached = wait_for_ever(mcp)
        with counted(SERIES) as grown:
            async with exchange(mcp, revision, "tools/call", {"name": "get_me", **params}) as one:
                await reached.wait()
                one.disconnect()
                await until(one.task.done)
    assert grown == {series("tools/call", revision, tool="get_me", error="cancelled"): 1}


async def test_a_batch_whose_client_goes_away_is_measured_by_tool() -> None:
    async with mcp_server() as mcp, asyncio.timeout(30):
        reached = wait_for_ever(mcp)
        with counted(SERIES) as grown:
            one = Exchange(mcp, [request("tools/call", name="get_me")], JSON_HEADERS)
            await reached.wait()
            one.disconnect()
            await one.task
    assert grown == {series("tools/call", "2025-03-26", tool="get_me", error="cancelled"): 1}


def wait_for_ever(mcp: McpServer) -> asyncio.Event:
    """Let no request to Productive end; return what says that one began."""
    reached, never = asyncio.Event(), asyncio.Event()

    async def wait(_: Any) -> None:
        reached.set()
        await never.wait()

    mcp.tools.transport.before = wait
    return reached


@pytest.mark.parametrize(
    ("version", "meant", "code"),
    [("2024-01-01", None, "-32022"), ("2025-11-25", MODERN, "-32020"), (None, MODERN, "-32020")],
)
async def test_a_message_of_another_revision_is_measured_by_the_code_of_its_error(
    version: str | None, meant: str | None, code: str
) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": meant} if meant else {}
    async with mcp_server() as mcp:
        with counted(SERIES) as grown:
            await mcp.post(request("ping", _meta=meta), version=version)
    [labels] = grown
    assert dict(labels)["error_type"] == code


class Meta(dict[str, Any]):
    """A dictionary of which it can be seen whether it is still in memory."""


def test_operation_keeps_nothing_of_the_message_in_its_context() -> None:
    """Connections that a call opens keep its context as long as they are open."""
    meta = Meta(big="x")
    kept = weakref.ref(meta)
    with Operation("tools/call", MODERN, meta):
        del meta
        assert kept() is None


async def test_what_is_no_message_of_mcp_is_not_measured() -> None:
    async def sent(mcp: McpServer) -> None:
        await mcp.post(b"{")
        await mcp.post(b"[]")
        await mcp.post(request("ping"), token="wrong")

    async with mcp_server() as mcp:
        with counted(SERIES) as grown:
            await sent(mcp)
    assert grown == {}
