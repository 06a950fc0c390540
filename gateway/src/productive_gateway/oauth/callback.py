"""GET /callback: the provider's answer, proven to belong to this browser, and who signed in.

Until the answer is proven to belong to a transaction that was approved in this very browser, every
error is a page. What follows depends on what the transaction was approved for, which its sealed
cookie alone decides: a client's request (`client_sign_in`) or a page of the person's own
(`person_sign_in`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.grants.errors import AlreadyCompleted
from productive_gateway.oauth.answers import START_AGAIN, error_page
from productive_gateway.oauth.client_sign_in import ClientSignIn
from productive_gateway.oauth.config import MAX_QUERY
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.cookies import CookieKind
from productive_gateway.oauth.errors import ErrorCode, OAuthError
from productive_gateway.oauth.no_access import admitted
from productive_gateway.oauth.person_sign_in import PersonSignIn
from productive_gateway.oauth.transaction import (
    PURPOSES,
    Transaction,
    find_transaction,
    read_state,
)
from productive_gateway.observability.audit import Event, audit
from productive_gateway.upstream.errors import IdentityRefused
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.form import Form, query_of
from productive_gateway.web.pages import problem

MAX_CODE: Final = 4096
"""Characters."""
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
        for kind in (CookieKind.CONSENT, *PURPOSES):
            self.context.cookies.clear(response, kind, transaction.id)
        return response

    async def _transaction(self, request: Request, transaction: bytes) -> Transaction | None:
        context = self.context
        for kind in PURPOSES:
            for value in context.cookies.values(request, kind, transaction):
                found = await find_transaction(context.keys, kind, transaction, value)
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
        context = self.context
        if transaction.expired(context.clock()):
            return _incomplete_page(request, "expired", 400, "This sign-in took too long.")
        code, upstream_error = form.one("code"), form.one("error")
        if (code is None) == (upstream_error is None) or len(code or "") > MAX_CODE:
            return _incomplete_page(
                request, "answer_form", 400, "The answer of the sign-in provider cannot be read."
            )
        sign_in = self._sign_in(transaction)
        email: str | None = None
        try:
            await context.upstream.check_issuer(form.one("iss"))
            if code is None:
                raise _upstream_error(upstream_error)
            identity = await context.upstream.identify(code, transaction.secrets)
            email = identity.email
            person = admitted(context.people.snapshot().person_of(email))
            context.limits.sign_ins.take(person.uid, user=person.user)
            response = await sign_in.complete(identity, person)
        except GatewayError as failure:
            error = await sign_in.cause(failure)
            if isinstance(error, IdentityRefused):
                email = error.email
            audit(Event.SIGN_IN_REFUSED, reason=error.reason, client=sign_in.client, email=email)
            return sign_in.refuse(request, error, email)
        context.cookies.put(
            request, response, CookieKind.FINISHED, transaction.id, "1", now=context.clock()
        )
        return response

    def _sign_in(self, transaction: Transaction) -> ClientSignIn | PersonSignIn:
        if transaction.request is None:
            return PersonSignIn(self.context)
        return ClientSignIn(self.context, transaction.id, transaction.request)


def _incomplete_page(request: Request, reason: str, status: int, message: str) -> Response:
    audit(Event.SIGN_IN_REFUSED, reason=reason)
    return problem(
        request,
        status,
        "This sign-in cannot be completed",
        message,
        START_AGAIN,
        error=ErrorCode.INVALID_REQUEST.value,
    )


def _upstream_error(error: str | None) -> OAuthError:
    code = _UPSTREAM_ERRORS.get(error or "", ErrorCode.SERVER_ERROR)
    return OAuthError(code, _UPSTREAM_MESSAGES[code])
