"""The kinds of cluster that can be made: what differs between them, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from kind.shell import Failed

Family = Literal["ipv4", "ipv6"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of cluster."""

    name: str
    family: Family = "ipv4"
    """Of pods, Services and nodes in the cluster."""
    key_identifiers: bool = True
    """Whether the cluster's certificate authority has the key identifiers of RFC 5280."""

    @property
    def loopback(self) -> str:
        """The address of this machine at which the ingress answers."""
        return "::1" if self.family == "ipv6" else "127.0.0.1"

    @property
    def provider(self) -> str:
        """A documentation address (RFC 5737, RFC 3849) that plays the public internet.

        The ingress answers on it, and pods resolve `*.example.test` to it.
        """
        return "2001:db8:ffff::10" if self.family == "ipv6" else "203.0.113.10"

    @property
    def proxy(self) -> str:
        """A documentation address for an outgoing proxy: that of clusters/outgoing-proxy.yaml."""
        return "2001:db8:ffff::80" if self.family == "ipv6" else "192.0.2.80"


DEFAULT: Final = Variant("default")
VARIANTS: Final = {
    one.name: one
    for one in (
        DEFAULT,
        Variant("ipv6", family="ipv6"),
        Variant("no-key-identifiers", key_identifiers=False),
    )
}


def require_ipv6() -> None:
    """Refuse to begin an IPv6 cluster on a machine that has no IPv6.

    Raises:
        Failed: the kernel lacks IPv6, or it is disabled.
    """
    disabled = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
    if not disabled.exists() or disabled.read_text().strip() == "1":
        raise Failed(
            "This machine's kernel has no IPv6, or it is disabled: a cluster with IPv6 cannot be "
            "made here. See `sysctl net.ipv6.conf.all.disable_ipv6`."
        )
