"""Which calls are plain, and which are left to the SDK because something about them is unusual."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import pytest
from mcp_types import methods
from pydantic import Field

from harness.echotools import ECHO_TOOLS, Echo
from harness.mcpkit import META, MODERN, KnownTokens, simulated_tools
from productive_gateway.mcp.config import McpConfig
from productive_gateway.mcp.identity import server_info
from productive_gateway.mcp.plain_calls import PlainCall, PlainCalls
from productive_gateway.mcp.server import build_server
from productive_gateway.mcp.subscriptions import Subscriptions
from productive_gateway.mcp.token_watch import TokenWatch
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.declare import Cost, Example, Kind, Tool, tool
from productive_gateway.web.headers import Headers

OLDER = "2025-11-25"
CONFIG = McpConfig("https://mcp.example.test", "https://mcp.example.test/mcp", "x", "1.2.3")


@tool(title="In header", kind=Kind.READS, cost=Cost(reads=0), example=Example("Here?", {}))
async def in_header(
    call: Call, text: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Text"})] = ""
) -> Echo:
    """Show a text that clients repeat in a header."""
    return Echo(headline="Arrived.", shown=text, can_ask=call.can_ask)


@dataclass
class Asked:
    """A call of the echo tool, of which a test changes one thing."""

    version: str = MODERN
    params: dict[str, Any] = field(default_factory=dict)
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str | None] = field(default_factory=dict)
    more: tuple[tuple[str, str], ...] = ()

    def read_by(self, plain: PlainCalls) -> PlainCall | None:
        modern = self.version == MODERN
        params = {"name": "echo", "arguments": {"text": "x"}, **({"_meta": META} if modern else {})}
        params |= self.params
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        message |= self.members
        headers: dict[str, str | None] = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": self.version,
            "mcp-method": "tools/call" if modern else None,
            "mcp-name": "echo" if modern else None,
            **self.headers,
        }
        pairs = [*((name, value) for name, value in headers.items() if value), *self.more]
        raw = Headers([(name.encode(), value.encode()) for name, value in pairs])
        return plain.read(raw, json.dumps(message).encode(), message)


@asynccontextmanager
async def plain_over(tools: tuple[Tool, ...] = ECHO_TOOLS) -> AsyncIterator[PlainCalls]:
    async with simulated_tools(tools=tools) as simulated:
        registry = simulated.registry
        server = build_server(registry, Subscriptions(registry), info=server_info(CONFIG))
        yield PlainCalls(server, registry, TokenWatch(KnownTokens().authenticate))


@pytest.mark.parametrize("version", [MODERN, OLDER])
async def test_usual_call_is_plain(version: str) -> None:
    async with plain_over() as plain:
        call = Asked(version).read_by(plain)
    assert call is not None
    assert (call.revision, call.number, call.tool) == (version, 1, "echo")
    assert call.arguments == {"text": "x"}
    assert not call.can_ask


@pytest.mark.parametrize("version", [MODERN, OLDER])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"params": {"_meta": {**META, "progressToken": 1}}}, id="progress"),
        pytest.param({"params": {"name": "missing"}}, id="unknown tool"),
        pytest.param({"params": {"arguments": {"text": "\ud800"}}}, id="half a pair"),
        pytest.param({"params": {"arguments": {"text": "\U0001f600"}}}, id="pair in escapes"),
        pytest.param({"params": {"inputResponses": {}}}, id="reply to a question"),
        pytest.param({"params": {"task": {"ttl": 1}}}, id="unknown parameter"),
        pytest.param({"params": {"arguments": [1]}}, id="arguments that are no object"),
        pytest.param({"members": {"extra": None}}, id="unknown member"),
        pytest.param({"members": {"method": "tools/list"}}, id="other method"),
        pytest.param({"headers": {"accept": "*/*"}}, id="any type"),
        pytest.param({"headers": {"accept": "application/json"}}, id="no stream"),
        pytest.param({"headers": {"accept": "text/event-stream"}}, id="no JSON"),
        pytest.param({"headers": {"content-type": "text/plain"}}, id="other content"),
        pytest.param({"headers": {"content-type": None}}, id="content of no type"),
        pytest.param({"more": (("mcp-param-text", "x"),)}, id="parameter in a header"),
        pytest.param({"headers": {"mcp-protocol-version": "2023-01-01"}}, id="unknown revision"),
    ],
)
async def test_unusual_call_is_left_to_the_sdk(version: str, change: dict[str, Any]) -> None:
    async with plain_over() as plain:
        assert replace(Asked(version), **change).read_by(plain) is None


@pytest.mark.parametrize("version", [MODERN, OLDER])
async def test_repeated_version_header_is_left_to_the_sdk(version: str) -> None:
    asked = Asked(version, more=(("mcp-protocol-version", version),))
    async with plain_over() as plain:
        assert asked.read_by(plain) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"headers": {"mcp-method": "tools/list"}}, id="other method"),
        pytest.param({"headers": {"mcp-name": "refuse"}}, id="other name"),
        pytest.param({"headers": {"mcp-name": None}}, id="no name"),
        pytest.param({"more": (("mcp-name", "echo"),)}, id="name twice"),
        pytest.param({"more": (("mcp-method", "tools/call"),)}, id="method twice"),
        pytest.param({"params": {"_meta": {}}}, id="no revision in the message"),
    ],
)
async def test_routing_headers_that_do_not_fit_are_left_to_the_sdk(change: dict[str, Any]) -> None:
    async with plain_over() as plain:
        assert replace(Asked(), **change).read_by(plain) is None


async def test_tool_with_an_argument_in_a_header_is_left_to_the_sdk() -> None:
    async with plain_over((in_header,)) as plain:
        for version in (MODERN, OLDER):
            asked = Asked(version, {"name": "in_header"})
            if version == MODERN:
                asked.headers["mcp-name"] = "in_header"
            assert asked.read_by(plain) is None
            assert "x-mcp-header" in json.dumps(in_header.input_schema)


@pytest.mark.parametrize(
    ("declared", "can_ask"),
    [
        ({}, False),
        ({"sampling": {}}, False),
        ({"elicitation": {"url": {}}}, False),
        ({"elicitation": {"form": {}}}, True),
    ],
)
async def test_only_a_client_that_can_show_a_form_is_asked(
    declared: dict[str, Any], can_ask: bool
) -> None:
    meta = {**META, "io.modelcontextprotocol/clientCapabilities": declared}
    async with plain_over() as plain:
        call = Asked(params={"_meta": meta}).read_by(plain)
    assert call is not None
    assert call.can_ask is can_ask


async def test_verdict_about_long_parameters_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged: list[str] = []
    validate = methods.validate_client_request

    def counted(method: str, version: str, params: Any) -> Any:
        judged.append(method)
        return validate(method, version, params)

    monkeypatch.setattr(methods, "validate_client_request", counted)
    async with plain_over() as plain:
        for length, times in ((100, 1), (3_000, 3)):
            judged.clear()
            meta = {**META, "example.com/own": "a" * length}
            for _ in range(3):
                assert Asked(params={"_meta": meta}).read_by(plain) is not None
            assert len(judged) == times
