"""The paths of the authorization server, and `/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from productive_gateway.errors import TooManyRequests
from productive_gateway.oauth.answers import error_page, json_error
from productive_gateway.oauth.authorize import AuthorizeHandler
from productive_gateway.oauth.callback import CallbackHandler
from productive_gateway.oauth.clients.client import ClientKind
from productive_gateway.oauth.connections.handler import ConnectionsHandler
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.home import HomeHandler
from productive_gateway.oauth.limits import limited, located
from productive_gateway.oauth.metadata import (
    resource_metadata,
    resource_paths,
    server_metadata,
    server_paths,
)
from productive_gateway.oauth.register import RegisterHandler
from productive_gateway.oauth.revoke import RevokeHandler
from productive_gateway.oauth.token import TokenHandler
from productive_gateway.web.endpoint import Endpoint, Handler

_METADATA_AGE: Final = 300
"""Seconds for which a client may keep the metadata: they change only with a release."""


def oauth_routes(context: OAuthContext, *, parts: Sequence[tuple[str, str]] = ()) -> list[Route]:
    """Return the routes.

    Args:
        context: what the endpoints share.
        parts: the services that this server uses, by name and address, for `/` in local mode.
    """
    authorize = AuthorizeHandler(context)
    limits, addresses = context.limits, context.addresses
    get = limited(authorize.get, limits.authorize, addresses, error_page)
    decide = limited(authorize.post, limits.authorize, addresses, error_page)
    callback = limited(CallbackHandler(context).get, limits.callback, addresses, error_page)
    registers = limited(RegisterHandler(context).post, limits.register, addresses, _json)
    token = located(TokenHandler(context).post, addresses)
    revoke = located(RevokeHandler(context).post, addresses)
    config, kinds = context.config, context.clients.kinds
    server, resource = server_metadata(config, kinds), resource_metadata(config)
    register = Route("/register", Endpoint({"POST": registers}, cors=True))
    return [
        Route(
            "/",
            Endpoint(
                _readable(HomeHandler(context, parts).get),
                hint=f"MCP clients connect to {context.config.resource}.",
            ),
        ),
        Route("/authorize", Endpoint({"GET": get, "POST": decide})),
        Route("/callback", Endpoint({"GET": callback})),
        *([register] if ClientKind.REGISTERED in kinds else []),
        Route("/token", Endpoint({"POST": token}, cors=True)),
        Route("/revoke", Endpoint({"POST": revoke}, cors=True)),
        *_connections(context),
        *(_document(path, server) for path in server_paths(config)),
        *(_document(path, resource) for path in resource_paths(config)),
    ]


def _connections(context: OAuthContext) -> list[Route]:
    handler = ConnectionsHandler(context)

    def counted(answer: Handler) -> Handler:
        return limited(answer, context.limits.connections, context.addresses, error_page)

    forms = {
        "/connections/sign-in": handler.sign_in,
        "/connections/disconnect": handler.disconnect,
        "/connections/sign-out": handler.sign_out,
    }
    return [
        Route("/connections", Endpoint({"GET": counted(handler.get)})),
        *(Route(path, Endpoint({"POST": counted(answer)})) for path, answer in forms.items()),
    ]


def _json(_: Request, error: TooManyRequests) -> Response:
    return json_error(error)


def _document(path: str, content: dict[str, Any]) -> Route:
    async def get(_: Request) -> Response:
        return JSONResponse(content, headers={"cache-control": f"public, max-age={_METADATA_AGE}"})

    return Route(path, Endpoint(_readable(get), cors=True))


def _readable(handler: Handler) -> dict[str, Handler]:
    return {"GET": handler, "HEAD": handler}
