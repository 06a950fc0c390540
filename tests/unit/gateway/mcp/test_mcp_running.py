from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.types import Message
from structlog.testing import capture_logs

from harness.mcpkit import (
    JSON_HEADERS,
    META,
    MODERN,
    McpServer,
    mcp_server,
    person,
    principal,
    request,
    result_of,
    until,
)
from productive_gateway.errors import AccessDenied, InvalidToken, Unavailable
from productive_gateway.productive.records import declared as has
from productive_gateway.productive.wire.limiter import Limiter
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit import declare
from productive_gateway.tools.kit.answers import Answer
from productive_gateway.tools.registry import TOOLS

SECONDS = 10
PEOPLE = {
    "ana": ("simulator-ana-kovac", 9104),
    "horvat": ("simulator-ana-horvat", 9105),
    "luka": ("simulator-luka-babic", 9106),
    "luca": ("simulator-luca-moretti", 9107),
}
ENTRY = {"project": "relaunch", "service": "design", "hours": 1}


def call(name: str, arguments: Any, number: Any = 1, version: str = MODERN) -> dict[str, Any]:
    meta = {"_meta": META} if version == MODERN else {}
    return request("tools/call", number, name=name, arguments=arguments, **meta)


async def tool(
    mcp: McpServer, name: str, arguments: Any = None, *, token: str = "good", version: str = MODERN
) -> httpx.Response:
    message = call(name, arguments or {}, version=version)
    return await mcp.post(
        message, token=token, version=version, mcp_method="tools/call", mcp_name=name
    )


def call_scope(version: str) -> dict[str, Any]:
    """Return the ASGI scope of a call of get_me."""
    headers = {
        **JSON_HEADERS,
        "host": "mcp.example.test",
        "authorization": "Bearer good",
        "mcp-protocol-version": version,
        "mcp-method": "tools/call",
        "mcp-name": "get_me",
    }
    return {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }


def held(
    mcp: McpServer, method: str, reached: asyncio.Event, go: asyncio.Event
) -> Callable[[httpx.Request], Awaitable[None]]:
    """Hold requests of a method to Productive until `go`."""

    async def hold(sent: httpx.Request) -> None:
        if sent.method == method:
            reached.set()
            await go.wait()

    return hold


@pytest.mark.attack("M-11")
@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
@pytest.mark.parametrize("plain_calls", [True, False])
async def test_concurrent_requests_never_see_another_person(
    version: str, plain_calls: bool
) -> None:
    limiter = Limiter(token_requests=10_000, organization_requests=100_000)
    async with mcp_server(plain_calls=plain_calls, limiter=limiter) as mcp:
        for name, (token, number) in PEOPLE.items():
            email = f"{name}@northlight.example"
            mcp.tokens.known[name] = principal(person(token, user_id=number, email=email))
        seen: dict[str, set[str]] = {}

        async def mix(sent: httpx.Request) -> None:
            await asyncio.sleep(0)
            seen.setdefault(sent.headers["x-auth-token"], set()).add(
                str(sent.url.params.get("filter[person_id]"))
            )

        mcp.tools.transport.before = mix
        mcp.tools.world.limiter.count = lambda *_, **__: None  # type: ignore[method-assign]
        gauge = asyncio.Semaphore(40)

        async def one(number: int) -> None:
            name = list(PEOPLE)[number % len(PEOPLE)]
            async with gauge:
                response = await tool(mcp, "get_me", token=name, version=version)
            told = result_of(response)["result"]["structuredContent"]["person"]
            assert told["id"] == str(PEOPLE[name][1])

        with capture_logs() as lines:
            await asyncio.gather(*(one(number) for number in range(200)))
        for token, number in PEOPLE.values():
            assert seen[token] <= {str(number), "None"}
        assert len({line["email"] for line in lines}) == len(PEOPLE)
        assert sum(line["email"] == "ana@northlight.example" for line in lines) == 50


