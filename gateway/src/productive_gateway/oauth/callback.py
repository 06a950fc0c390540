"""GET /callback: the provider's answer becomes a code for the client, or a page.

Until the answer is proven to belong to a request that was approved in this very browser, every
error is a page. After that errors are reported to the client, unless only the person can act on
them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from productive_contract.mapping import Person, State
from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.grants.errors import AlreadyCompleted, StoreFull, SubjectMismatch
from productive_gateway.grants.grant import SignIn
from productive_gateway.grants.provider import keepable
from productive_gateway.oauth.answers import (
    CONNECT_AGAIN,
    error_page,
    error_redirect,
    redirect_to,
)
from productive_gateway.oauth.authorization_request import AuthorizationRequest
from productive_gateway.oauth.clients.client import client_label
from productive_gateway.oauth.config import MAX_QUERY
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.cookies import CookieKind
from productive_gateway.oauth.errors import ErrorCode, OAuthError
from productive_gateway.oauth.transaction import Transaction, find_transaction, read_state
from productive_gateway.observability.audit import Event, audit
from productive_gateway.upstream.code_flow import SPENT_CODE
from productive_gateway.upstream.errors import IdentityRefused
from productive_gateway.upstream.identity import VerifiedIdentity
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.form import Form, query_of
from productive_gateway.web.pages import Link, problem, render, wants_json

MAX_CODE: Final = 4096
"""Characters."""
_PAUSES: Final = (0.0, 0.2, 0.4, 0.8)
"""Seconds before each look for a grant that another request may be making."""
_UPSTREAM_ERRORS: Final = {
    "access_denied": ErrorCode.ACCESS_DENIED,
    "login_required": ErrorCode.ACCESS_DENIED,
    "interaction_required": ErrorCode.ACCESS_DENIED,
    "consent_required": ErrorCode.ACCESS_DENIED,
    "account_selection_required": ErrorCode.ACCESS_DENIED,
    "temporarily_unavailable": ErrorCode.TEMPORARILY_UNAVAILABLE,
}
"""RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6; any other is `server_error`."""
_UPSTREAM_MESSAGES: Final = {
    ErrorCode.ACCESS_DENIED: "The sign-in provider did not sign the person in.",
    ErrorCode.TEMPORARILY_UNAVAILABLE: "The sign-in provider is currently unavailable.",
    ErrorCode.SERVER_ERROR: "The sign-in provider reported an error.",
}


class NoAccess(GatewayError):
    """The person is genuine and has no access; the message does not say whether they are known."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "This account has no access to Productive here. Ask the administrator for it.",
            reason=reason,
        )


