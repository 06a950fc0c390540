"""IP addresses and networks, as settings name them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_networks(words: Iterable[str]) -> tuple[Network, ...]:
    """Read addresses and ranges; an address is the range of itself.

    Raises:
        ValueError: one is malformed, or does not begin at its first address.
    """
    return tuple(map(ip_network, words))
