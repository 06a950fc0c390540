"""How a sign-in that was refused ends: a page where only the person can act, else the client."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.errors import GatewayError
from productive_gateway.grants.errors import AlreadyCompleted, StoreFull, SubjectMismatch
from productive_gateway.oauth.authorization_request import AuthorizationRequest
from productive_gateway.oauth.authorize import error_redirect
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.oauth.errors import Code
from productive_gateway.upstream.errors import IdentityRefused
from productive_gateway.web.pages import Link, problem, render, wants_json


class NoAccess(GatewayError):
    """The person is genuine and has no access; whether they are known is not said."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "This account has no access to Productive here. Ask the administrator for it.",
            reason=reason,
        )


def refused(
    config: OAuthConfig,
    request: Request,
    asked: AuthorizationRequest,
    error: GatewayError,
    email: str | None,
) -> Response:
    """Answer a callback whose sign-in ended in `error`.

    Args:
        config: for the words of the pages.
        request: the callback.
        asked: what the client had asked for.
        error: why there is no grant.
        email: the address that the person signed in with, as far as it got.
    """
    if isinstance(error, NoAccess | IdentityRefused | SubjectMismatch):
        return _no_access(config, request, asked, error, email)
    if isinstance(error, AlreadyCompleted):
        return problem(
            request,
            400,
            "This sign-in was already completed",
            str(error),
            error=Code.INVALID_REQUEST.value,
        )
    if isinstance(error, StoreFull):
        return problem(
            request,
            503,
            "No room for new sign-ins",
            str(error),
            error=Code.TEMPORARILY_UNAVAILABLE.value,
            link=_back(config, asked, error, Code.TEMPORARILY_UNAVAILABLE),
            headers={"retry-after": str(error.retry_after)},
        )
    return error_redirect(config, asked.redirect_uri, asked.state, error)


def _no_access(
    config: OAuthConfig,
    request: Request,
    asked: AuthorizationRequest,
    error: GatewayError,
    email: str | None,
) -> Response:
    """Show whom they signed in as, and let the client know when they have seen it."""
    link = _back(config, asked, error, Code.ACCESS_DENIED)
    if not isinstance(error, NoAccess) or wants_json(request):
        seen = [f"You signed in as {email}."] if email else []
        contact = [f"Your administrator is {config.admin_contact}."] if config.admin_contact else []
        return problem(
            request,
            403,
            "This account cannot be used here",
            *seen,
            str(error),
            *contact,
            error=Code.ACCESS_DENIED.value,
            link=link,
        )
    # One page for unknown and for suspended people: it tells nobody who is known.
    return render(
        "no_access",
        403,
        host=config.host,
        email=email,
        admin_contact=config.admin_contact,
        link=link,
    )


def _back(
    config: OAuthConfig, asked: AuthorizationRequest, error: GatewayError, code: Code
) -> Link:
    # The client learns that there is no access, not why: that is between person and company.
    sentence = str(error) if code is not Code.ACCESS_DENIED else "This account has no access."
    url = asked.answer(config.issuer, error=code.value, error_description=sentence)
    return Link(url, f"Return to {asked.client_name}")