@pytest.mark.attack("L-16")
@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
@pytest.mark.parametrize(
    ("end", "status"),
    [
        (InvalidToken("Over. Sign in again.", reason="revoked"), 401),
        (AccessDenied("Suspended. Ask IT.", reason="suspended"), 403),
    ],
)
@pytest.mark.parametrize("plain_calls", [True, False])
async def test_call_ends_when_its_token_becomes_invalid(
    version: str, end: Exception, status: int, plain_calls: bool
) -> None:
    async with mcp_server(plain_calls=plain_calls, recheck=0.01) as mcp, asyncio.timeout(SECONDS):
        reached, go = asyncio.Event(), asyncio.Event()
        mcp.tools.transport.before = held(mcp, "GET", reached, go)
        with capture_logs() as lines:
            running = asyncio.create_task(tool(mcp, "get_me", version=version))
            await reached.wait()
            mcp.tokens.known["good"] = end
            response = await running
            await until(lambda: lines)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            # The stream had begun: it ends without a result.
            assert "result" not in response.text
        else:
            assert response.status_code == status
        assert [line["reason"] for line in lines] == ["cancelled"]


@pytest.mark.attack("L-16")
@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
@pytest.mark.parametrize("plain_calls", [True, False])
async def test_write_in_flight_finishes_and_is_audited(version: str, plain_calls: bool) -> None:
    async with mcp_server(plain_calls=plain_calls, recheck=0.01) as mcp, asyncio.timeout(SECONDS):
        reached, go = asyncio.Event(), asyncio.Event()
        mcp.tools.transport.before = held(mcp, "POST", reached, go)
        with capture_logs() as lines:
            arguments = {"entries": [ENTRY, {**ENTRY, "hours": 2}]}
            running = asyncio.create_task(tool(mcp, "log_time", arguments, version=version))
            await reached.wait()
            mcp.tokens.known["good"] = InvalidToken("Over.", reason="revoked")
            asked = len(mcp.tokens.asked)
            await until(lambda: len(mcp.tokens.asked) > asked)
            # In memory nothing ever waits: give the news a few turns to arrive.
            for _ in range(100):
                await asyncio.sleep(0)
            go.set()
            await running
            await until(lambda: lines)
        assert len(mcp.tools.requests("POST")) == 1
        assert [(line["reason"], line["writes"]) for line in lines] == [("cancelled", 1)]


@pytest.mark.parametrize("plain_calls", [True, False])
async def test_unavailable_grants_do_not_end_a_running_call(plain_calls: bool) -> None:
    async with mcp_server(plain_calls=plain_calls, recheck=0.001) as mcp, asyncio.timeout(SECONDS):
        reached, go = asyncio.Event(), asyncio.Event()
        mcp.tools.transport.before = held(mcp, "GET", reached, go)
        running = asyncio.create_task(tool(mcp, "get_me"))
        await reached.wait()
        mcp.tokens.known["good"] = Unavailable("Away.", reason="grants")
        asked = len(mcp.tokens.asked)
        await until(lambda: len(mcp.tokens.asked) >= asked + 3)
        go.set()
        assert result_of(await running)["result"]["isError"] is False


