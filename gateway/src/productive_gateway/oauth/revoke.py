"""POST /revoke: a client gives a grant back (RFC 7009)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.errors import GatewayError
from productive_gateway.oauth.answers import json_error
from productive_gateway.oauth.clients.authentication import authenticate_client, uses_basic
from productive_gateway.oauth.clients.client import Client
from productive_gateway.oauth.config import MAX_FORM
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.errors import ErrorCode, OAuthError
from productive_gateway.oauth.limits import count_revocation, counted_refusal
from productive_gateway.web.form import form_of


@dataclass(frozen=True, slots=True)
class RevokeHandler:
    """The revocation endpoint."""

    context: OAuthContext

    async def post(self, request: Request) -> Response:
        """End the grant of the token if it is this client's; an unknown token is no error."""
        client: Client | None = None
        try:
            form = await form_of(request, limit=MAX_FORM)
            if form.repeated():
                raise OAuthError(ErrorCode.INVALID_REQUEST, "Send each parameter only once.")
            client = await authenticate_client(request, form, self.context.clients)
            count_revocation(self.context, client)
            token = form.one("token")
            if token is None:
                raise OAuthError(ErrorCode.INVALID_REQUEST, "The token is missing.")
            # The hint is not needed: the prefix of a token says what it is.
            await self.context.grants.revoke(token, client_id=client.client_id)
        except GatewayError as refusal:
            error = counted_refusal(self.context, client, refusal)
            return json_error(error, challenge=uses_basic(request))
        return Response(status_code=200)
