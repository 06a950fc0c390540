"""A sign-in for a page of the person's own: from its button to the cookie that opens the page.

It is as safe as a client's: state, a sealed cookie of this browser, PKCE and nonce. The provider
knows one redirect URI, so it comes back to /callback.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from productive_contract.mapping import Person
from productive_gateway.errors import GatewayError, TooManyRequests, Unavailable
from productive_gateway.grants.errors import SubjectMismatch
from productive_gateway.oauth.answers import TOO_MANY, UNAVAILABLE, redirect_to, wait_page
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.cookies import CookieKind
from productive_gateway.oauth.errors import OAuthError, code_of
from productive_gateway.oauth.no_access import NoAccess, no_access_page
from productive_gateway.oauth.proven_person import remember_person
from productive_gateway.oauth.transaction import ID_BYTES, open_transaction, write_state
from productive_gateway.observability.audit import Event, audit
from productive_gateway.upstream.errors import IdentityRefused
from productive_gateway.upstream.identity import VerifiedIdentity
from productive_gateway.web.pages import Link, move_on, problem


async def begin_sign_in(context: OAuthContext, request: Request) -> Response:
    """Send the person to the provider; the browser gets the cookie that they come back with.

    Args:
        context: what the endpoints share.
        request: the form of our own page; its source has been checked.

    Raises:
        GatewayError: the provider or the keys cannot be used.
    """
    transaction, now = context.entropy(ID_BYTES), context.clock()
    sealed, secrets = open_transaction(context.keys.ring(), transaction, None, now, context.entropy)
    url = await context.upstream.authorization_url(state=write_state(transaction), secrets=secrets)
    response = move_on(url, where="your sign-in")
    context.cookies.put(request, response, CookieKind.PERSON_SIGN_IN, transaction, sealed, now=now)
    return response


@dataclass(frozen=True, slots=True)
class PersonSignIn:
    """A person who comes back from the provider for /connections."""

    context: OAuthContext
    client: None = None
    """No client takes part."""

    async def complete(self, identity: VerifiedIdentity, person: Person) -> Response:
        """Remember for ten minutes who they are, and show the page. Nothing is stored.

        Raises:
            SubjectMismatch: the address belongs to another upstream account.
            Unavailable: store or keys cannot be reached.
        """
        account = await self.context.grants.recognise(
            person, issuer=identity.issuer, subject=identity.subject
        )
        response = redirect_to(self.context.config.connections_url)
        remember_person(self.context, response, person, account)
        audit(Event.CONNECTIONS_OPENED, email=identity.email, user=person.user)
        return response

    async def cause(self, failure: GatewayError) -> GatewayError:
        """Return the failure: nothing was stored, so the person just signs in again."""
        return failure

    def refuse(self, request: Request, error: GatewayError, email: str | None) -> Response:
        """Show the person why they are not signed in, and what to do."""
        return refused_page(self.context, request, error, email)


def refused_page(
    context: OAuthContext, request: Request, error: GatewayError, email: str | None
) -> Response:
    """Return the page for somebody who wants a page of their own and does not get it.

    Args:
        context: what the endpoints share.
        request: that is answered.
        error: why not.
        email: the address that they signed in with, if it is known.
    """
    link = Link(context.config.connections_url, "Open your connected apps again")
    if isinstance(error, NoAccess | IdentityRefused | SubjectMismatch):
        again = "open this page again"
        return no_access_page(request, context.config, error, email=email, again=again, link=link)
    if isinstance(error, TooManyRequests):
        then = "Then open the page again."
        return wait_page(request, error, TOO_MANY, str(error), then, link=link)
    if isinstance(error, Unavailable):
        then = "Wait a moment, then open the page again."
        return wait_page(request, error, UNAVAILABLE, str(error), then, link=link)
    if isinstance(error, OAuthError):
        return problem(
            request, 403, "You are not signed in", str(error), error=error.code.value, link=link
        )
    return problem(
        request,
        502,
        "The sign-in did not work",
        "The sign-in provider did not complete the sign-in.",
        "Open the page again. If this happens twice, tell your administrator.",
        error=code_of(error).value,
        link=link,
    )
