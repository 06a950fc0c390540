"""The control surface under /__simulator/, by which tests reset, freeze and break things."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from productive_dev.simulator.faults import Fault
from productive_dev.simulator.records import Ref
from productive_dev.simulator.tokens import Token
from productive_dev.simulator.world import World

Handler = Callable[[Request], Awaitable[Response]]


def control_routes(world: World) -> list[Route]:
    """Return the routes; a malformed order is answered 400 with a sentence."""
    return [
        Route("/__simulator/reset", _answered(_Control(world).reset), methods=["POST"]),
        Route("/__simulator/clock", _answered(_Control(world).clock), methods=["GET", "PUT"]),
        Route("/__simulator/faults", _answered(_Control(world).faults), methods=["GET", "PUT"]),
        Route("/__simulator/tokens", _answered(_Control(world).tokens), methods=["GET", "POST"]),
        Route("/__simulator/log", _answered(_Control(world).log), methods=["GET", "DELETE"]),
        Route("/__simulator/time_entries", _answered(_Control(world).entries), methods=["GET"]),
    ]


class _Control:
    def __init__(self, world: World) -> None:
        self._world = world

    async def reset(self, _: Request) -> Any:
        """Begin again from the seed."""
        self._world.reset()
        return {"digest": self._world.state.digest()}

    async def clock(self, request: Request) -> Any:
        """Freeze (`at`, an ISO instant, or now), `advance` by seconds, or release."""
        clock = self._world.clock
        if request.method == "PUT":
            order = await request.json()
            if order.get("release"):
                clock.release()
            if "freeze" in order:
                at = order["freeze"]
                clock.freeze(None if at is True else datetime.fromisoformat(at).timestamp())
            clock.advance(float(order.get("advance", 0)))
        return {"now": clock.now()}

    async def faults(self, request: Request) -> Any:
        """Replace the list of faults, or show what is left of it."""
        if request.method == "PUT":
            self._world.faults.put([Fault.of(item) for item in await request.json()])
        return [asdict(fault) for fault in self._world.faults.list()]

    async def tokens(self, request: Request) -> Any:
        """Make a token, change one (same value), or list them all."""
        tokens = self._world.tokens
        if request.method == "POST":
            order = await request.json()
            known = next((t for t in tokens.list() if t.value == order["value"]), None)
            token = known or Token(order["value"], order["value"].partition("-")[2], {})
            tokens.put(replace(token, **{k: v for k, v in order.items() if k != "value"}))
        return [asdict(token) for token in tokens.list()]

    async def log(self, request: Request) -> Any:
        """Show the last requests, oldest first, or forget them."""
        if request.method == "DELETE":
            self._world.log.clear()
        return [entry.plain() for entry in self._world.log]

    async def entries(self, _: Request) -> Any:
        """Show all time entries with what they point at: the truth behind the API."""
        return [
            {
                "id": entry.id,
                "organization": entry.organization,
                **{name: entry.attributes[name] for name in ("date", "time", "note", "approved")},
                **{
                    name: target.id if isinstance(target, Ref) else None
                    for name, target in entry.relations.items()
                    if name in ("person", "service", "task", "creator")
                },
            }
            for entry in self._world.state.all("time_entries")
        ]


def _answered(handler: Callable[[Request], Awaitable[Any]]) -> Handler:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            sentence = f"This order is not understood: {error}. See control.py for its form."
            return JSONResponse({"error": sentence}, status_code=400)

    return endpoint
