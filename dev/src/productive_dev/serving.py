"""Serves ASGI applications, as a program of their own or inside another one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp


class _QuietServer(uvicorn.Server):
    """A server that does not handle signals: the program that runs it decides when to end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


@asynccontextmanager
async def serving(application: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve while the block runs; the socket is already listening, so requests may come at once."""
    server = _QuietServer(_config(application))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


async def serve(application: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM."""
    await uvicorn.Server(_config(application)).serve(sockets=[listener])


def _config(application: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
