"""For how long an HTTP response may be reused (RFC 9111 4.2, 5.2.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_DIRECTIVE = re.compile(
    r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:=(?:\"(?P<quoted>[^\"]*)\"|(?P<token>[^\",\s]*)))?"
)
_NO_REUSE: Final = frozenset({"no-store", "no-cache", "private"})
_SECONDS = re.compile(r"[0-9]{1,18}")


def freshness(cache_control: Sequence[str], age: str | None) -> float | None:
    """Return for how many seconds a response is fresh; None if it does not say.

    Whatever cannot be read, is repeated, or forbids reuse, counts as 0 (RFC 9111 4.2.1).

    Args:
        cache_control: the values of all its Cache-Control headers.
        age: the value of its Age header: how long a cache on the way has already held it.
    """
    directives = _directives(",".join(cache_control).strip(" \t,"))
    if directives is None or not directives.keys().isdisjoint(_NO_REUSE):
        return 0.0
    if "max-age" not in directives:
        return None
    if not _SECONDS.fullmatch(directives["max-age"]):
        return 0.0
    held = int(age) if age is not None and _SECONDS.fullmatch(age) else 0
    return float(max(int(directives["max-age"]) - held, 0))


def _directives(text: str) -> dict[str, str] | None:
    """Return each directive with its argument; None if one is malformed or repeated."""
    found: dict[str, str] = {}
    for part in _parts(text):
        match = _DIRECTIVE.fullmatch(part)
        if match is None or match["name"].lower() in found:
            return None
        found[match["name"].lower()] = match["quoted"] or match["token"] or ""
    return found


def _parts(text: str) -> list[str]:
    """Split at the commas outside quotes."""
    parts = re.findall(r"(?:\"[^\"]*\"|[^,\"]|\")+", text)
    return [part.strip(" \t") for part in parts if part.strip(" \t")]
