"""Where the development servers listen: on loopback, unless somebody insists."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


class PortError(Exception):
    """An address cannot be listened on; `str()` says what to do."""


def listen(port: int, *, host: str = LOOPBACK, beyond_loopback: bool = False) -> socket.socket:
    """Return a listening socket; port 0 takes any free one.

    Raises:
        PortError: the host is not loopback and nobody insisted, or the port is taken.
    """
    if not beyond_loopback and not is_loopback(host):
        raise PortError(
            f"{host} can be reached from other machines, and whoever reaches it can be anybody. "
            "Leave --host away, or add --beyond-loopback if this is a test network."
        )
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortError(_sentence(port, host, error)) from error
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    """Return the port that a socket listens on."""
    return int(listener.getsockname()[1])


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _sentence(port: int, host: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Stop the program that uses it, or choose another --port."
    return f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --host or --port."
