"""/mcp: from the raw request to what answers it.

The checks run in this order: host, origin, token, person; then the method, the body and the scope
that the called tool needs. A prebuilt answer is sent where there is one; `plain_calls` answers a
plain call, and the SDK everything else. While a call runs, its token is checked again every few
seconds: a call whose token was revoked ends within the bound of design invariant 6, except that a
write in flight finishes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from productive_gateway.errors import GatewayError, InvalidToken
from productive_gateway.mcp import responses
from productive_gateway.mcp.batch import Batch
from productive_gateway.mcp.config import MAX_BODY, McpConfig
from productive_gateway.mcp.failed_tokens import FailedTokens
from productive_gateway.mcp.flood import OpenRequest, OpenRequests
from productive_gateway.mcp.identity import server_info
from productive_gateway.mcp.message import (
    MalformedMessage,
    check_message,
    decode,
)
from productive_gateway.mcp.message import Message as McpMessage
from productive_gateway.mcp.operation import operation_of
from productive_gateway.mcp.plain_calls import Client, PlainCalls
from productive_gateway.mcp.prebuilt import PrebuiltAnswers
from productive_gateway.mcp.revision import check_revision
from productive_gateway.mcp.sdk import SdkTransport
from productive_gateway.mcp.server import CALLER, PRINCIPAL, PersonalServer, build_server
from productive_gateway.mcp.subscriptions import Subscriptions
from productive_gateway.mcp.token_watch import RECHECK, Authenticate, TokenWatch
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.operations import Operation
from productive_gateway.people.principal import Principal
from productive_gateway.tools.registry import ToolRegistry
from productive_gateway.web.body import arrived_body, read_body, replay
from productive_gateway.web.headers import RawHeaders, accepts, bearer, single, stripped, values

ConnectPage = Callable[[], Response]
"""Returns the page for somebody who opens the endpoint in a browser."""
ExtendServer = Callable[[PersonalServer], None]
"""Adds handlers to the SDK's server before it serves."""

_METHODS: Final = "POST"
_LISTEN: Final = "subscriptions/listen"
_REVISION_HEADER: Final = MCP_PROTOCOL_VERSION_HEADER.encode()
_REFUSED: Final = 400
"""The lowest status of a refusal."""
_PREFLIGHT_LIFE: Final = "7200"
_CORS_HEADERS: Final = (
    "Accept, Authorization, Content-Type, Last-Event-ID, "
    "Mcp-Method, Mcp-Name, MCP-Protocol-Version, Mcp-Session-Id"
)

_Answer = Response | responses.JsonPieces


@dataclass(slots=True)
class _Exchange:
    """An authenticated request with its body."""

    scope: Scope
    receive: Receive
    send: Send
    token: str
    principal: Principal
    body: bytes
    open: OpenRequest


