"""The internal port: probes and metrics. It is never behind the Ingress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from productive_gateway.errors import Unavailable
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.people.snapshot import People
from productive_gateway.sealing.keys import Keys


@dataclass(slots=True)
class Readiness:
    """Whether this replica should get requests.

    It stays ready while anything useful can be served: with the API server away, warm grants go
    on, and pages explain; taking every replica out of the Service would help nobody.
    """

    people: People
    keys: Keys
    watches: Mapping[str, Callable[[], bool]] = field(default_factory=dict)
    """Shown in the detail only: an unhealthy watch makes no replica unready."""
    troubles: Mapping[str, Callable[[], str | None]] = field(default_factory=dict)
    """What is wrong with a part, in words, or None. Shown in the detail only."""
    draining: bool = False
    """Set when the process is about to end: it finishes what it has and wants nothing new."""
    _was_loaded: bool = False

    def report(self) -> tuple[bool, dict[str, str]]:
        """Return the verdict, and each check in words."""
        checks = {
            "process": "draining" if self.draining else "ok",
            "mapping": _state(self.people.snapshot),
            "key_ring": _state(self.keys.ring),
            **{name: "ok" if healthy() else "stale" for name, healthy in self.watches.items()},
            **{name: trouble() or "ok" for name, trouble in self.troubles.items()},
        }
        loaded = checks["mapping"] == checks["key_ring"] == "ok"
        self._was_loaded = self._was_loaded or loaded
        return self._was_loaded and not self.draining, checks


def internal_app(readiness: Readiness) -> Starlette:
    """Return the application of the internal port."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        ready, checks = readiness.report()
        return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    )


def _state(load: Callable[[], object]) -> str:
    try:
        load()
    except Unavailable as error:
        return error.reason
    return "ok"
