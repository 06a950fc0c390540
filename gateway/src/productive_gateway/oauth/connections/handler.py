"""GET /connections and its forms.

Without the cookie of a person (`proven_person`) there is one page with one button, and nothing is
read, stored or fetched. The button and all others post forms, and only our own pages can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.grants.errors import SubjectMismatch
from productive_gateway.grants.grant import Grant
from productive_gateway.oauth.answers import wait_page
from productive_gateway.oauth.connections.form import (
    FormRefused,
    read_form,
    require_own_page,
    write_handle,
)
from productive_gateway.oauth.connections.row import row_of
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.errors import ErrorCode
from productive_gateway.oauth.no_access import NoAccess
from productive_gateway.oauth.person_sign_in import begin_sign_in, refused_page
from productive_gateway.oauth.proven_person import Visit, find_visit
from productive_gateway.observability.audit import Event, audit
from productive_gateway.web.pages import Link, problem, render

ALL: Final = "all"
"""What the button for every connection sends; no grant has this name."""
_FORM_HEADERS: Final = {"referrer-policy": "same-origin"}
"""Not `no-referrer` as elsewhere: with it, browsers send `Origin: null` with the page's forms."""


@dataclass(frozen=True, slots=True)
class ConnectionsHandler:
    """A person's connected apps."""

    context: OAuthContext

    async def get(self, request: Request) -> Response:
        """Show the person's connections, or the button to sign in."""
        context = self.context
        try:
            visit = await find_visit(context, request)
            if visit is None:
                return self._sign_in_page(request)
            grants = await context.grants.of_person(visit.person)
            return self._list_page(visit, grants)
        except GatewayError as error:
            return self._refused(request, error)

    async def sign_in(self, request: Request) -> Response:
        """Send the person to the provider."""
        try:
            require_own_page(self.context, request)
            return await begin_sign_in(self.context, request)
        except GatewayError as error:
            return self._refused(request, error)

    async def disconnect(self, request: Request) -> Response:
        """End one connection of the person, or all of them."""
        grants = self.context.grants
        try:
            form, visit = await read_form(self.context, request)
            chosen = _chosen(await grants.of_person(visit.person), form.one("grant"))
        except GatewayError as error:
            return self._refused(request, error)
        ended: list[Grant] = []
        try:
            for grant in chosen:
                ended += [grant] * await grants.end(grant.name, visit.person)
        except Unavailable as error:
            return self._interrupted(request, error, len(ended), len(chosen))
        return self._ended_page(ended) if ended else self._refused(request, _unknown())

    async def sign_out(self, request: Request) -> Response:
        """Forget who looked at the page in this browser."""
        try:
            require_own_page(self.context, request)
        except FormRefused as error:
            return self._refused(request, error)
        response = self._sign_in_page(request, signed_out=True)
        self.context.cookies.clear_person(response)
        return response

    def _sign_in_page(self, request: Request, *, signed_out: bool = False) -> Response:
        context = self.context
        response = render(
            "connections_sign_in",
            headers=_FORM_HEADERS,
            host=context.config.host,
            action=f"{context.config.connections_url}/sign-in",
            signed_out=signed_out,
        )
        if context.cookies.persons(request):
            context.cookies.clear_person(response)
        return response

    def _list_page(self, visit: Visit, grants: list[Grant]) -> Response:
        context, now = self.context, self.context.clock()
        return render(
            "connections",
            headers=_FORM_HEADERS,
            host=context.config.host,
            email=visit.person.email,
            rows=[row_of(grant, now) for grant in grants],
            every=ALL,
            handle=write_handle(context, visit),
            url=context.config.connections_url,
        )

    def _ended_page(self, ended: list[Grant]) -> Response:
        context = self.context
        return render(
            "disconnected",
            host=context.config.host,
            rows=[row_of(grant, context.clock()) for grant in ended],
            link=self._link("Show your connected apps"),
        )

    def _interrupted(
        self, request: Request, error: Unavailable, ended: int, chosen: int
    ) -> Response:
        return wait_page(
            request,
            error,
            "Check what is still connected",
            f"{ended} of {chosen} connections had ended when this happened: {error}",
            "Open the page again to see what is still connected, and disconnect it there.",
            link=self._link("Show your connected apps"),
        )

    def _refused(self, request: Request, error: GatewayError) -> Response:
        audit(Event.CONNECTIONS_REFUSED, reason=error.reason)
        if isinstance(error, FormRefused):
            return problem(
                request,
                error.status,
                "Nothing was changed",
                str(error),
                "Open your connected apps again, and repeat it there.",
                error=ErrorCode.INVALID_REQUEST.value,
                link=self._link("Show your connected apps"),
            )
        response = refused_page(self.context, request, error, None)
        if isinstance(error, NoAccess | SubjectMismatch):
            self.context.cookies.clear_person(response)
        return response

    def _link(self, label: str) -> Link:
        return Link(self.context.config.connections_url, label)


def _chosen(grants: list[Grant], name: str | None) -> list[Grant]:
    """Return what to end of the person's own grants.

    Raises:
        FormRefused: it is not one of theirs; whether it is somebody else's is not said.
    """
    chosen = grants if name == ALL else [grant for grant in grants if grant.name == name]
    if not chosen:
        raise _unknown()
    return chosen


def _unknown() -> FormRefused:
    return FormRefused(
        "There is no such connection. It may have ended already.",
        reason="unknown_connection",
        status=404,
    )
