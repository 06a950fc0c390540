"""GET /callback: the provider's answer becomes a code for the client, or a page.

Until the answer is proven to belong to a request that was approved in this very browser, everything
is a page. From then on the client is told how it ended, unless only the person can do something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from productive_contract.mapping import Person, State
from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.grants.errors import AlreadyCompleted
from productive_gateway.grants.grant import SignIn
from productive_gateway.oauth.authorize import redirect_to, unavailable_page
from productive_gateway.oauth.clients.registered import client_label
from productive_gateway.oauth.context import OAuth
from productive_gateway.oauth.cookies import Kind
from productive_gateway.oauth.endings import NoAccess, refused
from productive_gateway.oauth.errors import Code, Refusal
from productive_gateway.oauth.transaction import Transaction, find_transaction, read_state
from productive_gateway.observability.audit import Event, audit
from productive_gateway.upstream.errors import IdentityRefused
from productive_gateway.upstream.identity import VerifiedIdentity
from productive_gateway.web.form import Form, query_of
from productive_gateway.web.pages import problem

MAX_CODE: Final = 4096
_AGAIN: Final = "Go back to your app and connect it again."
_UPSTREAM_ERRORS: Final = {
    "access_denied": Code.ACCESS_DENIED,
    "login_required": Code.ACCESS_DENIED,
    "interaction_required": Code.ACCESS_DENIED,
    "consent_required": Code.ACCESS_DENIED,
    "account_selection_required": Code.ACCESS_DENIED,
    "temporarily_unavailable": Code.TEMPORARILY_UNAVAILABLE,
}
"""RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6; any other is `server_error`."""
_SENTENCES: Final = {
    Code.ACCESS_DENIED: "The sign-in provider did not sign the person in.",
    Code.TEMPORARILY_UNAVAILABLE: "The sign-in provider cannot answer at the moment.",
    Code.SERVER_ERROR: "The sign-in provider reported an error.",
}


@dataclass(frozen=True, slots=True)
class Callback:
    """The redirect URI that is registered at the provider."""

    deps: OAuth

    async def get(self, request: Request) -> Response:
        """Finish a transaction."""
        try:
            form = query_of(request)
        except Refusal as error:
            return self._page(request, "malformed", 400, str(error))
        transaction_id = read_state(form.one("state"))
        if transaction_id is None or form.repeated():
            return self._page(request, "state", 400, "The sign-in's answer cannot be read.")
        try:
            transaction = await self._transaction(request, transaction_id)
        except Unavailable as error:
            return unavailable_page(request, error)
        if transaction is None:
            return self._unbound(request, transaction_id)
        response = await self._finish(request, form, transaction)
        self._clear(response, transaction.id)
        return response

    async def _transaction(self, request: Request, transaction: bytes) -> Transaction | None:
        for value in self.deps.cookies.values(request, Kind.TRANSACTION, transaction):
            found = await find_transaction(self.deps.keys, transaction, value)
            if found is not None:
                return found
        return None

    def _unbound(self, request: Request, transaction: bytes) -> Response:
        """Answer where this browser has not approved the transaction (any more)."""
        if self.deps.cookies.values(request, Kind.FINISHED, transaction):
            return self._page(request, "already_completed", 400, str(AlreadyCompleted()))
        # Somebody else's link, or a code that was slipped in: this browser never asked for it.
        return self._page(
            request,
            "binding_mismatch",
            403,
            "This sign-in was not begun in this browser, or it took longer than ten minutes.",
        )

    async def _finish(self, request: Request, form: Form, transaction: Transaction) -> Response:
        deps, asked = self.deps, transaction.request
        label = client_label(asked.client_id)
        if transaction.expired(deps.clock()):
            return self._page(request, "expired", 400, "This sign-in took too long.")
        code, upstream_error = form.one("code"), form.one("error")
        if (code is None) == (upstream_error is None) or len(code or "") > MAX_CODE:
            return self._page(request, "answer_form", 400, "The sign-in's answer cannot be read.")
        email: str | None = None
        try:
            await deps.upstream.check_issuer(form.one("iss"))
            if code is None:
                raise _upstream_error(upstream_error)
            identity = await deps.upstream.identify(code, transaction.secrets)
            email = identity.email
            person = self._person(identity)
            own = await deps.grants.begin(self._sign_in(transaction, identity, person))
        except GatewayError as error:
            if isinstance(error, IdentityRefused):
                email = error.email
            audit(Event.SIGN_IN_REFUSED, reason=error.reason, client=label, email=email)
            return refused(deps.config, request, asked, error, email)
        audit(Event.SIGNED_IN, email=email, user=person.user, client=label)
        response = redirect_to(asked.answer(deps.config.issuer, code=own))
        deps.cookies.put(request, response, Kind.FINISHED, transaction.id, "1", now=deps.clock())
        return response

    def _person(self, identity: VerifiedIdentity) -> Person:
        person = self.deps.people.snapshot().by_email.get(identity.email)
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
            auth_time=self.deps.clock(),
        )

    def _page(self, request: Request, reason: str, status: int, sentence: str) -> Response:
        audit(Event.SIGN_IN_REFUSED, reason=reason)
        return problem(
            request,
            status,
            "This sign-in cannot be completed",
            sentence,
            _AGAIN,
            error=Code.INVALID_REQUEST.value,
        )

    def _clear(self, response: Response, transaction: bytes) -> None:
        for kind in (Kind.CONSENT, Kind.TRANSACTION):
            self.deps.cookies.clear(response, kind, transaction)


def _upstream_error(error: str | None) -> Refusal:
    code = _UPSTREAM_ERRORS.get(error or "", Code.SERVER_ERROR)
    return Refusal(code, _SENTENCES[code])
