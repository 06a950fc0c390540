"""Rules about running calls: T15 and T16, in every revision."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.types import Message
from structlog.testing import capture_logs

from harness.mcpkit import JSON_HEADERS, McpServer, mcp_server, request, until
from harness.revisions import OLDER, REVISIONS, Exchange, call, exchange, frames

SECONDS = 10
ME = {"name": "get_me", "arguments": {}}
HEARD = {**ME, "_meta": {"progressToken": "t"}}
"""A call that the SDK answers; a plain one is answered without it."""
BOTH = pytest.mark.parametrize("params", [ME, HEARD], ids=["plain", "sdk"])
TWO = {"entries": [{"project": "relaunch", "service": "design", "hours": h} for h in (1, 2)]}


class Held:
    """Holds the requests to Productive, and notes that they were cancelled."""

    def __init__(self, mcp: McpServer) -> None:
        self.reached, self.go, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        mcp.tools.transport.before = self._hold

    async def _hold(self, _: httpx.Request) -> None:
        self.reached.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def results(sent: list[Message]) -> str:
    return b"".join(one.get("body", b"") for one in sent).decode()


@pytest.mark.rule("T15")
@BOTH
@pytest.mark.parametrize("revision", REVISIONS)
async def test_client_that_disconnects_cancels_its_call_and_is_sent_nothing_more(
    revision: str, params: dict[str, Any]
) -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        held = Held(mcp)
        with capture_logs() as lines:
            async with exchange(mcp, revision, "tools/call", params) as one:
                await held.reached.wait()
                before = len(one.messages)
                one.disconnect()
                await held.cancelled.wait()
            await until(lambda: lines)
            held.go.set()
        assert "jsonrpc" not in results(one.messages[before:])
        assert [line["reason"] for line in lines] == ["cancelled"]
        # Nothing of the call goes on behind the client's back.
        assert len(mcp.tools.requests()) == 0


@pytest.mark.rule("T15")
async def test_client_that_disconnects_cancels_its_batch() -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        held = Held(mcp)
        batch = [request("tools/call", number, **ME) for number in (1, 2)]
        one = Exchange(mcp, batch, JSON_HEADERS)
        await held.reached.wait()
        one.disconnect()
        await held.cancelled.wait()
        await one.task
        assert "result" not in results(one.messages)
        assert mcp.tools.requests() == []


@pytest.mark.rule("T15")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_disconnect_between_two_writes_prevents_the_second(revision: str) -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        reached, go = asyncio.Event(), asyncio.Event()

        async def hold(sent: httpx.Request) -> None:
            if sent.method == "POST" and not several(sent):
                reached.set()
                await go.wait()

        def refuse(sent: httpx.Request) -> httpx.Response | None:
            bulk = sent.method == "POST" and several(sent)
            return httpx.Response(422, json={"errors": []}) if bulk else None

        mcp.tools.transport.before, mcp.tools.transport.answer = hold, refuse
        params = {"name": "log_time", "arguments": TWO}
        with capture_logs() as lines:
            async with exchange(mcp, revision, "tools/call", params) as one:
                await reached.wait()
                one.disconnect()
                await one.noticed.wait()
                # A write in flight finishes, so the cancellation shows nowhere yet.
                for _ in range(100):
                    await asyncio.sleep(0)
                go.set()
            await until(lambda: lines)
        assert [(line["reason"], line["writes"]) for line in lines] == [("cancelled", 1)]
        assert len(mcp.tools.requests("POST")) == 1


def several(sent: httpx.Request) -> bool:
    """Return whether a request creates several things."""
    return isinstance(json.loads(sent.content)["data"], list)


@pytest.mark.rule("T15")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_cancellation_that_names_a_request_of_another_connection_does_nothing(
    revision: str,
) -> None:
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        held = Held(mcp)
        running = asyncio.ensure_future(call(mcp, revision, "get_me"))
        await held.reached.wait()
        message = {
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": 1},
        }
        headers = {**JSON_HEADERS, "authorization": "Bearer good"}
        if revision != OLDER[0]:
            headers["mcp-protocol-version"] = revision
        posted = await mcp.http.post("/mcp", json=message, headers=headers)
        assert posted.status_code == 202
        held.go.set()
        assert frames(await running)[-1]["result"]["isError"] is False


@pytest.mark.rule("T16")
@pytest.mark.parametrize("revision", REVISIONS)
async def test_stream_is_not_buffered_and_ends_with_the_result(revision: str) -> None:
    async with mcp_server() as mcp:
        arguments = {"tasks": [{"title": t, "project": "Website care"} for t in ("A", "B")]}
        params = {"_meta": {"progressToken": "t"}}
        headers = {"last-event-id": "7"}
        response = await call(
            mcp, revision, "create_tasks", arguments, params=params, headers=headers
        )
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["cache-control"] == "no-store, no-transform"
        assert "result" in frames(response)[-1]
        assert not [
            line for line in response.text.splitlines() if line.startswith(("id:", "retry:"))
        ]


@pytest.mark.rule("T16")
@BOTH
@pytest.mark.parametrize("revision", REVISIONS)
async def test_long_call_is_kept_alive_by_comments(
    revision: str, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp.server._streamable_http_modern._SSE_PING_INTERVAL", 0.01)
    monkeypatch.setattr("productive_gateway.mcp.plain_calls.KEPT_ALIVE_AFTER", 0.01)
    monkeypatch.setattr("sse_starlette.sse.EventSourceResponse.DEFAULT_PING_INTERVAL", 0.01)
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        held = Held(mcp)
        async with exchange(mcp, revision, "tools/call", params) as one:
            _, headers = await one.head()
            assert headers["content-type"].startswith("text/event-stream")
            for _ in range(3):
                comment = await one.chunk()
                assert comment is not None
                assert comment.startswith(":")
            held.go.set()
            frame = await one.frame()
            assert frame is not None
            assert frame["result"]["isError"] is False
            assert await one.frame() is None
