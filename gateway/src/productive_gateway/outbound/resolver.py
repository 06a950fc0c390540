"""Names of strangers become addresses, apart from all other lookups of the program."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from productive_gateway.networks import Address
from productive_gateway.outbound.errors import FetchFailed

Resolve = Callable[[str], Awaitable[Sequence[Address]]]
"""Returns all addresses of a host; raises FetchFailed if there is none."""

THREADS: Final = 16


class SystemResolver:
    """The resolver of the operating system, in threads of its own.

    A lookup cannot be cancelled, and a name server that a stranger runs can make it last. In shared
    threads, such lookups would keep the gateway from reaching the provider and Productive.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="client-documents")

    async def resolve(self, host: str) -> Sequence[Address]:
        """Return all addresses of a host, in the order in which to try them.

        Raises:
            FetchFailed: there is none, or the name servers do not answer.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, _lookup, host)
        except OSError as error:
            raise FetchFailed("dns") from error

    def close(self) -> None:
        """Start no further lookup."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _lookup(host: str) -> tuple[Address, ...]:
    # With the final dot the search list of resolv.conf is left out: `a.b` must not become a Service
    # of the cluster. Bytes are not converted again.
    found = socket.getaddrinfo(f"{host}.".encode("ascii"), 443, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ipaddress.ip_address(sockaddr[0]) for *_, sockaddr in found))
