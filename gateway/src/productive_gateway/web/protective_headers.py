"""The headers of every answer of the public port, whichever part made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

PROTECTIVE: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    # A code in the address of a page must not travel to where its links lead (RFC 9700 4.2).
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
# There is deliberately no Cross-Origin-Opener-Policy: a browser client opens the sign-in in a
# window and waits for its callback to call back; the policy would cut that for good.


_RAW: Final = tuple((name.encode(), value.encode()) for name, value in PROTECTIVE.items())


def protected(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers with the protective ones; one that the answer sets itself stays."""
    own = list(headers)
    names = {name for name, _ in own}
    return own + [header for header in _RAW if header[0] not in names]
