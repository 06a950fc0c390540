"""GET /authorize: the authorization endpoint, up to the consent page.

The order is the security: first the client, then its redirect URI, and as long as either is in
doubt the person gets a page and nobody is redirected; everything after that is told to the client
(RFC 6749 4.1.2.1). Nothing is fetched, stored or sent to the provider here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.oauth.authorization_request import AuthorizationRequest, answer_url
from productive_gateway.oauth.clients.redirect_uri import RedirectUri, may_be_used
from productive_gateway.oauth.clients.registered import Client, UnknownClient, find_client
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.oauth.consent import consent_page
from productive_gateway.oauth.context import OAuth
from productive_gateway.oauth.errors import Code, Refusal, code_of, described
from productive_gateway.oauth.resource import require_resource
from productive_gateway.oauth.scope import parse_scope
from productive_gateway.oauth.transaction import fits
from productive_gateway.web.form import Form, query_of
from productive_gateway.web.pages import problem

MAX_STATE: Final = 1024
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""RFC 7636 4.2: SHA-256 in base64url."""


@dataclass(frozen=True, slots=True)
class Authorizer:
    """The authorization endpoint's GET."""

    deps: OAuth

    async def get(self, request: Request) -> Response:
        """Show the consent page, or say what is wrong: to the person or to the client."""
        try:
            form = query_of(request)
            client, redirect = await self._destination(form)
        except Refusal as error:
            return refusal_page(request, error)
        except Unavailable as error:
            return unavailable_page(request, error)
        try:
            asked = read_request(form, client, redirect, self.deps.config)
        except GatewayError as error:
            return error_redirect(self.deps.config, redirect.text, _state(form), error)
        try:
            return consent_page(self.deps, request, asked)
        except Unavailable as error:
            return unavailable_page(request, error)

    async def _destination(self, form: Form) -> tuple[Client, RedirectUri]:
        """Return the client and where it may be answered.

        Raises:
            Refusal: there is no client or no redirect URI that can be trusted with an answer.
            Unavailable: nobody can know.
        """
        if form.repeated() & {"client_id", "redirect_uri"}:
            raise Refusal(Code.INVALID_REQUEST, "client_id and redirect_uri must stand once each.")
        client_id, given = form.one("client_id"), form.one("redirect_uri")
        if client_id is None:
            raise UnknownClient
        client = await find_client(self.deps.keys, client_id, self.deps.config.issuer)
        if given is None:
            raise Refusal(Code.INVALID_REQUEST, "The redirect_uri is missing.")
        redirect = client.redirect(given)
        if redirect is None:
            raise Refusal(
                Code.INVALID_REQUEST,
                "The address to return to is not one that this app registered. Remove the server "
                "from your app and connect it again.",
            )
        if not may_be_used(redirect, self.deps.config.redirect_hosts):
            contact = self.deps.config.admin_contact or "your administrator"
            raise Refusal(
                Code.INVALID_REQUEST,
                f"Access would go to {redirect.shown_host or redirect.scheme + ':'}, which is not "
                f"allowed here. Ask {contact} to add the host to REDIRECT_HOSTS if you trust it.",
            )
        return client, redirect


def read_request(
    form: Form, client: Client, redirect: RedirectUri, config: OAuthConfig
) -> AuthorizationRequest:
    """Check what a known client asks for.

    Raises:
        Refusal: a rule is broken; the client is told.
        InvalidTarget: tokens for another resource.
    """
    resource = require_resource(form.all("resource"), config.resource)
    if form.repeated():
        raise Refusal(Code.INVALID_REQUEST, "Every parameter must stand once.")
    _check_kind(form)
    challenge = form.one("code_challenge")
    # A confidential client needs PKCE too: it also guards against codes that others slip in.
    if challenge is None or form.one("code_challenge_method") != "S256":
        raise Refusal(Code.INVALID_REQUEST, "Send code_challenge with code_challenge_method=S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise Refusal(
            Code.INVALID_REQUEST, "code_challenge must be SHA-256 in base64url, 43 characters."
        )
    state = form.one("state")
    if state is not None and len(state) > MAX_STATE:
        raise Refusal(Code.INVALID_REQUEST, f"state must have {MAX_STATE} characters at most.")
    asked = AuthorizationRequest(
        client_id=client.client_id,
        client_name=client.registration.name,
        redirect_uri=redirect.text,
        state=state,
        challenge=challenge,
        scopes=parse_scope(form.one("scope")),
        resource=resource,
    )
    if not fits(asked):
        raise Refusal(Code.INVALID_REQUEST, "The request is too long. Send a shorter state.")
    return asked


def _check_kind(form: Form) -> None:
    if form.one("request") is not None:
        raise Refusal(Code.REQUEST_NOT_SUPPORTED, "Send the parameters themselves.")
    if form.one("request_uri") is not None:
        # Fetching it would let anybody send the gateway anywhere.
        raise Refusal(Code.REQUEST_URI_NOT_SUPPORTED, "Send the parameters themselves.")
    kind = form.one("response_type")
    if kind is None:
        raise Refusal(Code.INVALID_REQUEST, "Send response_type=code.")
    if kind != "code":
        raise Refusal(Code.UNSUPPORTED_RESPONSE_TYPE, "Only response_type=code is supported.")
    if form.one("response_mode") not in {None, "query"}:
        raise Refusal(Code.INVALID_REQUEST, "Only response_mode=query is supported.")
    if "none" in (form.one("prompt") or "").split():
        raise Refusal(Code.LOGIN_REQUIRED, "A person has to allow this and sign in each time.")


def _state(form: Form) -> str | None:
    """Return the state that an error can carry: the one that was sent, once, and not too long."""
    state = form.one("state")
    if "state" in form.repeated() or state is None or len(state) > MAX_STATE:
        return None
    return state


def error_redirect(
    config: OAuthConfig, redirect_uri: str, state: str | None, error: GatewayError
) -> Response:
    """Tell the client what is wrong (RFC 6749 4.1.2.1), in the query and with `iss`."""
    url = answer_url(
        redirect_uri,
        state,
        config.issuer,
        error=code_of(error).value,
        error_description=described(str(error)),
    )
    return redirect_to(url)


def redirect_to(url: str) -> Response:
    """Redirect a GET to an address that is complete and percent-encoded already."""
    # Not RedirectResponse, which would encode once more what the client registered byte by byte.
    return Response(status_code=302, headers={"location": url})


def refusal_page(request: Request, error: Refusal) -> Response:
    """Say to the person what is wrong: nobody can be trusted with an answer."""
    status = error.status if error.status in {403, 408, 413, 414, 415} else 400
    return problem(
        request, status, "This app cannot be connected", str(error), error=error.code.value
    )


def unavailable_page(request: Request, error: Unavailable) -> Response:
    """Say to the person that it is our trouble, and when to try again."""
    return problem(
        request,
        503,
        "Not possible just now",
        str(error),
        "Wait a moment and load this page again.",
        error=Code.TEMPORARILY_UNAVAILABLE.value,
        headers={"retry-after": str(error.retry_after)},
    )
