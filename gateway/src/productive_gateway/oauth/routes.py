"""The paths of the authorization server."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from productive_contract.mapping import State
from productive_gateway.errors import Unavailable
from productive_gateway.oauth.authorize import Authorizer
from productive_gateway.oauth.callback import Callback
from productive_gateway.oauth.context import OAuth
from productive_gateway.oauth.decision import Decider
from productive_gateway.oauth.metadata import (
    resource_metadata,
    resource_paths,
    server_metadata,
    server_paths,
)
from productive_gateway.oauth.register import Registrar
from productive_gateway.oauth.revoke import Revoker
from productive_gateway.oauth.token import TokenEndpoint
from productive_gateway.web.endpoint import Endpoint, Handler
from productive_gateway.web.pages import connect_page

__all__ = ["OAuth", "oauth_routes"]

_METADATA_AGE = 300
"""Seconds for which a client may keep the metadata: it changes with a release."""


def oauth_routes(deps: OAuth) -> list[Route]:
    """Return the routes of the authorization server and of `/`."""
    server, resource = server_metadata(deps.config), resource_metadata(deps.config)
    return [
        Route("/", Endpoint(_readable(_home(deps)))),
        Route("/authorize", Endpoint({"GET": Authorizer(deps).get, "POST": Decider(deps).post})),
        Route("/callback", Endpoint({"GET": Callback(deps).get})),
        Route("/register", Endpoint({"POST": Registrar(deps).post}, cors=True)),
        Route("/token", Endpoint({"POST": TokenEndpoint(deps).post}, cors=True)),
        Route("/revoke", Endpoint({"POST": Revoker(deps).post}, cors=True)),
        *(_document(path, server) for path in server_paths(deps.config)),
        *(_document(path, resource) for path in resource_paths(deps.config)),
    ]


def _document(path: str, content: dict[str, Any]) -> Route:
    async def answer(_: Request) -> Response:
        return JSONResponse(content, headers={"cache-control": f"public, max-age={_METADATA_AGE}"})

    return Route(path, Endpoint(_readable(answer), cors=True))


def _readable(handler: Handler) -> dict[str, Handler]:
    return {"GET": handler, "HEAD": handler}


def _home(deps: OAuth) -> Handler:
    async def answer(request: Request) -> Response:
        # A web page elsewhere can point its own name here; it shall not read who works here.
        own = deps.config.local and request.headers.get("host") == deps.config.host
        return connect_page(
            deps.config.resource,
            admin_contact=deps.config.admin_contact,
            people=_people(deps) if own else (),
            parts=deps.local_parts if own else (),
        )

    return answer


def _people(deps: OAuth) -> list[str]:
    """Return who may sign in, on the own machine only: elsewhere it is nobody's business."""
    if not deps.local_people:
        return []
    try:
        people = deps.people.snapshot().by_email.values()
    except Unavailable:
        return []
    return sorted(person.email for person in people if person.state is not State.SUSPENDED)
