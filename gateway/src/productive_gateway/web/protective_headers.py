"""The headers of every answer of the public port, whichever part made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders

PROTECTIVE: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    # A code in the address of a page must not travel to where its links lead (RFC 9700 4.2).
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
# There is deliberately no Cross-Origin-Opener-Policy: a browser client opens the sign-in in a
# window and waits for its callback to call back; the policy would cut that for good.


def protect(headers: MutableHeaders) -> None:
    """Add the protective headers; one that the answer sets itself stays."""
    for name, value in PROTECTIVE.items():
        headers.setdefault(name, value)
