"""The SDK's server with the tools of this gateway.

The principal is read from the ASGI scope of the request. Each request has its own scope, so
requests that run at the same time cannot see each other's principal.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from starlette.requests import Request

from productive_gateway.mcp import elicitation
from productive_gateway.mcp.instructions import instructions_for
from productive_gateway.mcp.operation import OperationErrors
from productive_gateway.mcp.subscriptions import Subscriptions
from productive_gateway.people.principal import Principal
from productive_gateway.tools.call import Reply
from productive_gateway.tools.kit.declare import Tool
from productive_gateway.tools.kit.errors import UserQuestion
from productive_gateway.tools.registry import ToolRegistry, UnknownTool

PRINCIPAL: Final = "productive_gateway.principal"
"""Key of the ASGI scope under which the endpoint stores the principal."""
_LIST_FRESH_MS: Final = 5 * 60 * 1000
"""A person's rights may change sooner: the list only informs, each call is checked."""

Context = ServerRequestContext[dict[str, Any], Request]


CALLER: Final[ContextVar[Principal]] = ContextVar("caller")
"""Whom the running request acts as; for what the SDK does without giving the request."""


class PersonalServer(Server[dict[str, Any]]):
    """The SDK's server, with instructions for the person who asks."""

    registry: ToolRegistry

    @property
    def instructions(self) -> str | None:
        """Instructions for what the caller may use; None outside of a request."""
        caller = CALLER.get(None)
        if caller is None:
            return None
        return instructions_for(self.registry.allowed(caller.person))

    @instructions.setter
    def instructions(self, value: str | None) -> None:
        """Take no other instructions: the SDK sets its own at first."""


def build_server(
    registry: ToolRegistry, subscriptions: Subscriptions, *, info: types.Implementation
) -> PersonalServer:
    """Return the server; it answers as the principal in the scope of each request.

    Args:
        registry: the tools.
        subscriptions: the open streams.
        info: what the server says about itself.
    """

    async def list_tools(
        ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        if params is not None and params.cursor is not None:
            raise MCPError(code=types.INVALID_PARAMS, message="The list has only one page.")
        allowed = registry.allowed(_principal(ctx).person)
        return types.ListToolsResult(tools=[listed(tool) for tool in registry.listed(allowed)])

    async def call_tool(
        ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        arguments: Mapping[str, Any] = params.arguments or {}
        try:
            answer = await registry.call(
                _principal(ctx),
                params.name,
                arguments,
                can_ask=elicitation.can_ask(ctx.protocol_version, ctx.session.client_capabilities),
                reply=_reply(params),
                report=ctx.session.report_progress,
            )
        except UserQuestion as asked:
            return elicitation.question(asked.message, asked.action, asked.token)
        except UnknownTool as error:
            raise MCPError(
                code=types.INVALID_PARAMS,
                message="There is no such tool. List the tools to see their names.",
            ) from error
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=answer.text)],
            structured_content=answer.structured,
            is_error=answer.is_error,
        )

    async def listen(
        ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        return await subscriptions.listen(_principal(ctx), ctx, params)

    hint = CacheHint(ttl_ms=_LIST_FRESH_MS, scope="private")
    server = PersonalServer(
        info.name,
        version=info.version,
        title=info.title,
        website_url=info.website_url,
        icons=info.icons,
        cache_hints={"tools/list": hint, "server/discover": hint},
        get_tool_input_schema=registry.input_schema,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_subscriptions_listen=listen,
    )
    server.registry = registry
    server.middleware = [OperationErrors()]
    return server


def listed(tool: Tool) -> types.Tool:
    """Return a tool as tools/list shows it."""
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=types.ToolAnnotations.model_validate(
            {"title": tool.title, **tool.kind.annotations}
        ),
    )


def _reply(params: types.CallToolRequestParams) -> Reply | None:
    """Return what the user answered to the question of an earlier answer."""
    given = elicitation.answer(params)
    if given is None:
        return None
    return Reply(given.reply is elicitation.Reply.ACCEPTED, given.token)


def _principal(ctx: Context) -> Principal:
    request = ctx.request
    principal = request.scope.get(PRINCIPAL) if request is not None else None
    if not isinstance(principal, Principal):
        # The endpoint always sets it. Should that ever fail, nothing may run unauthenticated.
        raise MCPError(code=types.INTERNAL_ERROR, message="The caller is not authenticated.")
    return principal
