"""POST /authorize: the person's decision on the consent page."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.errors import Unavailable
from productive_gateway.oauth.authorize import refusal_page, unavailable_page
from productive_gateway.oauth.clients.registered import client_label
from productive_gateway.oauth.consent import Consent, find_consent
from productive_gateway.oauth.context import OAuth
from productive_gateway.oauth.cookies import Kind
from productive_gateway.oauth.errors import Code, Refusal, code_of, described
from productive_gateway.oauth.transaction import open_transaction, write_state
from productive_gateway.observability.audit import Event, audit
from productive_gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable
from productive_gateway.web.form import Form, form_of
from productive_gateway.web.pages import Link, go_on, problem

_AGAIN = "Go back to your app and connect it again."


@dataclass(frozen=True, slots=True)
class Decider:
    """The authorization endpoint's POST."""

    deps: OAuth

    async def post(self, request: Request) -> Response:
        """Go on to the provider, or back to the client; anything odd is a page."""
        try:
            form = await form_of(request)
            consent = await self._consent(request, form)
        except Refusal as error:
            audit(Event.SIGN_IN_REFUSED, reason="consent_refused")
            return refusal_page(request, error)
        except Unavailable as error:
            return unavailable_page(request, error)
        if form.one("decision") != "approve":
            return self._denied(consent)
        return await self._approved(request, consent)

    async def _consent(self, request: Request, form: Form) -> Consent:
        """Return the page that was decided on, if it was shown to this browser.

        Raises:
            Refusal: the form comes from elsewhere, or is too old.
            Unavailable: nobody can know.
        """
        self._check_source(request)
        handle = form.one("handle")
        if handle is None or form.repeated() or form.one("decision") not in {"approve", "deny"}:
            # Also an authorization request by POST, which OpenID Connect would allow: it cannot
            # skip the page.
            raise Refusal(Code.INVALID_REQUEST, f"This is not our form. {_AGAIN}", status=403)
        consent = await find_consent(self.deps.keys, handle)
        if consent is None:
            raise Refusal(Code.INVALID_REQUEST, f"The form was changed on its way. {_AGAIN}")
        cookies = self.deps.cookies.values(request, Kind.CONSENT, consent.transaction)
        if not consent.bound_to(cookies):
            raise Refusal(
                Code.INVALID_REQUEST,
                "This page was opened in another browser, was used already, or newer ones were "
                f"opened since. {_AGAIN}",
                status=403,
            )
        if consent.expired(self.deps.clock()):
            raise Refusal(Code.INVALID_REQUEST, f"This page was open for too long. {_AGAIN}")
        return consent

    def _check_source(self, request: Request) -> None:
        """Refuse a form that another site posted.

        The handle and its cookie suffice against that; this also holds where a browser would send
        the cookie along by mistake. Browsers send `Origin` with every posted form.
        """
        origins = request.headers.getlist("origin")
        foreign = any(origin != self.deps.config.origin for origin in origins)
        if foreign or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Refusal(
                Code.INVALID_REQUEST, f"This form was sent from another site. {_AGAIN}", status=403
            )

    def _denied(self, consent: Consent) -> Response:
        asked = consent.request
        audit(Event.CONSENT_DENIED, client=client_label(asked.client_id))
        return self._back(
            consent, Code.ACCESS_DENIED, "The person did not allow access. Nothing was changed."
        )

    async def _approved(self, request: Request, consent: Consent) -> Response:
        deps, asked, now = self.deps, consent.request, self.deps.clock()
        try:
            sealed, secrets = open_transaction(
                deps.keys.ring(), consent.transaction, asked, now, deps.entropy
            )
            url = await deps.upstream.authorization_url(
                state=write_state(consent.transaction), secrets=secrets
            )
        except UpstreamUnavailable as error:
            audit(Event.SIGN_IN_REFUSED, reason=error.reason, client=client_label(asked.client_id))
            return self._back(consent, code_of(error), str(error))
        except UpstreamRefused as error:
            audit(Event.SIGN_IN_REFUSED, reason=error.reason, client=client_label(asked.client_id))
            return self._misconfigured(request, consent, error)
        except Unavailable as error:
            return unavailable_page(request, error)
        audit(
            Event.CONSENT_GIVEN,
            client=client_label(asked.client_id),
            client_name=asked.client_name,
            client_host=asked.redirect.shown_host,
        )
        response = go_on(url, where="your sign-in")
        # The consent cookie stays until the end, so that a second click leads the same way.
        deps.cookies.put(request, response, Kind.TRANSACTION, consent.transaction, sealed, now=now)
        return response

    def _misconfigured(
        self, request: Request, consent: Consent, error: UpstreamRefused
    ) -> Response:
        """Show what is wrong with the provider: no retry of the client mends it."""
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

    def _back(self, consent: Consent, code: Code, sentence: str) -> Response:
        url = self._answer(consent, code, sentence)
        return self._cleared(go_on(url, where=consent.request.client_name), consent)

    def _answer(self, consent: Consent, code: Code, sentence: str) -> str:
        return consent.request.answer(
            self.deps.config.issuer, error=code.value, error_description=described(sentence)
        )

    def _cleared(self, response: Response, consent: Consent) -> Response:
        for kind in (Kind.CONSENT, Kind.TRANSACTION):
            self.deps.cookies.clear(response, kind, consent.transaction)
        return response
