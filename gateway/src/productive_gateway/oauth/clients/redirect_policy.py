"""Where codes may be sent to: which redirect URIs may be used, and why others may not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import urlsplit

from productive_gateway.oauth.clients.redirect_uri import RedirectKind, RedirectUri

Allowed = tuple[str, ...] | Literal["*"]
"""What https redirects may lead to; `*` is anywhere. Each entry is a host, with a port unless that
is 443; then nothing (any path), a path (that one), or a path that ends in a slash (those below)."""

_BELOW = re.compile(r"[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*")
"""What may follow such a path: nothing that a server could decode into another path."""
_LOOPBACK_ADDRESSES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""At all of which the gateway listens in local mode."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Obstacle(StrEnum):
    """Why a redirect URI may not be used."""

    PRIVATE_USE = "private_use"
    """Any program could claim its scheme, and the administrator has not allowed it."""
    OWN_ADDRESS = "own_address"
    """It leads to this server itself."""
    ADDRESS = "address"
    """The administrator has not allowed it."""


@dataclass(frozen=True, slots=True)
class RedirectPolicy:
    """What the administrator allows, besides programs on people's own machines."""

    allowed: Allowed
    public_url: str
    """Of this server."""
    private_use: tuple[str, ...] = ()
    """Private-use redirects that may be used: each a scheme (`cursor`), or one whole URI."""

    def obstacle(self, uri: RedirectUri) -> Obstacle | None:
        """Return why no code may be sent there; None if it may."""
        if uri.kind is RedirectKind.PRIVATE_USE:
            known = uri.scheme in self.private_use or uri.text in self.private_use
            return None if known else Obstacle.PRIVATE_USE
        if self._is_own(uri):
            return Obstacle.OWN_ADDRESS
        if uri.kind is RedirectKind.LOOPBACK or self.allowed == "*":
            return None
        return None if any(_covers(entry, uri) for entry in self.allowed) else Obstacle.ADDRESS

    def _is_own(self, uri: RedirectUri) -> bool:
        own = urlsplit(self.public_url)
        own_port = own.port or _DEFAULT_PORTS.get(own.scheme)
        port = int(uri.port) if uri.port else _DEFAULT_PORTS.get(uri.scheme)
        if (uri.scheme, port) != (own.scheme, own_port):
            return False
        host = own.netloc.removesuffix(f":{own.port}")
        return uri.host == host or {uri.host, host} <= _LOOPBACK_ADDRESSES


def _covers(entry: str, uri: RedirectUri) -> bool:
    address, slash, path = entry.partition("/")
    host, _, port = address.partition(":")
    if (uri.host, int(uri.port or 443)) != (host, int(port or 443)):
        return False
    if not slash:
        return True
    path = f"/{path}"
    if not path.endswith("/"):
        # Without a query too: it could tell the page at this path where to go next.
        return uri.rest == path
    below = uri.rest.removeprefix(path)
    return below != uri.rest and _BELOW.fullmatch(below) is not None
