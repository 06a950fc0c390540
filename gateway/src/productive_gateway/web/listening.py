"""The sockets of a port, in both families: clusters have IPv4, IPv6 or both."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Final

ALL_INTERFACES: Final = ("0.0.0.0", "::")  # noqa: S104 (a pod's own network)
THIS_MACHINE: Final = ("127.0.0.1", "::1")

_BACKLOG: Final = 2048
_NO_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
"""What a kernel says that has no IPv6, or no IPv4."""


class ListenError(Exception):
    """The port cannot be opened; `str()` says why and what to do."""


def listen(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Open a port on each of these addresses whose family the machine has.

    Args:
        hosts: IPv4 and IPv6 addresses.
        port: the same on all of them; 0 is any free one.

    Raises:
        ListenError: the port is taken or may not be opened, or no address exists here.
    """
    opened: list[socket.socket] = []
    try:
        for host in hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            number = opened[0].getsockname()[1] if opened else port
            try:
                # An IPv6 socket takes IPv6 only: addresses of clients have one spelling.
                opened.append(socket.create_server((host, number), family=family, backlog=_BACKLOG))
            except OSError as error:
                if error.errno not in _NO_FAMILY:
                    raise
    except OSError as error:
        close(opened)
        raise ListenError(
            f"port {port} cannot be opened ({error.strerror}): end the program that uses it, or "
            "choose another port"
        ) from error
    if not opened:
        raise ListenError(f"port {port} cannot be opened: none of {', '.join(hosts)} exists here")
    return opened


def close(sockets: Sequence[socket.socket]) -> None:
    """Close what `listen` opened."""
    for opened in sockets:
        opened.close()
