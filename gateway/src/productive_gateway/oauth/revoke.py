"""POST /revoke: a client gives a grant back (RFC 7009)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.errors import GatewayError
from productive_gateway.oauth.clients.authentication import authenticate_client, uses_basic
from productive_gateway.oauth.context import OAuth
from productive_gateway.oauth.errors import Code, Refusal, json_error
from productive_gateway.web.form import form_of


@dataclass(frozen=True, slots=True)
class Revoker:
    """The revocation endpoint."""

    deps: OAuth

    async def post(self, request: Request) -> Response:
        """End the grant of the token, if it is this client's; an unknown token is fine too."""
        try:
            form = await form_of(request)
            if form.repeated():
                raise Refusal(Code.INVALID_REQUEST, "Every parameter must stand once.")
            client = await authenticate_client(
                request, form, self.deps.keys, self.deps.config.issuer
            )
            token = form.one("token")
            if token is None:
                raise Refusal(Code.INVALID_REQUEST, "The token is missing.")
            # The hint is not needed: a token says itself what it is.
            await self.deps.grants.revoke(token, client_id=client.client_id)
        except GatewayError as error:
            return json_error(error, challenge=uses_basic(request))
        return Response(status_code=200)
