"""The paths of the authorization server, and `/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from productive_gateway.oauth.authorize import AuthorizeHandler
from productive_gateway.oauth.callback import CallbackHandler
from productive_gateway.oauth.clients.client import ClientKind
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.home import HomeHandler
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
    config, kinds = context.config, context.clients.kinds
    server, resource = server_metadata(config, kinds), resource_metadata(config)
    register = Route("/register", Endpoint({"POST": RegisterHandler(context).post}, cors=True))
    return [
        Route(
            "/",
            Endpoint(
                _readable(HomeHandler(context, parts).get),
                hint=f"MCP clients connect to {context.config.resource}.",
            ),
        ),
        Route("/authorize", Endpoint({"GET": authorize.get, "POST": authorize.post})),
        Route("/callback", Endpoint({"GET": CallbackHandler(context).get})),
        *([register] if ClientKind.REGISTERED in kinds else []),
        Route("/token", Endpoint({"POST": TokenHandler(context).post}, cors=True)),
        Route("/revoke", Endpoint({"POST": RevokeHandler(context).post}, cors=True)),
        *(_document(path, server) for path in server_paths(config)),
        *(_document(path, resource) for path in resource_paths(config)),
    ]


def _document(path: str, content: dict[str, Any]) -> Route:
    async def get(_: Request) -> Response:
        return JSONResponse(content, headers={"cache-control": f"public, max-age={_METADATA_AGE}"})

    return Route(path, Endpoint(_readable(get), cors=True))


def _readable(handler: Handler) -> dict[str, Handler]:
    return {"GET": handler, "HEAD": handler}
