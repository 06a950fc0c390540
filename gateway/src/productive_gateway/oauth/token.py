"""POST /token: codes and refresh tokens become tokens (RFC 6749 4.1.3 and 6, RFC 7636 4.5).

The form of the request is checked here, and everything about the grant in the grants service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from productive_gateway.errors import GatewayError, TooManyRequests
from productive_gateway.grants.errors import InvalidGrant
from productive_gateway.grants.pkce import is_verifier
from productive_gateway.grants.service import Tokens
from productive_gateway.oauth.answers import json_error
from productive_gateway.oauth.clients.authentication import authenticate_client, uses_basic
from productive_gateway.oauth.clients.client import Client
from productive_gateway.oauth.clients.client_metadata import GRANT_TYPES
from productive_gateway.oauth.clients.deny_list import ClientDenied
from productive_gateway.oauth.config import MAX_FORM
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.errors import ErrorCode, InvalidTarget, OAuthError
from productive_gateway.oauth.limits import counted_refusal
from productive_gateway.oauth.resource import require_resource
from productive_gateway.oauth.scope import parse_scope, write_scope
from productive_gateway.observability.audit import Event, audit
from productive_gateway.web.form import Form, form_of

MAX_TOKEN: Final = 1024
"""Characters; codes and refresh tokens of ours have about 150."""


@dataclass(frozen=True, slots=True)
class TokenHandler:
    """The token endpoint."""

    context: OAuthContext

    async def post(self, request: Request) -> Response:
        """Answer with tokens, or with the error that tells the client what to do."""
        client: Client | None = None
        label: str | None = None
        try:
            form = await form_of(request, limit=MAX_FORM)
            grant_type = _grant_type(form)
            client = await authenticate_client(request, form, self.context.clients)
            label = client.label
            tokens = await self._tokens(grant_type, form, client)
        except GatewayError as refusal:
            error = counted_refusal(self.context, client, refusal)
            if isinstance(error, ClientDenied):
                label = error.client
            if not isinstance(error, TooManyRequests):
                audit(Event.TOKEN_REFUSED, reason=error.reason, client=label)
            return json_error(error, challenge=uses_basic(request))
        return _answer(tokens)

    async def _tokens(self, grant_type: str, form: Form, client: Client) -> Tokens:
        require_resource(form.all("resource"), self.context.config.resource)
        if not client.usable(self.context.config.redirects):
            # The administrator removed its host; what the client holds must not live on.
            raise InvalidGrant("redirect_host")
        if grant_type == "authorization_code":
            return await self._redeem(form, client)
        token = _required(form, "refresh_token")
        return await self.context.grants.refresh(
            token, client_id=client.client_id, scopes=parse_scope(form.one("scope"))
        )

    async def _redeem(self, form: Form, client: Client) -> Tokens:
        code = _required(form, "code")
        verifier = form.one("code_verifier")
        if verifier is None or not is_verifier(verifier):
            raise OAuthError(
                ErrorCode.INVALID_REQUEST,
                "Send the code_verifier, 43 to 128 unreserved characters.",
            )
        return await self.context.grants.redeem(
            code,
            client_id=client.client_id,
            # It may be omitted: PKCE already binds the code to its request (OAuth 2.1 4.1.3).
            redirect_uri=form.one("redirect_uri"),
            # What a client describes in a document may have changed since the consent.
            registered=lambda uri: client.redirect(uri) is not None,
            verifier=verifier,
        )


def _grant_type(form: Form) -> str:
    """Return the grant type of a request that sends each parameter only once.

    Raises:
        OAuthError: a parameter is repeated, or there is no such grant type.
        InvalidTarget: several resources.
    """
    if form.repeated() == {"resource"}:
        raise InvalidTarget
    if form.repeated():
        raise OAuthError(ErrorCode.INVALID_REQUEST, "Send each parameter only once.")
    grant_type = form.one("grant_type")
    if grant_type is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The grant_type is missing.")
    if grant_type not in GRANT_TYPES:
        raise OAuthError(
            ErrorCode.UNSUPPORTED_GRANT_TYPE, "Use authorization_code or refresh_token."
        )
    return grant_type


def _required(form: Form, name: str) -> str:
    value = form.one(name)
    if value is None:
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"The {name} is missing.")
    if len(value) > MAX_TOKEN:
        raise InvalidGrant("malformed")
    return value


def _answer(tokens: Tokens) -> JSONResponse:
    body = {
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
        "refresh_token": tokens.refresh_token,
        "scope": write_scope(tokens.scopes),
    }
    return JSONResponse(body, headers={"pragma": "no-cache"})
