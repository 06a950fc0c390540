"""Plain calls: the short way gives the answer that the SDK gives, to whatever is sent.

Both ways are asked the same generated requests, most of them a little wrong somewhere. Status,
headers, answer and audit line must be equal.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message
from structlog.testing import capture_logs

from harness.echotools import ECHO_TOOLS
from harness.mcpkit import (
    MODERN,
    KnownTokens,
    SimulatedTools,
    endpoint_over,
    principal,
    simulated_tools,
)
from productive_gateway.mcp.endpoint import McpEndpoint
from productive_gateway.mcp.plain_calls import PlainCalls
from productive_gateway.people.scopes import READ

REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", MODERN)
TOOLS = ("echo", "refuse", "ask", "broken")
PROTOCOL = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
INFO = "io.modelcontextprotocol/clientInfo"

EXAMPLES = 300

Header = tuple[str, str]


@dataclass(frozen=True)
class Request:
    """What is sent, byte for byte."""

    headers: tuple[Header, ...]
    body: str
    token: str = "good"


class Raw(str):
    """JSON text, which stays as it is."""

    __slots__ = ()


def written(value: Any) -> str:
    """Write JSON in which `Raw` parts stay as they are, and pairs are members even if repeated."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return written(list(value.items())) if value else "{}"
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        return f"{{{','.join(f'{json.dumps(name)}:{written(one)}' for name, one in value)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    return json.dumps(value, ensure_ascii=False)


ODD_NUMBERS = st.sampled_from(
    [
        *("0", "-0", "1.0", "1E2", "1e400", "-1e400", "1e-400", "9007199254740993", "1" * 40),
        *("9" * 5000, "0.1" + "0" * 30 + "1", "NaN", "Infinity", "-Infinity", "01", "+1", "1."),
    ]
).map(Raw)
ODD_TEXTS = st.sampled_from(
    [
        *(r'"\ud800"', r'"\uD83D\uDE00"', r'"\ud83d"', r'"\u0000"', '"\u2028"', r'"\ud7ff"'),
        *('"😀"', '"é"', r'"\/"', '"' + "a" * 300 + '"', '"\\x"', '"\n"'),
    ]
).map(Raw)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(max_size=8), ODD_NUMBERS
)
VALUES = st.recursive(
    st.one_of(SCALARS, ODD_TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "anything": VALUES,
        "number": st.one_of(SCALARS, VALUES),
        "text": st.one_of(st.text(max_size=8), ODD_TEXTS, SCALARS),
        "unknown": SCALARS,
        "confirm": st.just("confirm_0000"),
    },
)


