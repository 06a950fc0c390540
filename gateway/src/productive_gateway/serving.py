"""A gateway as a process: two ports, background tasks, and an orderly end.

SIGTERM makes the process unready first, then stops accepting, lets running requests finish, and
ends the background tasks. A background task that fails ends the process, so that Kubernetes
starts it anew instead of it serving an ever older view.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Iterator
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
"""How long an unused connection is kept: longer than a proxy in front does (60 s is usual), which
would otherwise send a request into a connection that closes just then."""


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, and return the process's exit code.

    Raises:
        NoCluster: the settings ask for Kubernetes and there is no way to it.
    """
    async with compose(settings) as gateway:
        servers = [
            _server(gateway.public, settings.host, settings.port),
            _server(gateway.internal, settings.internal_host, settings.internal_port),
        ]
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        return await _run(gateway, servers, stop, settings)


async def _run(
    gateway: Gateway, servers: list[_Server], stop: asyncio.Event, settings: Settings
) -> int:
    tasks = [asyncio.ensure_future(_task(task())) for task in gateway.tasks]
    serving = [asyncio.ensure_future(_task(server.serve())) for server in servers]
    stopping = asyncio.ensure_future(stop.wait())
    _log.info("gateway.started", public_url=settings.public_url, port=settings.port)
    done, _ = await asyncio.wait([stopping, *tasks, *serving], return_when=asyncio.FIRST_COMPLETED)
    failed = stopping not in done
    for task in done - {stopping}:
        error = task.exception()
        _log.error("gateway.part_ended", error=str(error), exc_info=error)
    gateway.readiness.draining = True
    _log.info("gateway.draining")
    # The internal port outlives the public one: a probe meanwhile is answered "not ready".
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


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: ours ends two servers in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: ASGIApp, host: str, port: int) -> _Server:
    return _Server(
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