class McpEndpoint:
    """ASGI application of one path; the lifespan is `run()`."""

    def __init__(
        self,
        config: McpConfig,
        authenticate: Authenticate,
        registry: ToolRegistry,
        *,
        connect_page: ConnectPage,
        failed_tokens: FailedTokens | None = None,
        recheck: float = RECHECK,
        extend: ExtendServer | None = None,
        plain_calls: bool = True,
    ) -> None:
        """Build the SDK's server around the registry.

        Args:
            config: addresses and origins.
            authenticate: returns the principal of an access token; raises InvalidToken,
                AccessDenied or Unavailable.
            registry: the tools.
            connect_page: returns the page for browsers.
            failed_tokens: how many tokens may be refused; by default any number.
            recheck: seconds between two checks of the token of a running request.
            extend: adds to the SDK's server what this gateway lacks; for tests of the protocol.
            plain_calls: whether plain calls are answered without the SDK; tests compare the two.
        """
        self._config = config
        self._authenticate = authenticate
        self._registry = registry
        self._connect_page = connect_page
        self._failed_tokens = failed_tokens
        self._no_token = responses.no_token(config)
        self._open = OpenRequests(config.most_requests)
        self._watch = TokenWatch(authenticate, recheck)
        self.subscriptions = Subscriptions(registry, most_together=config.most_streams)
        """The open streams; they have to hear of each new mapping, and of the end."""
        server = build_server(registry, self.subscriptions, info=server_info(config))
        if extend is not None:
            extend(server)
        self._prebuilt = PrebuiltAnswers(server, registry)
        self._plain = PlainCalls(server, registry, self._watch) if plain_calls else None
        self._sdk = SdkTransport(server)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve requests while the context is entered; it can be entered only once."""
        async with self._sdk.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = stripped(scope)
        origin = single(headers, b"origin")
        if origin is not None and not self._config.allows_origin(origin):
            origin = None
        response: _Answer | None = self._without_token(scope, headers) or await self._serve(
            {**scope, "headers": headers}, receive, responses.with_security_headers(send, origin)
        )
        if response is not None:
            await responses.send_response(response, scope, receive, send, origin)

    def _without_token(self, scope: Scope, headers: RawHeaders) -> Response | None:
        """Respond to what needs no token: a wrong host or origin, a preflight, a browser."""
        host = single(headers, b"host")
        if host is None or not self._config.serves_host(host):
            message = f"This server is reached at {self._config.public_url} only. Use that address."
            return responses.refusal(421, "wrong_host", message)
        origins = values(headers, b"origin")
        if origins and not all(self._config.allows_origin(o.decode("latin-1")) for o in origins):
            message = "Web pages of this origin may not call this server. Ask its administrator."
            return responses.refusal(403, "origin_not_allowed", message)
        method = scope["method"]
        if method == "OPTIONS" and origins and values(headers, b"access-control-request-method"):
            return Response(
                status_code=204,
                headers={
                    "access-control-allow-methods": _METHODS,
                    "access-control-allow-headers": _CORS_HEADERS,
                    "access-control-max-age": _PREFLIGHT_LIFE,
                },
            )
        browser = method in {"GET", "HEAD"} and accepts(headers, "text/html")
        if browser and not values(headers, b"authorization"):
            return self._connect_page()
        return None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> _Answer | None:
        """Serve a request that needs a token; None when the response was sent already."""
        token: str | None = None
        try:
            token = bearer(scope["headers"])
            if token is None:
                return self._no_token
            principal = await self._authenticate(token)
            with self._open.counted(principal.person.uid) as opened:
                exchange = await self._received(scope, receive, send, token, principal, opened)
                return await self._answer(exchange)
        except responses.Refused as refused:
            return refused.response
        except InvalidToken as error:
            # Counted only now: a token that is good costs nothing, and passes whatever others sent.
            counted = self._failed_tokens
            answer = error if counted is None else counted.answer(scope, token, error)
            return responses.of_error(self._config, answer)
        except (GatewayError, MalformedMessage) as error:
            return responses.of_error(self._config, error)
        except ClientDisconnect:
            return None

    async def _received(  # noqa: PLR0917
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        token: str,
        principal: Principal,
        opened: OpenRequest,
    ) -> _Exchange:
        """Receive the body of a request, and authenticate it again if it had to wait.

        Raises:
            Refused: the method is not POST.
            BadRequest: the body breaks a bound.
            InvalidToken: the token became invalid.
            AccessDenied: the person was suspended.
            Unavailable: it cannot be decided now; or the body is large, and too many others are.
            ClientDisconnect: the client went away.
        """
        if scope["method"] != _METHODS:
            message = "Use POST. This endpoint has no stream and no session."
            refusal = responses.refusal(405, "method_not_allowed", message, {"allow": _METHODS})
            raise responses.Refused(refusal)
        headers, expect = scope["headers"], opened.expects
        body = arrived_body(headers, receive, limit=MAX_BODY, expect=expect)
        if body is None:
            body = await read_body(headers, receive, limit=MAX_BODY, expect=expect)
            # The client decides how long its body takes; the token may have been revoked meanwhile.
            principal = await self._authenticate(token)
        scope[PRINCIPAL] = principal
        CALLER.set(principal)
        return _Exchange(scope, replay(body, receive), send, token, principal, body, opened)

    async def _answer(self, exchange: _Exchange) -> _Answer | None:
        value = decode(exchange.body)
        headers = exchange.scope["headers"]
        if isinstance(value, list):
            check_revision(headers, value)
            return await self._answer_batch(exchange, value)
        message = check_message(value)
        with operation_of(headers, message) as operation:
            return await self._answer_message(exchange, message, operation)

    async def _answer_message(
        self, exchange: _Exchange, message: McpMessage, operation: Operation
    ) -> responses.JsonPieces | None:
        headers = exchange.scope["headers"]
        try:
            check_revision(headers, message)
        except MalformedMessage as error:
            operation.failed(str(error.code))
            raise
        self._check_scope(exchange.principal, message)
        prebuilt = self._prebuilt.answer(exchange.principal, headers, message)
        if prebuilt is not None:
            return responses.JsonPieces(prebuilt)
        if message.get("method") == _LISTEN:
            exchange.open.stops_counting()
        plain = self._plain
        call = None if plain is None else plain.read(headers, exchange.body, message)
        if plain is None or call is None:
            await self._ask_sdk(exchange, operation)
        else:
            client = Client(exchange.scope, exchange.receive, exchange.send, exchange.token)
            await plain.run(exchange.principal, call, client)
        return None

    def _check_scope(self, principal: Principal, value: Any) -> None:
        """Refuse a call of a tool that needs a scope which the token lacks.

        Raises:
            Refused: with a challenge for all scopes.
        """
        if not isinstance(value, dict) or value.get("method") != "tools/call":
            return
        params = value.get("params")
        name = params.get("name") if isinstance(params, dict) else None
        if self._registry.lacks_scope(principal, name):
            audit(
                Event.TOOL_CALLED,
                reason="wrong_scope",
                email=principal.person.email,
                user=principal.person.user,
                grant=principal.grant,
                client=principal.client,
                tool=str(name),
            )
            raise responses.Refused(responses.insufficient_scope(self._config, str(name)))

    async def _answer_batch(self, exchange: _Exchange, posted: list[Any]) -> Response:
        """Answer a batch; what ran before an error stays done.

        Raises:
            MalformedMessage: the batch is refused.
            Refused: one of its calls needs a scope that the token lacks; nothing ran.
            InvalidToken: the token became invalid.
            AccessDenied: the person was suspended.
        """
        revisions = values(exchange.scope["headers"], _REVISION_HEADER)
        batch = Batch(posted, b",".join(revisions).decode("latin-1") or None)
        for value in posted:
            self._check_scope(exchange.principal, value)
        answer = partial(self._answer_of_batch, exchange.scope)
        ended = await self._watch.run(exchange.token, lambda: batch.run(exchange.receive, answer))
        if ended is not None:
            raise ended
        return batch.response()

    async def _answer_of_batch(self, scope: Scope, message: McpMessage) -> McpMessage | None:
        with operation_of(scope["headers"], message):
            return await self._sdk.answer(scope, message)

    async def _ask_sdk(self, exchange: _Exchange, operation: Operation) -> None:
        """Let the SDK answer a request while the token stays valid.

        Raises:
            InvalidToken: the token became invalid before the response began.
            AccessDenied: the person was suspended before the response began.
        """
        begun = finished = False

        async def sending(message: Message) -> None:
            nonlocal begun, finished
            begun = True
            if message["type"] == "http.response.start" and message["status"] >= _REFUSED:
                operation.failed(str(message["status"]))
            finished = message["type"] == "http.response.body" and not message.get("more_body")
            await exchange.send(message)

        work = partial(self._sdk.stream, exchange.scope, exchange.receive, sending)
        ended = await self._watch.run(exchange.token, work)
        if ended is not None and not begun:
            raise ended
        if not finished:
            # The SDK says nothing of a client that went away.
            operation.failed("cancelled")
        if ended is not None and not finished:
            # The part that was sent cannot be taken back; end the response here.
            await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})