@pytest.mark.attack("L-10")
@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
@pytest.mark.parametrize("plain_calls", [True, False])
async def test_call_ends_when_the_client_disconnects(version: str, plain_calls: bool) -> None:
    async with mcp_server(plain_calls=plain_calls) as mcp, asyncio.timeout(SECONDS):
        reached, go, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        mcp.tools.transport.before = held(mcp, "GET", reached, go)
        body = json.dumps(call("get_me", {}, version=version)).encode()
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if waiting:
                return waiting.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(_: Message) -> None:
            return

        with capture_logs() as lines:
            running = asyncio.create_task(mcp.endpoint(call_scope(version), receive, send))
            await reached.wait()
            gone.set()
            await running
            await until(lambda: lines)
        assert [line["reason"] for line in lines] == ["cancelled"]


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_answer_is_whole_though_its_stream_could_not_begin(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client reads nothing when the connection is to be kept alive, and then the call ends."""
    monkeypatch.setattr("productive_gateway.mcp.plain_calls.KEPT_ALIVE_AFTER", 0.01)
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        reached, go = asyncio.Event(), asyncio.Event()
        mcp.tools.transport.before = held(mcp, "GET", reached, go)
        body = json.dumps(call("get_me", {}, version=version)).encode()
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        beginning, sent = asyncio.Event(), list[Message]()

        async def receive() -> Message:
            if waiting:
                return waiting.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            if not beginning.is_set():
                beginning.set()
                await asyncio.Event().wait()
            sent.append(message)

        running = asyncio.create_task(mcp.endpoint(call_scope(version), receive, send))
        await beginning.wait()
        go.set()
        await running
    assert [one["type"] for one in sent] == ["http.response.start", "http.response.body"]


async def test_disconnect_before_the_body_is_no_error() -> None:
    async with mcp_server() as mcp:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/mcp",
            "query_string": b"",
            "headers": [(b"host", b"mcp.example.test"), (b"authorization", b"Bearer good")],
        }
        await mcp.endpoint(scope, receive, send)
        assert sent == []


@pytest.mark.attack("L-16")
@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
@pytest.mark.parametrize(
    ("end", "status"),
    [
        (InvalidToken("Over. Sign in again.", reason="revoked"), 401),
        (AccessDenied("Suspended. Ask IT.", reason="suspended"), 403),
        (Unavailable("Away.", reason="grants"), 503),
    ],
)
async def test_token_that_became_invalid_while_the_body_arrived_does_nothing(
    version: str, end: Exception, status: int
) -> None:
    body = json.dumps(call("log_time", {"entries": [ENTRY]}, version=version)).encode()
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):

        async def arriving() -> AsyncIterator[bytes]:
            yield body[:20]
            await until(lambda: mcp.tokens.asked)
            mcp.tokens.known["good"] = end
            # What comes later over a network leaves the event loop a turn.
            await asyncio.sleep(0)
            yield body[20:]

        headers = {
            **JSON_HEADERS,
            "authorization": "Bearer good",
            "mcp-protocol-version": version,
            "mcp-method": "tools/call",
            "mcp-name": "log_time",
        }
        with capture_logs() as lines:
            response = await mcp.http.post("/mcp", content=arriving(), headers=headers)
        assert response.status_code == status
        assert mcp.tools.requests() == []
        assert lines == []


@pytest.mark.attack("L-10")
async def test_slow_body_gets_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("productive_gateway.web.body.SECONDS", 0.01)

    async def trickle() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        headers = {**JSON_HEADERS, "authorization": "Bearer good"}
        response = await mcp.http.post("/mcp", content=trickle(), headers=headers)
        assert response.status_code == 408


async def test_unknown_tool_is_a_protocol_error() -> None:
    async with mcp_server() as mcp:
        response = await tool(mcp, "made_up")
        assert response.json()["error"]["code"] == -32602


@pytest.mark.parametrize("version", [MODERN, "2025-11-25", "2025-06-18"])
@pytest.mark.parametrize("plain_calls", [True, False])
async def test_answer_has_structure_and_text(version: str, plain_calls: bool) -> None:
    async with mcp_server(plain_calls=plain_calls) as mcp:
        result = result_of(await tool(mcp, "get_me", version=version))["result"]
        assert result["structuredContent"]["person"]["id"] == "9104"
        assert result["content"][0]["text"].startswith("You are Ana Kovač (9104)")
        wrong = result_of(await tool(mcp, "log_time", {"entries": 5}, version=version))
        assert wrong["result"]["isError"] is True
        assert wrong["result"]["structuredContent"]["error"]["code"] == "invalid_value"


def test_no_tool_asks_clients_to_send_arguments_in_headers() -> None:
    assert "x-mcp-header" not in str([tool.input_schema for tool in TOOLS])


@pytest.mark.attack("L-16")
async def test_call_ends_when_its_token_cannot_be_checked_because_of_a_mistake() -> None:
    async with mcp_server(recheck=0.01) as mcp, asyncio.timeout(SECONDS) as limit:
        reached, go = asyncio.Event(), asyncio.Event()
        mcp.tools.transport.before = held(mcp, "GET", reached, go)
        running = asyncio.create_task(tool(mcp, "get_me", version=MODERN))
        await reached.wait()
        mcp.tokens.known["good"] = RuntimeError("a mistake")
        with pytest.raises(RuntimeError):
            await running
        assert not limit.expired()


async def test_long_call_keeps_its_connection_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("productive_gateway.mcp.plain_calls.ATTENDED_AFTER", 0.001)
    monkeypatch.setattr("productive_gateway.mcp.plain_calls.KEPT_ALIVE_AFTER", 0.001)
    async with mcp_server() as mcp, asyncio.timeout(SECONDS):
        sent: list[Message] = []
        body = json.dumps(call("get_me", {})).encode()
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        go = asyncio.Event()
        mcp.tools.transport.before = held(mcp, "GET", asyncio.Event(), go)

        async def receive() -> Message:
            if waiting:
                return waiting.pop()
            await asyncio.Event().wait()
            raise AssertionError("nothing further comes")

        async def send(message: Message) -> None:
            sent.append(message)
            if len(sent) == 4:
                go.set()

        headers = {
            **JSON_HEADERS,
            "host": "mcp.example.test",
            "authorization": "Bearer good",
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": "get_me",
        }
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/mcp",
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
        await mcp.endpoint(scope, receive, send)
    start, *parts = sent
    assert (b"content-type", b"text/event-stream") in start["headers"]
    assert [part["body"] for part in parts[:3]] == [b": ping\r\n\r\n"] * 3
    assert parts[-1]["body"].startswith(b'event: message\r\ndata: {"jsonrpc":"2.0","id":1,')
    assert [part["more_body"] for part in parts] == [True] * (len(parts) - 1) + [False]


@pytest.mark.attack("L-16")
@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
@pytest.mark.parametrize(
    "end",
    [
        InvalidToken("Over. Sign in again.", reason="revoked"),
        AccessDenied("Suspended. Ask IT.", reason="suspended"),
    ],
)
async def test_stream_that_was_kept_alive_ends_with_its_token(
    version: str, end: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("productive_gateway.mcp.plain_calls.ATTENDED_AFTER", 0.001)
    monkeypatch.setattr("productive_gateway.mcp.plain_calls.KEPT_ALIVE_AFTER", 0.001)
    async with mcp_server(recheck=0.01) as mcp, asyncio.timeout(SECONDS):
        sent: list[Message] = []
        body = json.dumps(call("get_me", {}, version=version)).encode()
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        mcp.tools.transport.before = held(mcp, "GET", asyncio.Event(), asyncio.Event())

        async def receive() -> Message:
            if waiting:
                return waiting.pop()
            await asyncio.Event().wait()
            raise AssertionError("nothing further comes")

        async def send(message: Message) -> None:
            sent.append(message)
            if message.get("body"):
                mcp.tokens.known["good"] = end

        with capture_logs() as lines:
            await mcp.endpoint(call_scope(version), receive, send)
            await until(lambda: lines)
    start, *pings, last = sent
    assert start["status"] == 200
    assert {(ping["body"], ping["more_body"]) for ping in pings} == {(b": ping\r\n\r\n", True)}
    assert (last["body"], last["more_body"]) == (b"", False)
    assert [line["reason"] for line in lines] == ["cancelled"]


class Stored(Answer):
    """What Productive has stored."""

    text: str = has.ident()


@declare.tool(
    title="Half",
    kind=declare.Kind.READS,
    cost=declare.Cost(reads=0),
    example=declare.Example("Half?", {}),
)
async def half(call: Call) -> Stored:  # every tool takes the call
    """Return half of a surrogate pair, which is a text to JSON and to nobody else."""
    return Stored(headline="Stored.", text="\ud83d")


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_half_of_a_surrogate_pair_in_an_answer_arrives_as_it_was_stored(version: str) -> None:
    async with mcp_server(tools=(half,)) as mcp:
        result = result_of(await tool(mcp, "half", version=version))["result"]
    assert result["structuredContent"] == {"text": "\ud83d"}
    assert not result["isError"]
