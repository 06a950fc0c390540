"""How errors are answered: JSON to a client's own request, a redirect, or a page.

A client is answered by redirect only when it and its redirect URI are known to be good; until then
the person gets a page (RFC 6749 4.1.2.1).
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from productive_gateway.errors import GatewayError, TooManyRequests, Unavailable
from productive_gateway.oauth.errors import ErrorCode, code_of, described, status_of
from productive_gateway.web.pages import Link, problem

CONNECT_AGAIN = "Go back to your app and connect it again."
START_AGAIN = "Go back to your app and connect it again, or open the page again that you came from."
UNAVAILABLE = "Currently unavailable"
TOO_MANY = "Too many requests"
_PAGE_STATUSES = frozenset({403, 408, 413, 414, 415})
"""What a page may say by its status; all else is 400 (a 401 would ask a browser for a password)."""


def json_error(error: GatewayError, *, challenge: bool = False) -> JSONResponse:
    """Answer a client's request with an OAuth error.

    Args:
        error: what went wrong.
        challenge: the client used HTTP Basic, so a 401 names that scheme (RFC 6749 5.2).
    """
    status = status_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable | TooManyRequests):
        headers["retry-after"] = str(error.retry_after)
    if status == 401 and challenge:
        headers["www-authenticate"] = 'Basic realm="productive-mcp"'
    body = {"error": code_of(error).value, "error_description": described(str(error))}
    return JSONResponse(body, status, headers=headers)


def answer_url(redirect_uri: str, state: str | None, issuer: str, **parameters: str) -> str:
    """Add the parameters of an answer to a redirect URI, always in its query.

    `iss` is in each, in errors too (RFC 9207 2), and so is the client's state.
    """
    if state is not None:
        parameters["state"] = state
    parameters["iss"] = issuer
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    if "?" not in redirect_uri:
        return f"{redirect_uri}?{query}"
    return f"{redirect_uri}{'' if redirect_uri.endswith(('?', '&')) else '&'}{query}"


def error_redirect(
    redirect_uri: str, state: str | None, issuer: str, error: GatewayError
) -> Response:
    """Report an error to the client (RFC 6749 4.1.2.1)."""
    return redirect_to(
        answer_url(
            redirect_uri,
            state,
            issuer,
            error=code_of(error).value,
            error_description=described(str(error)),
        )
    )


def redirect_to(url: str) -> Response:
    """Redirect a GET to an address that is complete and percent-encoded already."""
    # Not RedirectResponse, which would encode once more what the client registered byte by byte.
    return Response(status_code=302, headers={"location": url})


def error_page(request: Request, error: GatewayError) -> Response:
    """Report an error to the person, where no client can be trusted with an answer."""
    if isinstance(error, Unavailable):
        again = "Wait a moment and load this page again."
        return wait_page(request, error, UNAVAILABLE, str(error), again)
    if isinstance(error, TooManyRequests):
        again = "This page can then be loaded again."
        return wait_page(request, error, TOO_MANY, str(error), again)
    status = status_of(error)
    return problem(
        request,
        status if status in _PAGE_STATUSES else 400,
        "This app cannot be connected",
        str(error),
        error=code_of(error).value,
    )


def wait_page(
    request: Request,
    error: TooManyRequests | Unavailable,
    title: str,
    *paragraphs: str,
    link: Link | None = None,
) -> Response:
    """Report to the person what may work later; the answer says when (RFC 9110 10.2.3).

    Args:
        request: its `Accept` decides between page and JSON.
        error: what keeps it from working now.
        title: a few words.
        paragraphs: what happened, and what to do then.
        link: the way on.
    """
    return problem(
        request,
        status_of(error),
        title,
        *paragraphs,
        error=ErrorCode.TEMPORARILY_UNAVAILABLE.value,
        link=link,
        headers={"retry-after": str(error.retry_after)},
    )
