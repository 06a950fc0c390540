"""The internal port: probes and metrics. It is never exposed through the Ingress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from productive_gateway.errors import Unavailable
from productive_gateway.observability.metrics import READY, REGISTRY


@dataclass(slots=True)
class Readiness:
    """Whether this replica should get requests.

    It stays ready while anything useful can be served: with the API server away, known grants
    still work and pages explain what is wrong; taking every replica out of the Service would help
    nobody.
    """

    needed: Mapping[str, Callable[[], object]]
    """What must have loaded before the replica is ready, by name: each raises Unavailable while
    there is nothing to serve."""
    watches: Mapping[str, Callable[[], bool]] = field(default_factory=dict)
    """Whether each watch is healthy. Detail only: an unhealthy one makes no replica unready."""
    problems: Mapping[str, Callable[[], str | None]] = field(default_factory=dict)
    """What is wrong with a part, or None. Detail only."""
    draining: bool = False
    """Set when the process is about to end: it finishes running requests and takes no new ones."""
    _was_loaded: bool = False

    def report(self) -> tuple[bool, dict[str, str]]:
        """Return the verdict, and the result of each check."""
        needed = {name: _state(load) for name, load in self.needed.items()}
        checks = {
            "process": "draining" if self.draining else "ok",
            **needed,
            **{name: "ok" if healthy() else "stale" for name, healthy in self.watches.items()},
            **{name: problem() or "ok" for name, problem in self.problems.items()},
        }
        loaded = all(state == "ok" for state in needed.values())
        self._was_loaded = self._was_loaded or loaded
        return self._was_loaded and not self.draining, checks


def internal_app(readiness: Readiness) -> Starlette:
    """Return the application of the internal port, and report `readiness` in the metrics."""
    READY.set_function(lambda: float(readiness.report()[0]))

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
