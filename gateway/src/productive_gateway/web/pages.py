"""Rendering of pages. Every value is escaped; a page has no script and no image, and loads nothing.

The one style sheet is part of the page and the policy names its hash, so that a page is complete
under any path prefix and no other style can be injected.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

_STYLE: Final = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""Content-Security-Policy of every page.

Browsers also apply `form-action` to the redirects that follow a posted form, and those lead to the
provider and to the client's callback, wherever they redirect on to. So no form is answered by a
redirect: the answer is a page that moves on by itself (`move_on`).
"""
_HEADERS: Final = {"content-security-policy": POLICY, "x-frame-options": "DENY"}
"""What pages have besides the headers of every answer."""

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("productive_gateway", "web/templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals["style"] = Markup(_STYLE)  # noqa: S704 (our own file)


@dataclass(frozen=True, slots=True)
class Link:
    """A button that leads away from a page."""

    url: str
    label: str


def render(
    name: str, status: int = 200, *, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """Render the template `name` (without its suffix) as a page."""
    html = _ENVIRONMENT.get_template(f"{name}.html").render(**values)
    return HTMLResponse(html, status, headers={**_HEADERS, **(headers or {})})


def wants_json(request: Request) -> bool:
    """Whether the request comes from a program, not from a person's browser."""
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def problem(
    request: Request,
    status: int,
    title: str,
    *paragraphs: str,
    error: str,
    link: Link | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a page that says what went wrong and what to do, or JSON if the request asks for it.

    Args:
        request: its `Accept` decides between the two.
        status: HTTP status of the answer.
        title: a few words.
        paragraphs: what happened, and what to do next.
        error: OAuth error code, for JSON.
        link: the way on.
        headers: further headers.
    """
    if wants_json(request):
        return problem_json(status, title, *paragraphs, error=error, headers=headers)
    return render("problem", status, headers=headers, title=title, paragraphs=paragraphs, link=link)


def problem_json(
    status: int, title: str, *paragraphs: str, error: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return in JSON what `problem` says on a page."""
    body = {"error": error, "error_description": " ".join((f"{title}.", *paragraphs))}
    return JSONResponse(body, status, headers=headers)


def move_on(url: str, *, where: str) -> HTMLResponse:
    """Answer a posted form with a page that moves on to `url` by itself, or by a click.

    Args:
        url: absolute and percent-encoded, so that it fits into a header.
        where: what the person reads about it: a host or a name.
    """
    return render("continue", headers={"refresh": f"0; url={url}"}, url=url, where=where)


def connect_page(
    resource: str,
    *,
    connections: str,
    admin_contact: str | None = None,
    people: Sequence[str] = (),
    parts: Sequence[tuple[str, str]] = (),
) -> HTMLResponse:
    """Return the page that says what this server is and how to connect a client to it.

    Args:
        resource: URL of the MCP endpoint.
        connections: URL of the page where people see their connected apps.
        admin_contact: whom to ask for access.
        people: addresses that may sign in; given in local mode only.
        parts: the services that this server uses, by name and address; given in local mode only.
    """
    return render(
        "connect",
        host=urlsplit(resource).netloc,
        resource=resource,
        connections=connections,
        cursor=_cursor_link(resource),
        vscode=_vscode_link(resource),
        admin_contact=admin_contact,
        people=people,
        parts=parts,
    )


def _cursor_link(resource: str) -> Markup:
    config = base64.b64encode(f'{{"url":"{resource}"}}'.encode()).decode()
    # Markup: the scheme is Cursor's own; what varies is percent-encoded.
    return Markup(  # noqa: S704
        "cursor://anysphere.cursor-deeplink/mcp/install?name=productive&amp;config="
        + quote(config, safe="")
    )


def _vscode_link(resource: str) -> str:
    entry = f'{{"name":"productive","type":"http","url":"{resource}"}}'
    return f"vscode:mcp/install?{quote(entry, safe='')}"
