"""Serves /livez, /readyz and /metrics, for the kubelet and Prometheus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from productive_operator.metrics import REGISTRY


class PortUnavailable(Exception):
    """The internal port cannot be bound; `str()` names the remedy."""


@dataclass(frozen=True, slots=True)
class Probes:
    """The questions that the probes ask."""

    alive: Callable[[], bool]
    """Whether the program still works at all."""
    ready: Callable[[], bool]
    """Whether it has done its work at least once."""
    details: Callable[[], Mapping[str, str]]
    """The state of parts that do not decide about readiness, by name; `ok` if it is good."""


@asynccontextmanager
async def serving(probes: Probes, port: int, host: str | None = None) -> AsyncIterator[int]:
    """Serve while the context lasts; yields the port.

    Args:
        probes: what is asked.
        port: TCP port, 0 for a free one.
        host: address to bind, None for all.

    Raises:
        PortUnavailable: the port cannot be bound.
    """
    runner = web.AppRunner(application(probes), access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise PortUnavailable(
                f"port {port} cannot be used ({error.strerror}): set INTERNAL_PORT to a free one"
            ) from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def application(probes: Probes) -> web.Application:
    """Return the three routes."""

    async def livez(_: web.Request) -> web.Response:
        alive = probes.alive()
        text = "ok\n" if alive else "no pass was attempted for 15 minutes\n"
        return web.Response(text=text, status=_status(good=alive))

    async def readyz(_: web.Request) -> web.Response:
        ready = probes.ready()
        mapping = "ok" if ready else "no pass has succeeded since the start; see the log"
        report = {"ready": ready, "checks": {"mapping": mapping, **probes.details()}}
        return web.json_response(report, status=_status(good=ready))

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


def _status(*, good: bool) -> int:
    return 200 if good else 503
