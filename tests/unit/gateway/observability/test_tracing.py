"""Traces: from the caller's span through the gateway to Productive, and nothing else in them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.localsettings import LOCAL_SETTINGS
from harness.mcpkit import (
    META,
    MODERN,
    PUBLIC,
    RESOURCE,
    McpServer,
    mcp_server,
    principal,
    request,
    result_of,
    simulated_tools,
)
from harness.spans import PARENT, TRACE, TRACEPARENT, recorded_spans
from productive_gateway.app import compose, mcp_routes, public_app
from productive_gateway.observability.tracing import (
    OpenSpan,
    begin_request_span,
    begin_span,
    is_tracing,
)
from productive_gateway.productive.wire.errors import ProductiveError
from productive_gateway.settings.load import load_settings

OLDER = "2025-11-25"
FROM_META = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


@asynccontextmanager
async def served() -> AsyncIterator[McpServer]:
    async with mcp_server() as mcp:
        transport = httpx.ASGITransport(public_app(mcp_routes(mcp.endpoint), resource=RESOURCE))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as mcp.http:
            yield mcp


def call(tool: str, meta: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    return request("tools/call", name=tool, arguments=arguments, _meta=meta or {})


async def post(mcp: McpServer, message: dict[str, Any], version: str, **headers: str) -> Any:
    if version == MODERN:
        params = message["params"]
        params["_meta"] |= META
        named = {"mcp_name": params["name"]} if "name" in params else {}
        headers |= {"mcp_method": message["method"], **named}
    return await mcp.post(message, version=version, **headers)


@pytest.mark.parametrize("version", [MODERN, OLDER])
async def test_a_call_is_one_trace_from_the_client_to_productive(version: str) -> None:
    async with served() as mcp:
        with recorded_spans() as spans:
            answer = await post(mcp, call("get_me"), version, traceparent=TRACEPARENT)
            result_of(answer)
    http, mcp_span = spans.one("POST /mcp"), spans.one("tools/call get_me")
    assert {span.trace for span in spans.all()} == {TRACE}
    assert (http.kind, http.parent, http.failed) == ("SERVER", PARENT, False)
    assert http.attributes == {
        "http.request.method": "POST",
        "http.route": "/mcp",
        "http.response.status_code": 200,
        "productive_mcp.request_id": answer.headers["x-request-id"],
    }
    assert (mcp_span.kind, mcp_span.parent, mcp_span.links) == ("SERVER", http.id, ())
    assert mcp_span.attributes == {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": version,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "get_me",
    }
    productive = [span for span in spans.all() if span.kind == "CLIENT"]
    assert productive
    assert {span.parent for span in productive} == {mcp_span.id}
    assert productive[0].attributes["server.address"] == "simulator.test"
    assert productive[0].attributes["http.response.status_code"] == 200


@pytest.mark.parametrize("version", [MODERN, OLDER])
async def test_the_context_in_meta_is_the_parent_and_that_of_http_is_linked(version: str) -> None:
    async with served() as mcp:
        with recorded_spans() as spans:
            message = call("get_me", {"traceparent": FROM_META})
            await post(mcp, message, version, traceparent=TRACEPARENT)
    http, mcp_span = spans.one("POST /mcp"), spans.one("tools/call get_me")
    assert (mcp_span.trace, mcp_span.parent) == (TRACE, "00f067aa0ba902b7")
    assert mcp_span.links == (http.id,)


@pytest.mark.parametrize(
    "context", [{}, {"traceparent": "canary"}, {"traceparent": f"00-{'0' * 32}-{'0' * 16}-01"}]
)
async def test_without_a_valid_context_a_trace_begins_here(context: dict[str, str]) -> None:
    async with served() as mcp:
        with recorded_spans() as spans:
            await post(mcp, call("get_me", dict(context)), MODERN, **context)
    http = spans.one("POST /mcp")
    assert http.parent is None
    assert spans.one("tools/call get_me").parent == http.id


@pytest.mark.parametrize("others", [[TRACEPARENT], [FROM_META]])
def test_with_two_contexts_in_http_a_trace_begins_here(others: list[str]) -> None:
    headers = [(b"traceparent", one.encode()) for one in [*others, TRACEPARENT]]
    with recorded_spans() as spans:
        _end(begin_request_span("POST", "/mcp", "r1", headers))
    assert spans.one("POST /mcp").parent is None


def test_state_in_several_headers_is_one_list() -> None:
    """W3C Trace Context 3.3.1, which follows RFC 9110 5.3."""
    headers = [
        (b"traceparent", TRACEPARENT.encode()),
        (b"tracestate", b"a=b"),
        (b"tracestate", b"c=d"),
    ]
    with recorded_spans() as spans:
        _end(begin_request_span("POST", "/mcp", "r1", headers))
    assert spans.one("POST /mcp").parent == PARENT
    for member in ("key=a, value=b", "key=c, value=d"):
        assert member in spans.text()


def _end(span: OpenSpan | None) -> None:
    assert span is not None
    span.end()


async def test_a_trace_that_its_client_does_not_record_is_not_recorded_here() -> None:
    async with served() as mcp:
        with recorded_spans() as spans:
            unsampled = TRACEPARENT.removesuffix("01") + "00"
            await post(mcp, call("get_me"), MODERN, traceparent=unsampled)
    assert spans.all() == []


@pytest.mark.parametrize(
    ("message", "name", "error"),
    [
        (call("log_time", entries="canary"), "tools/call log_time", "invalid_value"),
        (call("canary"), "tools/call", "-32602"),
        (request("canary/method"), "_OTHER", "-32601"),
        (request("tools/list"), "tools/list", None),
    ],
)
async def test_spans_are_named_after_what_is_known_and_tell_failures(
    message: dict[str, Any], name: str, error: str | None
) -> None:
    async with served() as mcp:
        with recorded_spans() as spans:
            await post(mcp, message, OLDER)
    span = spans.one(name)
    assert span.attributes.get("error.type") == error
    assert span.failed == (error is not None)
    assert "canary" not in spans.text()


@pytest.mark.attack("Q-01")
async def test_spans_hold_nothing_that_came_with_the_request_or_its_answer() -> None:
    async with served() as mcp:
        with recorded_spans() as spans:
            for message in (
                call("get_me"),
                call("get_project", project="Canary Website"),
                call("log_time", entries=[{"project": "canary", "note": "canary"}]),
            ):
                await post(mcp, {**message, "id": "canary-id"}, OLDER, user_agent="canary")
    text = spans.text()
    assert "tools/call get_me" in text
    for secret in ("canary", "good", "Ana", "ana.kovac", "simulator-ana-kovac"):
        assert secret not in text.replace("Canary", "canary"), secret
    # As whole numbers: the ids of traces and requests are random.
    assert not {"9104", "1200"} & set(re.findall(r"\w+", text))


async def test_productive_is_sent_no_trace_context() -> None:
    seen: list[httpx.Request] = []

    async def see(sent: httpx.Request) -> None:
        seen.append(sent)

    async with served() as mcp:
        mcp.tools.transport.before = see
        with recorded_spans():
            await post(mcp, call("get_me"), MODERN, traceparent=TRACEPARENT, tracestate="a=b")
    assert seen
    assert not any({"traceparent", "tracestate", "baggage"} & set(one.headers) for one in seen)


async def test_paths_of_productive_are_named_without_ids() -> None:
    async with simulated_tools() as tools:
        session = tools.api.session(principal())
        with recorded_spans() as spans:
            for path in ("/tasks/123456789", "/people/ana@example.com/x"):
                with pytest.raises(ProductiveError):
                    await session.get(path)
    names = {span.name: span for span in spans.all()}
    assert {"GET /tasks/{id}", "GET /people/{id}/x"} < set(names)
    assert names["GET /tasks/{id}"].attributes["url.template"] == "/tasks/{id}"
    assert names["GET /tasks/{id}"].attributes["error.type"] == "404"


@given(
    st.dictionaries(
        st.sampled_from(["traceparent", "tracestate"]),
        st.just(TRACEPARENT) | st.text() | st.integers(),
    )
)
@example({"traceparent": TRACEPARENT, "tracestate": 1})
@example({"traceparent": 1, "tracestate": "a=b"})
def test_no_carrier_of_a_client_breaks_a_request(carrier: dict[str, Any]) -> None:
    with recorded_spans() as spans:
        span = begin_span("x", "SERVER", {}, carrier=carrier)
        assert span is not None
        span.end()
    assert len(spans.all()) == 1


def test_without_a_collector_there_are_no_spans() -> None:
    assert not is_tracing()
    assert begin_span("x", "SERVER", {}) is None


async def test_a_gateway_without_a_collector_traces_nothing() -> None:
    async with compose(load_settings(LOCAL_SETTINGS)):
        assert not is_tracing()
