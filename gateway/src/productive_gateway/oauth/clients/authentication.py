"""Client authentication at /token and /revoke (RFC 6749 2.3), one method at a time."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from starlette.requests import Request

from productive_gateway.oauth.clients.client import AuthMethod, Client
from productive_gateway.oauth.clients.directory import Clients
from productive_gateway.oauth.clients.document_errors import DocumentRefused, document_unusable
from productive_gateway.oauth.errors import ErrorCode, OAuthError
from productive_gateway.web.form import Form


@dataclass(frozen=True, slots=True)
class Presented:
    """The credentials that a request brings."""

    client_id: str
    secret: str | None = field(repr=False)
    method: AuthMethod


async def authenticate_client(request: Request, form: Form, clients: Clients) -> Client:
    """Return the client that makes a request.

    Raises:
        OAuthError: `invalid_request` for two methods at once, `invalid_client` if none proves it.
        Unavailable: this cannot be decided now.
    """
    presented = _presented(request, form)
    try:
        client = await clients.find(presented.client_id)
    except DocumentRefused as error:
        # A client that is told `invalid_client` throws its tokens away, and a broken file on a web
        # server may be whole again in a minute.
        raise document_unusable(error) from error
    if not _proven(client, presented):
        raise _failed("The client could not prove itself. Register again and use the new secret.")
    return client


def uses_basic(request: Request) -> bool:
    """Whether the client used the header, so that a 401 has to name a scheme."""
    return "authorization" in request.headers


def _presented(request: Request, form: Form) -> Presented:
    headers = request.headers.getlist("authorization")
    client_id, secret = form.one("client_id"), form.one("client_secret")
    if form.one("client_assertion") is not None:
        raise _failed("Client assertions are not supported.")
    if not headers:
        if client_id is None:
            raise _failed("The client_id is missing.")
        method = AuthMethod.NONE if secret is None else AuthMethod.POST
        return Presented(client_id, secret, method)
    if len(headers) > 1 or secret is not None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Authenticate the client in one way only.")
    named, secret = _basic(headers[0])
    if client_id is not None and client_id != named:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The header and client_id name two clients.")
    return Presented(named, secret, AuthMethod.BASIC)


def _basic(header: str) -> tuple[str, str]:
    """Read an HTTP Basic header; both halves are form-encoded (RFC 6749 2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _failed("Use HTTP Basic in the Authorization header.")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (ValueError, binascii.Error) as error:
        raise _failed("The Authorization header cannot be read.") from error
    name, colon, secret = text.partition(":")
    if not colon or not name:
        raise _failed("The Authorization header holds no client_id and secret.")
    return unquote_plus(name), unquote_plus(secret)


def _proven(client: Client, presented: Presented) -> bool:
    registration = client.registration
    if registration.auth_method is AuthMethod.NONE:
        # A secret for a public client means that two clients were mixed up.
        return presented.method is AuthMethod.NONE
    if presented.secret is None:
        return False
    if registration.method_chosen and presented.method is not registration.auth_method:
        return False
    return client.holds(presented.secret)


def _failed(message: str) -> OAuthError:
    return OAuthError(ErrorCode.INVALID_CLIENT, message)
