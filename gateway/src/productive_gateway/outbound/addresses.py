"""Which addresses belong to the public internet: for requests whose destination a stranger chose.

The table is our own. `ipaddress.is_global` changes between Python versions and calls multicast,
6to4 and NAT64 addresses global, although an IPv4 address of the company's own network can be
written in the last two. What is not listed as public here is refused. Sources: the IANA registries
of special-purpose IPv4 and IPv6 addresses (RFC 6890 and its updates).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from productive_gateway.networks import Address, Network

_SPECIAL_IPV4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network (RFC 791)
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # carrier-grade NAT (RFC 6598); metadata of some clouds
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # a public number at which Azure answers its virtual machines
            "169.254.0.0/16",  # link-local (RFC 3927); metadata of most clouds
            "172.16.0.0/12",  # private (RFC 1918)
            "192.0.0.0/24",  # protocol assignments (RFC 6890)
            "192.0.2.0/24",  # documentation (RFC 5737)
            "192.88.99.0/24",  # 6to4 relays (RFC 7526)
            "192.168.0.0/16",  # private (RFC 1918)
            "198.18.0.0/15",  # benchmarks (RFC 2544)
            "198.51.100.0/24",  # documentation (RFC 5737)
            "203.0.113.0/24",  # documentation (RFC 5737)
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_GLOBAL_IPV6: Final = ipaddress.IPv6Network("2000::/3")
"""The only part of IPv6 that is assigned for global unicast (RFC 4291 2.4). Outside are loopback,
unique local, link-local, multicast, and what contains an IPv4 address: compatible (::/96), mapped
(::ffff:0:0/96), translated (::ffff:0:0:0/96), NAT64 (64:ff9b::/96 and 64:ff9b:1::/48)."""
_SPECIAL_IPV6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments (RFC 2928), with Teredo (2001::/32) and ORCHID
            "2001:db8::/32",  # documentation (RFC 3849)
            "2002::/16",  # 6to4 (RFC 3056): contains an IPv4 address
            "3ffe::/16",  # the former 6bone (RFC 3701)
            "3fff::/20",  # documentation (RFC 9637)
        ),
    )
)
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
"""Upper half of the interface identifier of ISATAP (RFC 5214 6.1), under any prefix: the lower half
is an IPv4 address."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Which addresses may be connected to."""

    denied: Sequence[Network] = ()
    """Networks of the company that look public, such as the cluster's services and pods."""

    def allows(self, address: Address) -> bool:
        """Whether it is a public unicast address outside the denied networks."""
        if any(address in network for network in self.denied if network.version == address.version):
            return False
        if isinstance(address, ipaddress.IPv4Address):
            return not any(address in network for network in _SPECIAL_IPV4)
        return _is_public_ipv6(address)


def _is_public_ipv6(address: ipaddress.IPv6Address) -> bool:
    # A scope (fe80::1%eth0) is of this machine only.
    if address.scope_id is not None or address not in _GLOBAL_IPV6:
        return False
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return False
    return not any(address in network for network in _SPECIAL_IPV6)
