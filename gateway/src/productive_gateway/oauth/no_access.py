"""Who may use this server, and the page for a genuine person who may not."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from productive_contract.mapping import Person, State
from productive_gateway.errors import GatewayError
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.oauth.errors import ErrorCode
from productive_gateway.web.pages import Link, problem, render, wants_json


class NoAccess(GatewayError):
    """The person is genuine and has no access; the message does not say whether they are known."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "This account has no access to Productive here. Ask the administrator for it.",
            reason=reason,
        )


def admitted(person: Person | None) -> Person:
    """Return the person, if they may use this server.

    Args:
        person: as a complete mapping holds them; None if it does not.

    Raises:
        NoAccess: they may not.
    """
    if person is None:
        raise NoAccess("not_mapped")
    if person.state is State.SUSPENDED:
        raise NoAccess("suspended")
    return person


def no_access_page(
    request: Request,
    config: OAuthConfig,
    error: GatewayError,
    *,
    email: str | None,
    again: str,
    link: Link,
) -> Response:
    """Show the person which account was used, and whom to ask.

    Args:
        request: that is answered.
        config: whom people are told to ask.
        error: why the account cannot be used.
        email: the address that the person signed in with, if it is known.
        again: what to do once that has changed, such as "connect the app again".
        link: the way on.
    """
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
        again=again,
        link=link,
    )
