"""The forms of the page: which are accepted, and the handle that binds them to their person.

A handle opens only together with the cookie of the visit that it was shown in, so it is the CSRF
token, and lives no longer than that cookie.
"""

from __future__ import annotations

from starlette.requests import Request

from productive_gateway.errors import GatewayError
from productive_gateway.oauth.config import MAX_FORM
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.proven_person import Visit, find_visit
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import opened, seal
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.form import Form, form_of
from productive_gateway.web.form_source import FormSource, form_source


class FormRefused(GatewayError):
    """The form is not one of this person's page; nothing was changed."""

    def __init__(self, message: str, *, reason: str, status: int = 403) -> None:
        super().__init__(message, reason=reason)
        self.status = status
        """HTTP status of the answer."""


def write_handle(context: OAuthContext, visit: Visit) -> str:
    """Return the handle for the forms of a page.

    Raises:
        Unavailable: there is no key ring to seal with.
    """
    return seal(context.keys.ring(), Purpose.CONNECTIONS, b"", bound=visit.id)


def require_own_page(context: OAuthContext, request: Request) -> None:
    """Check that a form was sent from a page of this server.

    Raises:
        FormRefused: from elsewhere, or the browser does not say.
    """
    if form_source(request, context.config.origin) is not FormSource.OWN:
        raise FormRefused("This form was sent from another site.", reason="cross_site")


async def read_form(context: OAuthContext, request: Request) -> tuple[Form, Visit]:
    """Return a form, and the person who sent it from their own page.

    Raises:
        FormRefused: it is not one of this person's page.
        NoAccess: the person has no access any more.
        SubjectMismatch: their address belongs to another upstream account now.
        Unavailable: this cannot be decided now.
    """
    require_own_page(context, request)
    try:
        form = await form_of(request, limit=MAX_FORM)
    except BadRequest as error:
        raise FormRefused(str(error), reason="form", status=error.status) from error
    visit = await find_visit(context, request)
    if visit is None:
        raise FormRefused(
            "You were signed in to this page for ten minutes, and they are over.",
            reason="not_signed_in",
        )
    handle = form.one("handle")
    if handle is None or form.repeated() or not await _is_of(context, visit, handle):
        raise FormRefused("This form does not come from your page.", reason="wrong_form")
    return form, visit


async def _is_of(context: OAuthContext, visit: Visit, handle: str) -> bool:
    payload = await opened(context.keys, Purpose.CONNECTIONS, handle, bound=visit.id)
    return payload is not None
