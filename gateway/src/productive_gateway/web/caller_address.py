"""The address of the caller, where proxies that the administrator named say what it is.

Behind an Ingress every connection comes from the Ingress. `X-Forwarded-For` names the callers, and
anybody can send it: only what a trusted proxy appended counts. `Forwarded`, `X-Real-IP` and other
headers are ignored: a second source of the same fact is a way past the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.types import Scope

from productive_gateway.networks import Address, Network, parse_networks
from productive_gateway.web.headers import values

MAX_HOPS: Final = 16
"""Entries of X-Forwarded-For that are looked at, from the right."""
CALLER: Final[ContextVar[str | None]] = ContextVar("caller_address", default=None)
"""Address of the caller of the current request to the authorization server, for limits deep inside;
None if it is unknown."""
SITE_PREFIX: Final = 64
"""Bits of an IPv6 address that name a site: its users choose the others freely (RFC 4291 2.5.4)."""

_ENTRY = re.compile(
    r"(?P<four>[0-9.]{7,15})(?::[0-9]{1,5})?"
    r"|\[(?P<bracketed>[0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?"
    r"|(?P<six>[0-9A-Fa-f:.]{2,45})"
)
"""Some proxies append the port of the caller."""


class CallerAddresses:
    """Finds out where a request comes from."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        """Believe these proxies; with none of them no address is known.

        The gateway speaks plain HTTP, so outside a person's own machine there is always a proxy in
        front, and the peer is never the caller.
        """
        self.trusted: Final = tuple(trusted)
        # The same few proxies connect again and again.
        self._trusts = lru_cache(maxsize=1024)(self._is_trusted)

    def of(self, scope: Scope) -> str | None:
        """Return the address that limits count by, an IPv6 one as its /64; None if unknown."""
        peer = self._peer(scope)
        if not self.trusted or peer is None:
            return None
        return _site(self._caller(scope, peer))

    def came_in_clear(self, scope: Scope) -> bool:
        """Whether a trusted proxy says that the request reached it by plain http."""
        said = values(scope["headers"], b"x-forwarded-proto")
        if not said:
            return False
        if any(value.strip().lower() != b"http" for value in said):
            return False
        peer = self._peer(scope)
        return peer is not None and self._trusts(peer)

    def _caller(self, scope: Scope, peer: Address) -> Address:
        """Return the last address that no trusted proxy has, else the first one that is named."""
        if not self._trusts(peer):
            return peer
        found = peer
        for entry in _hops(scope):
            address = _parsed(entry)
            if address is None:
                return peer
            found = address
            if not self._trusts(address):
                return found
        return found

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self.trusted)

    @staticmethod
    def _peer(scope: Scope) -> Address | None:
        client = scope.get("client")
        return _parsed(client[0]) if client else None


def parse_proxies(words: Sequence[str]) -> tuple[Network, ...]:
    """Read addresses and ranges of trusted proxies.

    Raises:
        ValueError: one is malformed, or covers everybody.
    """
    networks = parse_networks(words)
    if not all(network.prefixlen for network in networks):
        raise ValueError("a range that covers every address")
    return networks


def _hops(scope: Scope) -> Iterator[str]:
    """Yield the entries of X-Forwarded-For, the last one first; too many yield an unreadable one.

    A repeated header is one list (RFC 9110 5.3).
    """
    left = MAX_HOPS
    for value in reversed(values(scope["headers"], b"x-forwarded-for")):
        for entry in reversed(value.decode("latin-1").rsplit(",", max(left, 0))):
            left -= 1
            yield entry.strip(" \t") if left >= 0 else ""


def _parsed(text: str) -> Address | None:
    match = _ENTRY.fullmatch(text)
    if match is None:
        return None
    try:
        address = ip_address(match["four"] or match["bracketed"] or match["six"])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _site(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, SITE_PREFIX), strict=False))
