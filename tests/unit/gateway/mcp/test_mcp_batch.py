"""Batches, which revision 2025-03-26 requires a server to receive."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.types import Message
from structlog.testing import capture_logs

from harness.mcpkit import (
    JSON_HEADERS,
    MODERN,
    McpServer,
    mcp_server,
    principal,
    request,
    until,
)
from productive_gateway.errors import AccessDenied, InvalidToken
from productive_gateway.mcp.batch import MAX_MESSAGES
from productive_gateway.people.scopes import READ
from productive_gateway.tools.registry import TOOLS

SECONDS = 10
ENTRY = {"project": "relaunch", "service": "design", "hours": 1}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def log_time(number: Any, hours: float = 1) -> dict[str, Any]:
    arguments = {"entries": [{**ENTRY, "hours": hours}]}
    return request("tools/call", number, name="log_time", arguments=arguments)


def get_me(number: Any) -> dict[str, Any]:
    return request("tools/call", number, name="get_me", arguments={})


def refused(response: httpx.Response) -> str:
    """Return the message of a batch that is refused as a whole."""
    assert response.status_code == 400, response.text
    body = response.json()
    assert body["id"] is None
    assert body["error"]["code"] == -32600
    message: str = body["error"]["message"]
    assert len(message) < 100
    return message


@pytest.mark.parametrize("revision", [None, "2025-03-26"])
async def test_batch_is_answered_in_order(revision: str | None) -> None:
    async with mcp_server() as mcp:
        batch = [
            request("ping", "first"),
            INITIALIZED,
            log_time(2, hours=1),
            request("tools/list", 3),
            log_time("four", hours=2),
            request("made/up", 5),
            {"jsonrpc": "2.0", "id": 1, "result": {}},
            get_me(6),
        ]
        response = await mcp.post(batch, version=revision)
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        answers = response.json()
        assert [answer["id"] for answer in answers] == ["first", 2, 3, "four", 5, 6]
        assert answers[0]["result"] == {}
        assert len(answers[2]["result"]["tools"]) == len(TOOLS)
        assert answers[4]["error"]["code"] == -32601
        # Each message ran after the one before: the last one sees both entries.
        assert answers[5]["result"]["structuredContent"]["today"]["tracked"] == 3
        hours = [entry.body["data"]["attributes"]["time"] for entry in mcp.tools.requests("POST")]
        assert hours == [60, 120]


@pytest.mark.parametrize("batch", [[INITIALIZED], [INITIALIZED] * MAX_MESSAGES])
async def test_batch_without_requests_is_accepted_without_a_body(batch: list[Any]) -> None:
    async with mcp_server() as mcp:
        response = await mcp.post(batch, version=None)
        assert (response.status_code, response.content) == (202, b"")


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-06-18", "2025-11-25", MODERN])
async def test_other_revisions_refuse_batches(revision: str) -> None:
    async with mcp_server() as mcp:
        assert "no batches" in refused(await mcp.post([log_time(1)], version=revision))
        assert mcp.tools.requests() == []


@pytest.mark.attack("L-09")
async def test_batch_is_bounded() -> None:
    async with mcp_server() as mcp:
        most = [request("ping", number) for number in range(MAX_MESSAGES)]
        assert len((await mcp.post(most, version=None)).json()) == MAX_MESSAGES
        for too_many in ([*most, request("ping")], [request("ping")] * 10_000):
            assert "at most 20" in refused(await mcp.post(too_many, version=None))
        assert "empty" in refused(await mcp.post([], version=None))


async def test_batch_with_initialize_is_refused() -> None:
    async with mcp_server() as mcp:
        start = request("initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo={})
        assert "initialize" in refused(await mcp.post([log_time(1), start], version=None))
        assert mcp.tools.requests() == []


async def test_malformed_messages_of_a_batch_get_an_error_each() -> None:
    async with mcp_server() as mcp:
        batch = [1, request("ping", 2), [], {**request("ping"), "method": []}, None]
        response = await mcp.post(batch, version=None)
        assert response.status_code == 200
        answers = response.json()
        assert [answer["id"] for answer in answers] == [None, 2, None, 1, None]
        assert [answer.get("error", {}).get("code") for answer in answers] == [
            -32600,
            None,
            -32600,
            -32600,
            -32600,
        ]
        nothing = await mcp.post([1, {}, []], version=None)
        assert nothing.status_code == 400
        assert len(nothing.json()) == 3


@pytest.mark.attack("L-04")
async def test_batch_with_a_call_that_needs_more_scope_does_nothing() -> None:
    async with mcp_server() as mcp:
        mcp.tokens.known["good"] = principal(scopes=frozenset({READ}))
        response = await mcp.post([get_me(1), log_time(2)], version=None)
        assert response.status_code == 403
        assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
        assert mcp.tools.requests() == []


@pytest.mark.attack("L-16")
@pytest.mark.parametrize(
    ("end", "status"),
    [
        (InvalidToken("Over. Sign in again.", reason="revoked"), 401),
        (AccessDenied("Suspended. Ask IT.", reason="suspended"), 403),
    ],
)
async def test_batch_ends_when_its_token_becomes_invalid(end: Exception, status: int) -> None:
    async with mcp_server(recheck=0.01) as mcp, asyncio.timeout(SECONDS):
        reached = asyncio.Event()
        mcp.tools.transport.before = holding(reached)
        with capture_logs() as lines:
            running = asyncio.create_task(mcp.post([get_me(1), log_time(2)], version=None))
            await reached.wait()
            mcp.tokens.known["good"] = end
            assert (await running).status_code == status
            await until(lambda: lines)
        assert [(line["tool"], line["reason"]) for line in lines] == [("get_me", "cancelled")]


async def test_batch_ends_when_the_client_disconnects() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        reached, gone = asyncio.Event(), asyncio.Event()
        mcp.tools.transport.before = holding(reached)
        with capture_logs() as lines:
            running = asyncio.create_task(send_and_disconnect(mcp, [get_me(1), log_time(2)], gone))
            await reached.wait()
            gone.set()
            await running
            await until(lambda: lines)
        assert [(line["tool"], line["reason"]) for line in lines] == [("get_me", "cancelled")]


def holding(reached: asyncio.Event) -> Any:
    """Return a hook that holds every request to Productive for good."""

    async def hold(_: httpx.Request) -> None:
        reached.set()
        await asyncio.Event().wait()

    return hold


async def send_and_disconnect(mcp: McpServer, batch: list[Any], gone: asyncio.Event) -> None:
    """Post a batch, and disconnect when told."""
    waiting = [{"type": "http.request", "body": json.dumps(batch).encode(), "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        return

    headers = {**JSON_HEADERS, "host": "mcp.example.test", "authorization": "Bearer good"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await mcp.endpoint(scope, receive, send)
