"""A gateway as a process: two ports, background tasks, and an orderly end.

SIGTERM first makes the process unready and ends the streams; then it stops accepting, lets running
requests finish, and ends the background tasks. A background task that fails ends the process, so
that Kubernetes restarts it instead of it serving an ever older view.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from productive_gateway.app import Gateway, compose
from productive_gateway.settings import Settings
from productive_gateway.web.connection import Connection, PortLimits, Waiting
from productive_gateway.web.listening import close, listen

_log = structlog.get_logger("gateway")

Compose = Callable[[Settings], AbstractAsyncContextManager[Gateway]]
"""Connects the parts of a gateway."""

OWN_DESCRIPTORS: Final = 256
"""Connections to Productive (100), to the provider and the API server, files, and some more."""
COLLECTION_THRESHOLDS: Final = (10_000, 20, 100)
"""Of the garbage collector: an answered request leaves no cycles worth looking for often."""
ACCEPTED_TOGETHER: Final = 16
"""New connections that are accepted before open ones are served again. uvloop accepts one for each
socket that listens, so a new client would wait for a second and more on a busy gateway."""
DRAIN_SECONDS: Final = 25
"""How long running requests may take after SIGTERM: below the 30 s that Kubernetes gives a pod."""


class Server(uvicorn.Server):
    """One port: uvicorn on given sockets, without its own signal handling."""

    def __init__(self, app: ASGIApp, sockets: list[socket.socket], limits: PortLimits) -> None:
        """Take the sockets, which close with the server.

        Args:
            app: what is served.
            sockets: that listen, as of `listen`.
            limits: bounds of this port.
        """
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                http=partial(Connection, Waiting(limits)),  # type: ignore[arg-type]
                ws="none",
                timeout_graceful_shutdown=DRAIN_SECONDS,
                # Otherwise a pipelined request would begin with the caller, the request id and the
                # span of the one before.
                reset_contextvars=True,
            )
        )
        again = (one.dup() for one in sockets for _ in range(ACCEPTED_TOGETHER - 1))
        self._sockets = [*sockets, *again]

    async def run_until_exit(self) -> None:
        """Serve until `should_exit` is set."""
        await self.serve(sockets=self._sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve(settings: Settings, composing: Compose = compose) -> int:
    """Serve until SIGTERM or SIGINT, and return the process's exit code.

    Args:
        settings: of this gateway.
        composing: connects its parts.

    Raises:
        ListenError: a port cannot be opened.
        NoCluster: the settings ask for Kubernetes and there is no way to it.
    """
    with contextlib.ExitStack() as stack:
        ports = []
        for port in (settings.port, settings.internal_port):
            ports.append(listen(settings.hosts, port))
            stack.callback(close, ports[-1])
        return await _serve(settings, composing, *ports)


async def _serve(
    settings: Settings,
    composing: Compose,
    public: list[socket.socket],
    internal: list[socket.socket],
) -> int:
    connections = open_connections(settings.max_connections)
    # What may be open on top of connections depends on their number.
    settings = settings.model_copy(update={"max_connections": connections})
    limits = PortLimits(idle=settings.keep_alive_seconds, connections=connections)
    async with composing(settings) as gateway:
        servers = [
            Server(gateway.public, public, limits),
            Server(gateway.internal, internal, limits),
        ]
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        report_unknown_addresses(settings)
        tune_collector()
        _log.info("gateway.started", public_url=settings.public_url, port=settings.port)
        return await run_gateway(gateway, servers, stop)


def tune_collector() -> None:
    """Keep the garbage collector from looking at what lives as long as the process.

    Modules, classes and validators are some 400,000 objects. A full collection that visits them
    takes about 0.1 s, in which nobody is answered, and frees nothing. Reference counts free what
    requests leave behind; the collector still finds cycles, among younger objects only.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)


def report_unknown_addresses(settings: Settings) -> None:
    """Log that the limits per address are off, if they are, and how to switch them on."""
    if not settings.trusted_proxies and not settings.local:
        _log.warning(
            "limits.addresses_unknown",
            hint="limits per address are off, because all callers share the address of the "
            "ingress: set TRUSTED_PROXIES to it. Limits per client, person and replica hold.",
        )


def open_connections(wanted: int) -> int:
    """Return how many connections each of the two ports may have open, as descriptors allow.

    The soft limit of the process is raised as far as it may be. What the system allows beyond the
    connections is left for what the gateway itself opens; when none are left, nobody would be
    accepted any more.

    Args:
        wanted: MAX_CONNECTIONS.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + OWN_DESCRIPTORS
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    possible = max((soft - OWN_DESCRIPTORS) // 2, 1)
    _log.warning(
        "gateway.few_descriptors",
        connections=possible,
        hint=f"the system allows {soft} open files (ulimit -n), so each port takes {possible} "
        f"connections instead of MAX_CONNECTIONS={wanted}; allow {needed} files for that.",
    )
    return possible


async def run_gateway(gateway: Gateway, servers: Sequence[Server], stop: asyncio.Event) -> int:
    """Serve until `stop` is set or a part ends by itself, and return the exit code.

    Args:
        gateway: its tasks run meanwhile.
        servers: in the order in which they end, the internal port last: a probe during the end is
            then answered "not ready".
        stop: asks for the end.
    """
    tasks = [asyncio.ensure_future(_task(task())) for task in gateway.tasks]
    serving = [asyncio.ensure_future(_task(server.run_until_exit())) for server in servers]
    stopping = asyncio.ensure_future(stop.wait())
    done, _ = await asyncio.wait([stopping, *tasks, *serving], return_when=asyncio.FIRST_COMPLETED)
    failed = stopping not in done
    for task in done - {stopping}:
        error = task.exception()
        _log.error("gateway.part_ended", error=str(error), exc_info=error)
    gateway.readiness.draining = True
    gateway.close_streams()
    _log.info("gateway.draining")
    for server, running in zip(servers, serving, strict=True):
        server.should_exit = True
        await asyncio.wait([running])
    for task in tasks:
        task.cancel()
    stopping.cancel()
    await asyncio.gather(stopping, *tasks, *serving, return_exceptions=True)
    _log.info("gateway.stopped")
    return 1 if failed else 0


async def _task(work: Awaitable[None]) -> None:
    await work
