"""Rendering of pages. Every value is escaped; there is no script, no image and no request.

The one style stands in the page and is named by its hash in the policy, so that a page is complete
under any path prefix and nothing else can be styled in.
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

Browsers hold `form-action` also against the redirects that follow a posted form, and those lead to
the provider and to the client's callback, wherever they redirect on to. So no form is answered by a
redirect: the answer is a page that goes on by itself (`go_on`).
"""
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}

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
    """Where a page leads on to."""

    url: str
    label: str


def render(
    name: str, status: int = 200, *, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """Render the template `name` (without its suffix) as a page with all protective headers."""
    html = _ENVIRONMENT.get_template(f"{name}.html").render(**values)
    return HTMLResponse(html, status, headers={**_HEADERS, **(headers or {})})


def wants_json(request: Request) -> bool:
    """Whether a program asks, not a person."""
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def problem(
    request: Request,
    status: int,
    title: str,
    *sentences: str,
    error: str,
    link: Link | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Say what went wrong and what to do: a page, or JSON for who asks for it.

    Args:
        request: whose `Accept` decides.
        status: of the answer.
        title: a few words.
        sentences: what happened, and what to do next.
        error: OAuth error code, for JSON.
        link: where to go on.
        headers: further headers.
    """
    if wants_json(request):
        body = {"error": error, "error_description": " ".join((f"{title}.", *sentences))}
        return JSONResponse(body, status, headers=headers)
    return render("problem", status, headers=headers, title=title, sentences=sentences, link=link)


def go_on(url: str, *, where: str) -> HTMLResponse:
    """Answer a posted form with a page that goes on to `url` by itself, or by a click.

    Args:
        url: absolute; percent-encoded, so that it fits into a header.
        where: host or name, for the person to read.
    """
    return render("continue", headers={"refresh": f"0; url={url}"}, url=url, where=where)


def connect_page(
    resource: str,
    *,
    admin_contact: str | None = None,
    people: Sequence[str] = (),
    parts: Sequence[tuple[str, str]] = (),
) -> HTMLResponse:
    """Say what this server is and how to connect a client to it.

    Args:
        resource: URL of the MCP endpoint.
        admin_contact: whom to ask for access.
        people: addresses that may sign in; shown in the local mode only.
        parts: what this server stands on, by name and address; shown in the local mode only.
    """
    return render(
        "connect",
        host=urlsplit(resource).netloc,
        resource=resource,
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