def mostly(usual: Any, odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return mostly the usual value, or something odd: requests with one fault find most."""
    return st.integers(0, 24).flatmap(lambda number: odd if number == 0 else st.just(usual))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    revision = draw(st.sampled_from((*REVISIONS, MODERN, MODERN)))
    tool = draw(mostly(draw(st.sampled_from(TOOLS)), st.sampled_from(["missing", "", "Echo", 5])))
    params: list[tuple[str, Any]] = [
        ("name", tool),
        ("arguments", draw(st.one_of(ARGUMENTS, mostly({}, VALUES)))),
    ]
    if draw(mostly(False, st.just(True))):
        params.pop(draw(st.integers(0, 1)))
    meta = draw(_meta(revision))
    if meta is not None:
        params.append(("_meta", meta))
    params += draw(
        mostly(
            [],
            st.sampled_from(
                [
                    [("extra", 1)],
                    [("task", {"ttl": 1})],
                    [("requestState", "x")],
                    [("inputResponses", {})],
                    [("name", "echo")],
                    [("arguments", {"text": "twice"})],
                ]
            ),
        )
    )
    message: list[tuple[str, Any]] = [
        ("jsonrpc", draw(mostly("2.0", st.sampled_from(["1.0", 2.0, None])))),
        ("method", draw(mostly("tools/call", st.sampled_from(["tools/list", "ping", "x", 1])))),
        ("params", draw(mostly(params, VALUES))),
    ]
    identity = draw(
        st.one_of(st.integers(-5, 5), st.text(max_size=5), mostly(1, st.one_of(VALUES, ODD_TEXTS)))
    )
    message += draw(mostly([("id", identity)], st.sampled_from([[], [("id", 1), ("id", 2)]])))
    message += draw(mostly([], st.sampled_from([[("extra", None)], [("result", {})]])))
    body = written(message)
    body = draw(mostly(body, st.sampled_from([f" {body}\r\n", f"\ufeff{body}", f"[{body}]", ""])))
    return Request(
        tuple(draw(_headers(revision, tool))), body, draw(mostly("good", st.just("reader")))
    )


@st.composite
def _meta(draw: st.DrawFn, revision: str) -> Any:
    usual = {PROTOCOL: revision, CAPABILITIES: {}} if revision == MODERN else None
    if not draw(st.integers(0, 2)):
        return usual
    capabilities = st.sampled_from(
        [
            *({}, {"elicitation": {}}, {"elicitation": {"form": {}}}, {"elicitation": {"url": {}}}),
            *({"elicitation": 5}, {"elicitation": None}, {"sampling": {}}, {"x": 1}, [], None),
        ]
    )
    return draw(
        st.one_of(
            mostly(usual, VALUES),
            st.fixed_dictionaries(
                {PROTOCOL: mostly(revision, st.sampled_from([MODERN, "x", 1]))}
                if revision == MODERN
                else {},
                optional={
                    CAPABILITIES: capabilities,
                    INFO: st.sampled_from([{"name": "c", "version": "1"}, {"name": 1}, 5, None]),
                    "progressToken": st.sampled_from([1, "p", True, None]),
                    "traceparent": st.just("00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
                    "example.com/own": VALUES,
                },
            ),
        )
    )


@st.composite
def _headers(draw: st.DrawFn, revision: str, tool: Any) -> list[Header]:
    accepted = "application/json, text/event-stream"
    found: list[Header] = [("host", "mcp.example.test")]
    for name, usual, odd in (
        ("accept", accepted, ["*/*", "application/json", "text/event-stream", "application/*", ""]),
        (
            "content-type",
            "application/json",
            ["application/json; charset=utf-8", "Application/JSON", "text/plain", "application/x"],
        ),
        ("origin", None, ["https://mcp.example.test", "https://evil.example", "null"]),
        ("mcp-session-id", None, ["of-mine"]),
        ("mcp-param-text", None, ["x"]),
        ("traceparent", None, ["00-" + "1" * 32 + "-" + "2" * 16 + "-01"]),
    ):
        value = draw(mostly(usual, st.sampled_from([None, *odd])))
        found += [(name, value)] * (value is not None) * draw(mostly(1, st.just(2)))
    named = tool if isinstance(tool, str) else "echo"
    encoded = f"=?base64?{base64.b64encode(named.encode()).decode()}?="
    modern = revision == MODERN
    for name, value, odds in (
        ("mcp-protocol-version", revision, [None, "2025-06-18", "2023-01-01", f" {revision} "]),
        ("mcp-method", "tools/call" if modern else None, [None, "tools/list", "TOOLS/CALL"]),
        (
            "mcp-name",
            named if modern else None,
            [None, encoded, f"{named} ", "other", "=?base64??="],
        ),
    ):
        drawn = draw(mostly(value, st.sampled_from(odds)))
        found += [(name, drawn)] * (drawn is not None) * draw(mostly(1, st.just(2)))
    return found


def plain(revision: str) -> Request:
    """Return a request with nothing unusual."""
    params: dict[str, Any] = {"name": "echo", "arguments": {"text": "hello"}}
    headers = [
        ("host", "mcp.example.test"),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        ("mcp-protocol-version", revision),
    ]
    if revision == MODERN:
        params["_meta"] = {PROTOCOL: revision, CAPABILITIES: {}}
        headers += [("mcp-method", "tools/call"), ("mcp-name", "echo")]
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return Request(tuple(headers), json.dumps(message))


async def answered(endpoint: McpEndpoint, request: Request) -> dict[str, Any]:
    """Send a request, and return all that can be seen of its answer."""
    sent: list[Message] = []
    waiting = [{"type": "http.request", "body": request.body.encode(), "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()
        raise AssertionError("nothing further comes")

    async def send(message: Message) -> None:
        sent.append(message)

    headers = (*request.headers, ("authorization", f"Bearer {request.token}"))
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    with capture_logs() as lines:
        await endpoint(scope, receive, send)
    body = b"".join(part.get("body", b"") for part in sent[1:]).decode()
    headers_sent = {
        (name.lower(), value) for name, value in sent[0]["headers"] if name != b"content-length"
    }
    return {
        "status": sent[0]["status"],
        "headers": headers_sent,
        "answer": _messages(body),
        "lines": [
            {name: value for name, value in line.items() if name not in _MEASURED} for line in lines
        ],
    }


_MEASURED = {"seconds", "upstream_seconds", "exc_info"}


def _messages(body: str) -> list[Any]:
    # A confirmation token is another one each time.
    body = re.sub(r"confirm_[\w.-]+", "confirm_", re.sub(r"[a-z0-9]{8}\.[\w-]{40,}", "seal", body))
    texts = re.findall(r"^data: (.*?)\r?$", body, re.MULTILINE) or [body]
    return [
        json.loads(text, parse_constant=str) if text[:1] in {"{", "["} else text for text in texts
    ]


class BothWays:
    """/mcp with and without the short way, over the same tools."""

    def __init__(self, simulated: SimulatedTools) -> None:
        tokens = KnownTokens(
            {"good": principal(), "reader": principal(scopes=frozenset({READ}))}
        ).authenticate
        self.short = endpoint_over(simulated, tokens)
        self.sdk = endpoint_over(simulated, tokens, plain_calls=False)

    async def compare(self, request: Request) -> None:
        assert await answered(self.short, request) == await answered(self.sdk, request)


async def test_any_request_is_answered_as_the_sdk_answers_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[str] = []
    run = PlainCalls.run

    async def counted(self: PlainCalls, who: Any, call: Any, *rest: Any) -> None:
        runs.append(call.revision)
        await run(self, who, call, *rest)

    monkeypatch.setattr(PlainCalls, "run", counted)
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(
            simulated_tools(tools=ECHO_TOOLS, entropy=bytes)
        )
        both = BothWays(simulated)
        await stack.enter_async_context(both.short.run())
        await stack.enter_async_context(both.sdk.run())
        # The first call asks who the person is.
        await simulated.call("echo")
        for revision in REVISIONS:
            await both.compare(plain(revision))
        assert runs == list(REVISIONS)
        loop = asyncio.get_running_loop()

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(requests())
        def check(request: Request) -> None:
            asyncio.run_coroutine_threadsafe(both.compare(request), loop).result(60)

        await asyncio.to_thread(check)
    # Otherwise the comparison says nothing.
    assert len(runs) > 50
