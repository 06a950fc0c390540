"""`python -m conformance.gateway`: the gateway as installed, with what the suite calls beside it.

The settings are those of the environment, as for `productive-gateway serve`. With
`--without-plain-calls`, the SDK answers all calls of tools.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import mcp_types as types
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity

from conformance.content import add_content
from conformance.special import SPECIAL, Result
from conformance.tools import TOOLS
from productive_contract.mapping import Person
from productive_gateway.app import compose
from productive_gateway.mcp.endpoint import McpEndpoint
from productive_gateway.mcp.server import PRINCIPAL, Context, PersonalServer
from productive_gateway.observability.logs import configure_logs
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.serving import serve
from productive_gateway.settings import load_settings

WITHOUT_PLAIN_CALLS: Final = "--without-plain-calls"
ANSWERED_BY_SDK: Final = "the SDK answers"
"""Begins the line that is printed when the SDK calls a tool of the registry."""


def make_endpoint(*given: Any, **named: Any) -> McpEndpoint:
    """Make the endpoint as the gateway does, with what the suite calls beside its tools."""

    def change_tools(person: Person) -> None:
        """Let streams hear that a person may use less, and then as much as before."""
        access = replace(person.access, read_only=not person.access.read_only)
        for seen in (replace(person, access=access), person):
            endpoint.subscriptions.take(Snapshot(0, {}, {person.uid: seen}))

    endpoint = McpEndpoint(
        *given,
        **named,
        extend=partial(extend, change_tools=change_tools),
        plain_calls=WITHOUT_PLAIN_CALLS not in sys.argv,
    )
    return endpoint


def extend(server: PersonalServer, *, change_tools: Callable[[Person], None]) -> None:
    """Let a server answer what the suite calls, beside the tools of its registry.

    Args:
        server: of the gateway.
        change_tools: changes the list of tools of a person.
    """
    own = server.get_request_handler("tools/call")
    assert own is not None

    async def call_tool(ctx: Context, params: types.CallToolRequestParams) -> Result:
        if params.name == "test_trigger_tool_change":
            assert ctx.request is not None
            change_tools(ctx.request.scope[PRINCIPAL].person)
            return types.CallToolResult(content=[])
        if params.name in SPECIAL:
            return await SPECIAL[params.name](ctx, params)
        print(f"{ANSWERED_BY_SDK} {params.name}", flush=True)
        result = await own.handler(ctx, params)
        assert isinstance(result, types.CallToolResult | types.InputRequiredResult)
        return result

    server.add_request_handler("tools/call", types.CallToolRequestParams, call_tool)
    # The states of the tools here are plain; those of the gateway's own tools are sealed already.
    security = RequestStateSecurity.ephemeral()
    server.middleware.append(RequestStateBoundary(security, default_audience=server.name))
    add_content(server)


def main() -> int:
    """Serve until SIGTERM."""
    settings = load_settings(os.environ)
    configure_logs(settings.log_level)
    composing = partial(compose, tools=TOOLS, make_endpoint=make_endpoint)
    return asyncio.run(serve(settings, composing))


if __name__ == "__main__":
    sys.exit(main())
