"""The company's proxy for HTTPS, and the hosts that are reached without it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from productive_contract.secret import Secret

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """HTTPS_PROXY and NO_PROXY.

    Connections are tunnelled (CONNECT), so that the proxy sees names and no content. Plain HTTP,
    which is for this machine only, never goes to the proxy: it would see everything.
    """

    url: Secret
    """http:// or https://, with credentials where the proxy wants them."""
    exempt: tuple[str, ...] = ()
    """Hosts that are reached directly: names, with or without a leading dot and with the names
    below them, addresses, networks (10.0.0.0/8), each with `:port` where only that one is meant;
    `*` is all. curl reads NO_PROXY in the same way."""

    def serves(self, url: str) -> bool:
        """Whether a request to this URL goes through the proxy."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "https" or _is_loopback(host):
            return False
        port = parts.port or _DEFAULT_PORTS["https"]
        return not any(_matches(entry, host, port) for entry in self.exempt)


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, wanted = _split_port(entry.lower())
    if wanted is not None and wanted != port:
        return False
    address = _address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(name, strict=False)
        except (ValueError, TypeError):
            return False
    name = name.lstrip(".")
    return host == name or host.endswith(f".{name}")


def _split_port(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), int(port)
    return entry.strip("[]"), None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)
