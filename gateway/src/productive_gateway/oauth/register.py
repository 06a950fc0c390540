"""POST /register: dynamic client registration (RFC 7591), without storing anything.

It is open to everybody, so no URL in the metadata is fetched, and what is not needed is ignored:
pages about the client, logos, key sets and software statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.oauth.answers import json_error
from productive_gateway.oauth.clients.client import AuthMethod, Client, Registration
from productive_gateway.oauth.clients.client_metadata import (
    GRANT_TYPES,
    check_flows,
    given_members,
    has_private_key,
    read_redirect_uris,
    wrong,
    wrong_uri,
)
from productive_gateway.oauth.clients.display_name import UNNAMED, shown_name
from productive_gateway.oauth.clients.redirect_policy import Obstacle, RedirectPolicy
from productive_gateway.oauth.clients.registered import register_client
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.errors import OAuthError
from productive_gateway.observability.audit import Event, audit
from productive_gateway.web.body import read_body
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.headers import stripped
from productive_gateway.web.json_object import JsonError, is_json, read_object

MAX_BODY: Final = 64 * 1024
"""Bytes."""
MAX_URIS: Final = 10


@dataclass(frozen=True, slots=True)
class RegisterHandler:
    """The registration endpoint."""

    context: OAuthContext

    async def post(self, request: Request) -> Response:
        """Register a client, or report what is wrong with its metadata."""
        context = self.context
        try:
            document = await _document(request)
            registration = read_registration(document, context.config.redirects)
            client, secret = register_client(
                context.keys.ring(), registration, context.config.issuer, context.entropy
            )
        except (BadRequest, OAuthError, Unavailable) as error:
            return json_error(error)
        audit(Event.CLIENT_REGISTERED, client=client.label, client_name=registration.name)
        return JSONResponse(_answer(client, secret, int(context.clock())), 201)


async def _document(request: Request) -> dict[str, Any]:
    if not is_json(request.headers.get("content-type", "")):
        raise wrong("Send the client metadata as application/json.")
    raw = await read_body(stripped(request.scope), request.receive, limit=MAX_BODY)
    try:
        document = read_object(raw)
    except JsonError as error:
        raise wrong(f"The client metadata cannot be read: {error}.") from error
    return given_members(document)


def read_registration(document: dict[str, Any], policy: RedirectPolicy) -> Registration:
    """Take what is needed out of client metadata.

    Raises:
        OAuthError: it is malformed, or asks for something that is not supported.
    """
    redirect_uris = read_redirect_uris(document, limit=MAX_URIS)
    check_flows(document)
    if has_private_key(document):
        raise wrong(
            "The jwks holds a private key. Make a new one and publish its public part only."
        )
    name = document.get("client_name", "")
    if not isinstance(name, str):
        raise wrong("client_name must be a string.")
    method = document.get("token_endpoint_auth_method")
    if method is not None and method not in list(AuthMethod):
        raise wrong("token_endpoint_auth_method must be one of " + ", ".join(AuthMethod) + ".")
    registration = Registration(
        name=shown_name(name) if name else UNNAMED,
        redirect_uris=redirect_uris,
        # RFC 7591 2: without a method, it is Basic.
        auth_method=AuthMethod.BASIC if method is None else AuthMethod(method),
        method_chosen=method is not None,
    )
    _check_usable(registration, policy)
    return registration


def _check_usable(registration: Registration, policy: RedirectPolicy) -> None:
    obstacles = registration.obstacles(policy)
    if Obstacle.ADDRESS in obstacles:
        raise wrong_uri(
            "None of redirect_uris leads to an address that this server allows. Ask its "
            "administrator to add the address to REDIRECT_HOSTS."
        )
    if Obstacle.OWN_ADDRESS in obstacles:
        raise wrong_uri("redirect_uris must lead to the client, not to this server itself.")
    if obstacles:
        raise wrong_uri(
            "redirect_uris must include an https URI, or one of http://localhost: any program "
            "could claim another scheme. Its administrator can allow one by REDIRECT_SCHEMES."
        )


def _answer(client: Client, secret: Secret | None, now: int) -> dict[str, Any]:
    registration = client.registration
    answer: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": now,
        "client_name": registration.name,
        "redirect_uris": list(registration.redirect_uris),
        "grant_types": list(GRANT_TYPES),
        "response_types": ["code"],
        "token_endpoint_auth_method": registration.auth_method.value,
    }
    if secret is not None:
        answer |= {"client_secret": secret.reveal(), "client_secret_expires_at": 0}
    return answer
