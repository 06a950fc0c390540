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
from productive_gateway.oauth.clients.display_name import UNNAMED, shown_name
from productive_gateway.oauth.clients.redirect_policy import Obstacle, RedirectPolicy
from productive_gateway.oauth.clients.redirect_uri import (
    RedirectKind,
    RedirectUriError,
    parse_redirect_uri,
)
from productive_gateway.oauth.clients.registered import register_client
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.errors import ErrorCode, OAuthError
from productive_gateway.observability.audit import Event, audit
from productive_gateway.web.body import read_body
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.headers import stripped
from productive_gateway.web.json_object import JsonError, is_json, read_object

MAX_BODY: Final = 64 * 1024
"""Bytes."""
MAX_URIS: Final = 10
GRANT_TYPES: Final = ("authorization_code", "refresh_token")
_FORBIDDEN_GRANTS: Final = frozenset({"implicit", "password"})
_PRIVATE_PARTS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


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
        raise _wrong("Send the client metadata as application/json.")
    raw = await read_body(stripped(request.scope), request.receive, limit=MAX_BODY)
    try:
        document = read_object(raw)
    except JsonError as error:
        raise _wrong(f"The client metadata cannot be read: {error}.") from error
    # A null member is as if left out (RFC 7592 2.2).
    return {name: value for name, value in document.items() if value is not None}


def read_registration(document: dict[str, Any], policy: RedirectPolicy) -> Registration:
    """Take what is needed out of client metadata.

    Raises:
        OAuthError: it is malformed, or asks for something that is not supported.
    """
    redirect_uris = _redirect_uris(document)
    _check_flows(document)
    if _has_private_key(document.get("jwks")):
        raise _wrong(
            "The jwks holds a private key. Make a new one and publish its public part only."
        )
    name = document.get("client_name", "")
    if not isinstance(name, str):
        raise _wrong("client_name must be a string.")
    method = document.get("token_endpoint_auth_method")
    if method is not None and method not in list(AuthMethod):
        raise _wrong("token_endpoint_auth_method must be one of " + ", ".join(AuthMethod) + ".")
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
        raise _wrong_uri(
            "None of redirect_uris leads to an address that this server allows. Ask its "
            "administrator to add the address to REDIRECT_HOSTS."
        )
    if Obstacle.OWN_ADDRESS in obstacles:
        raise _wrong_uri("redirect_uris must lead to the client, not to this server itself.")
    if obstacles:
        raise _wrong_uri(
            "redirect_uris must include an https URI, or one of http://localhost: any program "
            "could claim another scheme. Its administrator can allow one by REDIRECT_SCHEMES."
        )


def _redirect_uris(document: dict[str, Any]) -> tuple[str, ...]:
    given = document.get("redirect_uris")
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_URIS:
        raise _wrong_uri(f"redirect_uris must be a list of 1 to {MAX_URIS} URIs.")
    if not all(isinstance(uri, str) for uri in given):
        raise _wrong_uri("redirect_uris must be strings.")
    try:
        kinds = {parse_redirect_uri(uri).kind for uri in given}
    except RedirectUriError as error:
        raise _wrong_uri(f"One of redirect_uris is not allowed: {error}.") from error
    application = document.get("application_type")
    if application not in (None, "web", "native"):
        raise _wrong("application_type must be web or native.")
    if application == "web" and kinds != {RedirectKind.WEB}:
        # OpenID Connect Registration 2. Clients that omit the type are exempt: many programs do.
        raise _wrong_uri("A web application must have https redirect_uris only.")
    return tuple(dict.fromkeys(given))


def _check_flows(document: dict[str, Any]) -> None:
    grants = document.get("grant_types", ["authorization_code"])
    if not isinstance(grants, list) or "authorization_code" not in grants:
        raise _wrong("grant_types must include authorization_code.")
    if any(not isinstance(grant, str) or grant in _FORBIDDEN_GRANTS for grant in grants):
        raise _wrong("grant_types must be among " + " and ".join(GRANT_TYPES) + ".")
    # Others (device_code out of habit) are left out, as RFC 7591 2 allows.
    if document.get("response_types", ["code"]) != ["code"]:
        raise _wrong("response_types must be code alone.")


def _has_private_key(jwks: Any) -> bool:
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list):
        return False
    return any(isinstance(key, dict) and not _PRIVATE_PARTS.isdisjoint(key) for key in keys)


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


def _wrong(message: str) -> OAuthError:
    return OAuthError(ErrorCode.INVALID_CLIENT_METADATA, message)


def _wrong_uri(message: str) -> OAuthError:
    return OAuthError(ErrorCode.INVALID_REDIRECT_URI, message)
