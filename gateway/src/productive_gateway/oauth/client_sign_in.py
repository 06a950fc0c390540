"""A sign-in for a client: it ends in a grant and a code, an error for the client, or a page.

Errors are reported to the client, unless only the person can act on them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from productive_contract.mapping import Person
from productive_gateway.errors import GatewayError, TooManyRequests, Unavailable
from productive_gateway.grants.errors import AlreadyCompleted, StoreFull, SubjectMismatch
from productive_gateway.grants.grant import SignIn
from productive_gateway.grants.provider import keepable
from productive_gateway.oauth.answers import (
    CONNECT_AGAIN,
    TOO_MANY,
    error_redirect,
    redirect_to,
    wait_page,
)
from productive_gateway.oauth.authorization_request import AuthorizationRequest
from productive_gateway.oauth.clients.client import client_label
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.errors import ErrorCode
from productive_gateway.oauth.no_access import NoAccess, no_access_page
from productive_gateway.observability.audit import Event, audit
from productive_gateway.upstream.code_flow import SPENT_CODE
from productive_gateway.upstream.errors import IdentityRefused
from productive_gateway.upstream.identity import VerifiedIdentity
from productive_gateway.web.pages import Link, problem

_PAUSES: Final = (0.0, 0.2, 0.4, 0.8)
"""Seconds before each look for a grant that another request may be making."""


@dataclass(frozen=True, slots=True)
class ClientSignIn:
    """The approved request of a client, whose person comes back from the provider."""

    context: OAuthContext
    transaction: bytes = field(repr=False)
    """Its id."""
    asked: AuthorizationRequest

    @property
    def client(self) -> str:
        """The client as audit lines name it."""
        return client_label(self.asked.client_id)

    async def complete(self, identity: VerifiedIdentity, person: Person) -> Response:
        """Make the grant and bring its code to the client.

        Raises:
            GatewayError: there is no grant.
        """
        code = await self.context.grants.begin(self._grant(identity, person))
        token = identity.refresh_token
        kept = "none" if token is None else "kept" if keepable(token) else "too_large"
        audit(
            Event.SIGNED_IN,
            email=identity.email,
            user=person.user,
            client=self.client,
            provider_token=kept,
        )
        return redirect_to(self.asked.answer(self.context.config.issuer, code=code))

    async def cause(self, failure: GatewayError) -> GatewayError:
        """Return the true reason of a code that the provider calls spent: it was spent here.

        The same address is opened twice by a reload, or when the answer was lost on its way; the
        client has a code then, and must not be told that its sign-in failed. The other request may
        still be under way.
        """
        if failure.reason != SPENT_CODE:
            return failure
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            try:
                if await self.context.grants.completed(self.transaction):
                    return AlreadyCompleted()
            except Unavailable:
                break
        return failure

    def refuse(self, request: Request, error: GatewayError, email: str | None) -> Response:
        """Answer a sign-in that ended in `error`: by a page where only the person can act.

        Args:
            request: the callback.
            error: why there is no grant.
            email: the address that the person signed in with, if it is known.
        """
        config, asked = self.context.config, self.asked
        if isinstance(error, NoAccess | IdentityRefused | SubjectMismatch):
            # The client learns that there is no access, not why: that is between person and
            # company. It is told once the person has seen which account was used.
            link = self._back(ErrorCode.ACCESS_DENIED, "This account has no access.")
            return no_access_page(
                request, config, error, email=email, again="connect the app again", link=link
            )
        if isinstance(error, AlreadyCompleted):
            return problem(
                request,
                400,
                "This sign-in was already completed",
                str(error),
                error=ErrorCode.INVALID_REQUEST.value,
            )
        if isinstance(error, StoreFull):
            link = self._back(ErrorCode.TEMPORARILY_UNAVAILABLE, str(error))
            return wait_page(request, error, "No room for new sign-ins", str(error), link=link)
        if isinstance(error, TooManyRequests):
            link = self._back(ErrorCode.TEMPORARILY_UNAVAILABLE, str(error))
            return wait_page(request, error, TOO_MANY, str(error), CONNECT_AGAIN, link=link)
        return error_redirect(asked.redirect_uri, asked.state, config.issuer, error)

    def _grant(self, identity: VerifiedIdentity, person: Person) -> SignIn:
        asked = self.asked
        return SignIn(
            transaction=self.transaction,
            person=person,
            subject_issuer=identity.issuer,
            subject=identity.subject,
            client_id=asked.client_id,
            client_name=asked.client_name,
            client_host=asked.redirect.shown_host,
            redirect_uri=asked.redirect_uri,
            resource=asked.resource,
            scopes=asked.scopes,
            challenge=asked.challenge,
            auth_time=self.context.clock(),
            provider_token=identity.refresh_token if keepable(identity.refresh_token) else None,
        )

    def _back(self, code: ErrorCode, message: str) -> Link:
        config, asked = self.context.config, self.asked
        url = asked.answer(config.issuer, error=code.value, error_description=message)
        return Link(url, f"Return to {asked.client_name}")
