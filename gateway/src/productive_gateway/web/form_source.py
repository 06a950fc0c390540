"""Which page a posted form comes from, as far as the browser says.

Browsers send `Origin` with every posted form, and newer ones `Sec-Fetch-Site`, and no page can
change either (Fetch, "append a request Origin header"; Fetch Metadata Request Headers 2.3).
"""

from __future__ import annotations

from enum import Enum

from starlette.requests import Request


class FormSource(Enum):
    """Where a form was sent from."""

    OWN = "own"
    """A page of this server."""
    OTHER = "other"
    """A page of another site, or a sandboxed one."""
    UNKNOWN = "unknown"
    """The request does not say; no browser in use leaves both headers out."""


def form_source(request: Request, origin: str) -> FormSource:
    """Return where a form comes from.

    Args:
        request: that posts it.
        origin: of our own pages.
    """
    origins = request.headers.getlist("origin")
    sites = request.headers.getlist("sec-fetch-site")
    if any(one != origin for one in origins) or any(one != "same-origin" for one in sites):
        return FormSource.OTHER
    return FormSource.OWN if origins or sites else FormSource.UNKNOWN