@dataclass(frozen=True, slots=True)
class CallbackHandler:
    """The redirect URI that is registered at the provider."""

    context: OAuthContext

    async def get(self, request: Request) -> Response:
        """Finish a transaction."""
        try:
            form = query_of(request, limit=MAX_QUERY)
        except BadRequest as error:
            return _incomplete_page(request, "malformed", 400, str(error))
        transaction_id = read_state(form.one("state"))
        if transaction_id is None or form.repeated():
            return _incomplete_page(
                request, "state", 400, "The answer of the sign-in provider cannot be read."
            )
        try:
            transaction = await self._transaction(request, transaction_id)
        except Unavailable as error:
            return error_page(request, error)
        if transaction is None:
            return self._unbound(request, transaction_id)
        response = await self._finish(request, form, transaction)
        for kind in (CookieKind.CONSENT, CookieKind.TRANSACTION):
            self.context.cookies.clear(response, kind, transaction.id)
        return response

    async def _transaction(self, request: Request, transaction: bytes) -> Transaction | None:
        context = self.context
        for value in context.cookies.values(request, CookieKind.TRANSACTION, transaction):
            found = await find_transaction(context.keys, transaction, value)
            if found is not None:
                return found
        return None

    def _unbound(self, request: Request, transaction: bytes) -> Response:
        """Answer where this browser has not approved the transaction, or has finished it."""
        if self.context.cookies.values(request, CookieKind.FINISHED, transaction):
            return _incomplete_page(request, "already_completed", 400, str(AlreadyCompleted()))
        # Somebody else's link, or an injected code: this browser never asked for it.
        return _incomplete_page(
            request,
            "binding_mismatch",
            403,
            "This sign-in was not started in this browser, or it took longer than ten minutes.",
        )

    async def _finish(self, request: Request, form: Form, transaction: Transaction) -> Response:
        context, asked = self.context, transaction.request
        label = client_label(asked.client_id)
        if transaction.expired(context.clock()):
            return _incomplete_page(request, "expired", 400, "This sign-in took too long.")
        code, upstream_error = form.one("code"), form.one("error")
        if (code is None) == (upstream_error is None) or len(code or "") > MAX_CODE:
            return _incomplete_page(
                request, "answer_form", 400, "The answer of the sign-in provider cannot be read."
            )
        email: str | None = None
        try:
            await context.upstream.check_issuer(form.one("iss"))
            if code is None:
                raise _upstream_error(upstream_error)
            identity = await context.upstream.identify(code, transaction.secrets)
            email = identity.email
            person = self._person(identity)
            own = await context.grants.begin(self._sign_in(transaction, identity, person))
        except GatewayError as failure:
            error = await self._repeated(failure, transaction) or failure
            if isinstance(error, IdentityRefused):
                email = error.email
            audit(Event.SIGN_IN_REFUSED, reason=error.reason, client=label, email=email)
            return self._refused(request, asked, error, email)
        token = identity.refresh_token
        kept = "none" if token is None else "kept" if keepable(token) else "too_large"
        audit(Event.SIGNED_IN, email=email, user=person.user, client=label, provider_token=kept)
        response = redirect_to(asked.answer(context.config.issuer, code=own))
        context.cookies.put(
            request, response, CookieKind.FINISHED, transaction.id, "1", now=context.clock()
        )
        return response

    async def _repeated(
        self, failure: GatewayError, transaction: Transaction
    ) -> AlreadyCompleted | None:
        """Return the true reason of a code that the provider calls spent: it was spent here.

        The same address is opened twice by a reload, or when the answer was lost on its way; the
        client has a code then, and must not be told that its sign-in failed. The other request may
        still be under way.
        """
        if failure.reason != SPENT_CODE:
            return None
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            try:
                if await self.context.grants.completed(transaction.id):
                    return AlreadyCompleted()
            except Unavailable:
                break
        return None

    def _person(self, identity: VerifiedIdentity) -> Person:
        person = self.context.people.snapshot().person_of(identity.email)
        if person is None:
            raise NoAccess("not_mapped")
        if person.state is State.SUSPENDED:
            raise NoAccess("suspended")
        return person

    def _sign_in(
        self, transaction: Transaction, identity: VerifiedIdentity, person: Person
    ) -> SignIn:
        asked = transaction.request
        return SignIn(
            transaction=transaction.id,
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

    def _refused(
        self, request: Request, asked: AuthorizationRequest, error: GatewayError, email: str | None
    ) -> Response:
        """Answer a callback that ended in `error`: by a page where only the person can act.

        Args:
            request: the callback.
            asked: what the client had asked for.
            error: why there is no grant.
            email: the address that the person signed in with, if it is known.
        """
        if isinstance(error, NoAccess | IdentityRefused | SubjectMismatch):
            return self._no_access_page(request, asked, error, email)
        if isinstance(error, AlreadyCompleted):
            return problem(
                request,
                400,
                "This sign-in was already completed",
                str(error),
                error=ErrorCode.INVALID_REQUEST.value,
            )
        if isinstance(error, StoreFull):
            return problem(
                request,
                503,
                "No room for new sign-ins",
                str(error),
                error=ErrorCode.TEMPORARILY_UNAVAILABLE.value,
                link=self._back(asked, ErrorCode.TEMPORARILY_UNAVAILABLE, str(error)),
                headers={"retry-after": str(error.retry_after)},
            )
        return error_redirect(asked.redirect_uri, asked.state, self.context.config.issuer, error)

    def _no_access_page(
        self, request: Request, asked: AuthorizationRequest, error: GatewayError, email: str | None
    ) -> Response:
        """Show the person which account was used; the client is told once they have seen it."""
        config = self.context.config
        # The client learns that there is no access, not why: that is between person and company.
        link = self._back(asked, ErrorCode.ACCESS_DENIED, "This account has no access.")
        if not isinstance(error, NoAccess) or wants_json(request):
            seen = [f"You signed in as {email}."] if email else []
            contact = (
                [f"Your administrator is {config.admin_contact}."] if config.admin_contact else []
            )
            return problem(
                request,
                403,
                "This account cannot be used here",
                *seen,
                str(error),
                *contact,
                error=ErrorCode.ACCESS_DENIED.value,
                link=link,
            )
        # One page for unknown and for suspended people: it reveals to nobody who is known.
        return render(
            "no_access",
            403,
            host=config.host,
            email=email,
            admin_contact=config.admin_contact,
            link=link,
        )

    def _back(self, asked: AuthorizationRequest, code: ErrorCode, message: str) -> Link:
        url = asked.answer(self.context.config.issuer, error=code.value, error_description=message)
        return Link(url, f"Return to {asked.client_name}")


def _incomplete_page(request: Request, reason: str, status: int, message: str) -> Response:
    audit(Event.SIGN_IN_REFUSED, reason=reason)
    return problem(
        request,
        status,
        "This sign-in cannot be completed",
        message,
        CONNECT_AGAIN,
        error=ErrorCode.INVALID_REQUEST.value,
    )


def _upstream_error(error: str | None) -> OAuthError:
    code = _UPSTREAM_ERRORS.get(error or "", ErrorCode.SERVER_ERROR)
    return OAuthError(code, _UPSTREAM_MESSAGES[code])
