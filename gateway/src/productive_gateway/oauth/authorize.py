"""GET and POST /authorize: the consent page, and the person's decision on it.

The order is the security: first the client, then its redirect URI, and while either is in doubt the
person gets a page and nobody is redirected; every later error is reported to the client (RFC 6749
4.1.2.1). Nothing is fetched, stored or sent to the provider before the person has approved.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.errors import GatewayError, TooManyRequests, Unavailable
from productive_gateway.oauth.answers import CONNECT_AGAIN, error_page, error_redirect
from productive_gateway.oauth.authorization_request import (
    AuthorizationRequest,
    read_request,
    returnable_state,
)
from productive_gateway.oauth.clients.client import Client, UnknownClient, client_label
from productive_gateway.oauth.clients.deny_list import ClientDenied
from productive_gateway.oauth.clients.redirect_policy import Obstacle
from productive_gateway.oauth.clients.redirect_uri import RedirectUri
from productive_gateway.oauth.config import MAX_FORM, MAX_QUERY, OAuthConfig
from productive_gateway.oauth.consent import Consent, consent_page, find_consent
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.cookies import CookieKind
from productive_gateway.oauth.errors import ErrorCode, OAuthError, code_of, described
from productive_gateway.oauth.transaction import fits, open_transaction, write_state
from productive_gateway.observability.audit import Event, audit
from productive_gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.form import Form, form_of, query_of
from productive_gateway.web.form_source import FormSource, form_source
from productive_gateway.web.pages import Link, move_on, problem


@dataclass(frozen=True, slots=True)
class AuthorizeHandler:
    """The authorization endpoint."""

    context: OAuthContext

    async def get(self, request: Request) -> Response:
        """Show the consent page, or report an error to the person or to the client."""
        config = self.context.config
        try:
            form = query_of(request, limit=MAX_QUERY)
            client, redirect = await self._destination(form)
        except ClientDenied as error:
            return self._denied_client(request, error)
        except (BadRequest, OAuthError, TooManyRequests, Unavailable) as error:
            return error_page(request, error)
        try:
            asked = read_request(form, client, redirect, config.resource)
            _check_size(asked)
        except GatewayError as error:
            return error_redirect(redirect.text, returnable_state(form), config.issuer, error)
        try:
            return consent_page(self.context, request, asked, client)
        except Unavailable as error:
            return error_page(request, error)

    async def post(self, request: Request) -> Response:
        """Continue to the provider, or back to the client; anything unexpected is a page."""
        try:
            form = await form_of(request, limit=MAX_FORM)
            consent = await self._consent(request, form)
        except (BadRequest, OAuthError) as error:
            audit(Event.SIGN_IN_REFUSED, reason="consent_refused")
            return error_page(request, error)
        except Unavailable as error:
            return error_page(request, error)
        if form.one("decision") != "approve":
            return self._denied(consent)
        return await self._approved(request, consent)

    async def _destination(self, form: Form) -> tuple[Client, RedirectUri]:
        """Return the client and where it may be answered.

        Raises:
            OAuthError: there is no client or no redirect URI that can be trusted with an answer.
            TooManyRequests: a limit keeps the client from being looked up.
            Unavailable: this cannot be decided now.
        """
        if form.repeated() & {"client_id", "redirect_uri"}:
            raise OAuthError(
                ErrorCode.INVALID_REQUEST, "client_id and redirect_uri must be sent only once."
            )
        client_id, given = form.one("client_id"), form.one("redirect_uri")
        if client_id is None:
            raise UnknownClient
        client = await self.context.clients.find(client_id)
        if given is None:
            raise OAuthError(ErrorCode.INVALID_REQUEST, "The redirect_uri is missing.")
        redirect = client.redirect(given)
        if redirect is None:
            raise OAuthError(
                ErrorCode.INVALID_REQUEST,
                "The address to return to is not one that this app registered. Remove the server "
                "from your app and connect it again.",
            )
        obstacle = client.obstacle(redirect, self.context.config.redirects)
        if obstacle is not None:
            explained = _explained(obstacle, redirect, self.context.config)
            raise OAuthError(ErrorCode.INVALID_REQUEST, explained)
        return client, redirect

    def _denied_client(self, request: Request, error: ClientDenied) -> Response:
        audit(Event.SIGN_IN_REFUSED, reason=error.reason, client=error.client)
        contact = self.context.config.admin_contact
        return problem(
            request,
            403,
            "This app cannot be connected",
            str(error),
            *([f"Your administrator is {contact}."] if contact else []),
            error=ErrorCode.ACCESS_DENIED.value,
        )

    async def _consent(self, request: Request, form: Form) -> Consent:
        """Return the page that was decided on, if it was shown in this browser.

        Raises:
            OAuthError: the form comes from elsewhere, or is too old.
            Unavailable: this cannot be decided now.
        """
        context = self.context
        _check_source(request, context.config)
        handle = form.one("handle")
        if handle is None or form.repeated() or form.one("decision") not in {"approve", "deny"}:
            # Also an authorization request by POST, which OpenID Connect would allow: it must not
            # skip the page.
            raise OAuthError(
                ErrorCode.INVALID_REQUEST,
                f"This form does not come from this server. {CONNECT_AGAIN}",
                status=403,
            )
        consent = await find_consent(context.keys, handle)
        if consent is None:
            raise OAuthError(
                ErrorCode.INVALID_REQUEST, f"The form was changed on its way. {CONNECT_AGAIN}"
            )
        cookies = context.cookies.values(request, CookieKind.CONSENT, consent.transaction)
        if not consent.bound_to(cookies):
            raise OAuthError(
                ErrorCode.INVALID_REQUEST,
                "This page was opened in another browser, was used already, or newer ones were "
                f"opened since. {CONNECT_AGAIN}",
                status=403,
            )
        if consent.expired(context.clock()):
            raise OAuthError(
                ErrorCode.INVALID_REQUEST, f"This page was open for too long. {CONNECT_AGAIN}"
            )
        return consent

    def _denied(self, consent: Consent) -> Response:
        audit(Event.CONSENT_DENIED, client=client_label(consent.request.client_id))
        return self._back(
            consent,
            ErrorCode.ACCESS_DENIED,
            "The person did not allow access. Nothing was changed.",
        )

    async def _approved(self, request: Request, consent: Consent) -> Response:
        context, asked, now = self.context, consent.request, self.context.clock()
        label = client_label(asked.client_id)
        try:
            sealed, secrets = open_transaction(
                context.keys.ring(), consent.transaction, asked, now, context.entropy
            )
            url = await context.upstream.authorization_url(
                state=write_state(consent.transaction), secrets=secrets, lasting=True
            )
        except UpstreamUnavailable as error:
            audit(Event.SIGN_IN_REFUSED, reason=error.reason, client=label)
            return self._back(consent, code_of(error), str(error))
        except UpstreamRefused as error:
            audit(Event.SIGN_IN_REFUSED, reason=error.reason, client=label)
            return self._provider_page(request, consent, error)
        except Unavailable as error:
            return error_page(request, error)
        audit(
            Event.CONSENT_GIVEN,
            client=label,
            client_name=asked.client_name,
            client_host=asked.redirect.shown_host,
        )
        response = move_on(url, where="your sign-in")
        # The consent cookie stays until the end, so that a second click leads the same way.
        context.cookies.put(
            request, response, CookieKind.TRANSACTION, consent.transaction, sealed, now=now
        )
        return response

    def _provider_page(
        self, request: Request, consent: Consent, error: UpstreamRefused
    ) -> Response:
        """Show what is wrong with the provider: no retry of the client can fix it."""
        response = problem(
            request,
            502,
            "The sign-in provider cannot be used",
            str(error),
            "Tell your administrator.",
            error=code_of(error).value,
            link=Link(self._answer(consent, code_of(error), str(error)), "Return to your app"),
        )
        return self._cleared(response, consent)

    def _back(self, consent: Consent, code: ErrorCode, message: str) -> Response:
        url = self._answer(consent, code, message)
        return self._cleared(move_on(url, where=consent.request.client_name), consent)

    def _answer(self, consent: Consent, code: ErrorCode, message: str) -> str:
        return consent.request.answer(
            self.context.config.issuer, error=code.value, error_description=described(message)
        )

    def _cleared(self, response: Response, consent: Consent) -> Response:
        for kind in (CookieKind.CONSENT, CookieKind.TRANSACTION):
            self.context.cookies.clear(response, kind, consent.transaction)
        return response


def _explained(obstacle: Obstacle, redirect: RedirectUri, config: OAuthConfig) -> str:
    contact = config.admin_contact or "your administrator"
    match obstacle:
        case Obstacle.PRIVATE_USE:
            return (
                f"This app wants its answer at {redirect.scheme}:, an address that any program on "
                "your computer could claim. Update the app, or use one that takes its answer by "
                f"https or at http://localhost. Or ask {contact} to allow {redirect.shown} in "
                "REDIRECT_SCHEMES."
            )
        case Obstacle.OWN_ADDRESS:
            remedy = (
                " Start the server on another port, with its settings PORT and PUBLIC_URL or with "
                "`make run PORT=8788`, and connect the app to that one."
            )
            own = f"This app wants its answer at {redirect.shown}, which is this server itself."
            return own + (remedy if config.local else "")
        case Obstacle.ADDRESS:
            return (
                f"Access would go to {redirect.shown}, which is not allowed here. Ask {contact} to "
                "add this address to REDIRECT_HOSTS if you trust it."
            )


def _check_size(asked: AuthorizationRequest) -> None:
    if not fits(asked):
        raise OAuthError(
            ErrorCode.INVALID_REQUEST, "The request is too long. Send a shorter state."
        )


def _check_source(request: Request, config: OAuthConfig) -> None:
    """Refuse a form that another site posted.

    The handle and its cookie already suffice against that; this check still holds where a browser
    would send the cookie along by mistake.
    """
    if form_source(request, config.origin) is FormSource.OTHER:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            f"This form was sent from another site. {CONNECT_AGAIN}",
            status=403,
        )
