"""A gateway as a process: two ports, background tasks, and an orderly end.

SIGTERM first makes the process unready; then it stops accepting, lets running requests finish, and
ends the background tasks. A background task that fails ends the process, so that Kubernetes
restarts it instead of it serving an ever older view.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Iterator, Sequence
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from productive_gateway.app import Gateway, compose
from productive_gateway.settings import Settings
from productive_gateway.web.request_head import BoundedHead

_log = structlog.get_logger("gateway")

DRAIN_SECONDS: Final = 25
"""How long running requests may take after SIGTERM: below the 30 s that Kubernetes gives a pod."""
KEEP_ALIVE_SECONDS: Final = 75
"""How long an unused connection is kept: longer than a proxy in front keeps it (60 s is usual).
Otherwise the proxy would send a request into a connection that is just being closed."""


class Server(uvicorn.Server):
    """uvicorn without its own signal handling: `run_gateway` ends two servers in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, and return the process's exit code.

    Raises:
        NoCluster: the settings ask for Kubernetes and there is no way to it.
    """
    async with compose(settings) as gateway:
        servers = [
            http_server(gateway.public, settings.host, settings.port),
            http_server(gateway.internal, settings.internal_host, settings.internal_port),
        ]
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        _log.info("gateway.started", public_url=settings.public_url, port=settings.port)
        return await run_gateway(gateway, servers, stop)


async def run_gateway(gateway: Gateway, servers: Sequence[Server], stop: asyncio.Event) -> int:
    """Serve until `stop` is set or a part ends by itself, and return the exit code.

    Args:
        gateway: its tasks run meanwhile.
        servers: in the order in which they end, the internal port last: a probe during the end is
            then answered "not ready".
        stop: asks for the end.
    """
    tasks = [asyncio.ensure_future(_task(task())) for task in gateway.tasks]
    serving = [asyncio.ensure_future(_task(server.serve())) for server in servers]
    stopping = asyncio.ensure_future(stop.wait())
    done, _ = await asyncio.wait([stopping, *tasks, *serving], return_when=asyncio.FIRST_COMPLETED)
    failed = stopping not in done
    for task in done - {stopping}:
        error = task.exception()
        _log.error("gateway.part_ended", error=str(error), exc_info=error)
    gateway.readiness.draining = True
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


def http_server(app: ASGIApp, host: str, port: int) -> Server:
    """Return a server of one port, with bounds on what a client may send."""
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http=BoundedHead,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )


async def _task(work: Awaitable[None]) -> None:
    await work
