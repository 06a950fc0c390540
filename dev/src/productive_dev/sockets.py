"""Listening sockets of the development servers: loopback only, unless asked otherwise."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


class PortError(Exception):
    """The program cannot listen on an address; `str()` says what to do."""


def listen(port: int, *, host: str = LOOPBACK, beyond_loopback: bool = False) -> socket.socket:
    """Return a listening socket; port 0 picks a free one.

    Args:
        port: where to listen.
        host: an address, or a name that has an IPv4 address.
        beyond_loopback: whether other machines may reach it.

    Raises:
        PortError: the port is taken, or the host is not loopback without `beyond_loopback`.
    """
    if not beyond_loopback and not is_loopback(host):
        raise PortError(
            f"{host} can be reached from other machines, and anyone who reaches it can sign in as "
            "anyone. Omit --host, or add --beyond-loopback if this is a test network."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise PortError(_message(port, host, error)) from error
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    """Return the port that a socket listens on."""
    return int(listener.getsockname()[1])


def origin_of(listener: socket.socket, host: str) -> str:
    """Return the origin of URLs at a socket that was asked to listen on this host."""
    name = f"[{host.strip('[]')}]" if ":" in host else host
    return f"http://{name}:{port_of(listener)}"


def is_loopback(host: str) -> bool:
    """Report whether a host name or address can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _message(port: int, host: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use. Stop the program that uses it, or choose another --port "
            f"(with make: `make run PORT={port + 1}`)."
        )
    return f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --host or --port."
