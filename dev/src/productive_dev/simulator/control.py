"""The control surface under /__simulator/, by which tests reset, freeze and break things.

POST reset                  begins again from the seed
GET, PUT clock              {"freeze": true or an instant, "advance": seconds, "release": true}
GET, PUT faults             the list of `faults.Fault` that wait
GET, PUT features           what is switched on, such as ["boards"]
PUT limits                  {"per_token": n, "per_organization": n}
GET, POST tokens            all tokens; makes or changes one
GET, DELETE log             the last requests, oldest first
GET records/KIND            all records of every organization: the truth behind the API
GET, PUT records/KIND/ID    one record; changes it past all rules
GET time_entries            time entries, shortened
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from productive_dev.simulator.faults import Fault
from productive_dev.simulator.records import Record, Ref, Relation
from productive_dev.simulator.tokens import Token
from productive_dev.simulator.world import World

Handler = Callable[[Request], Awaitable[Response]]


def control_routes(world: World) -> list[Route]:
    """Return the routes; a malformed order is answered 400 with a message."""
    control = _Control(world)
    return [
        Route(f"/__simulator/{path}", _answered(handler), methods=methods)
        for path, handler, methods in (
            ("reset", control.reset, ["POST"]),
            ("clock", control.clock, ["GET", "PUT"]),
            ("faults", control.faults, ["GET", "PUT"]),
            ("features", control.features, ["GET", "PUT"]),
            ("limits", control.limits, ["PUT"]),
            ("tokens", control.tokens, ["GET", "POST"]),
            ("log", control.log, ["GET", "DELETE"]),
            ("records/{kind}", control.records, ["GET"]),
            ("records/{kind}/{number}", control.record, ["GET", "PUT"]),
            ("time_entries", control.entries, ["GET"]),
        )
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

    async def features(self, request: Request) -> Any:
        """Replace the features that are switched on, or show them."""
        if request.method == "PUT":
            self._world.features = frozenset(str(name) for name in await request.json())
        return sorted(self._world.features)

    async def limits(self, request: Request) -> Any:
        """Set the rate limits, and forget what was counted."""
        order = await request.json()
        self._world.limit(int(order["per_token"]), int(order["per_organization"]))
        return order

    async def tokens(self, request: Request) -> Any:
        """Make a token, change one (same value), or list them all."""
        tokens = self._world.tokens
        if request.method == "POST":
            order = await request.json()
            known = tokens.known(order["value"])
            token = known or Token(order["value"], order["value"].partition("-")[2], {})
            tokens.put(replace(token, **{k: v for k, v in order.items() if k != "value"}))
        return [asdict(token) for token in tokens.list()]

    async def log(self, request: Request) -> Any:
        """Show the last requests, oldest first, or forget them."""
        if request.method == "DELETE":
            self._world.log.clear()
        return [entry.plain() for entry in self._world.log]

    async def records(self, request: Request) -> Any:
        """Show all records of a type, of every organization."""
        kind = request.path_params["kind"]
        return [_plain(record) for record in self._world.state.all(kind)]

    async def record(self, request: Request) -> Any:
        """Show a record, or change attributes and relations of it past all rules."""
        kind, number = request.path_params["kind"], request.path_params["number"]
        record = self._world.state.get(kind, number)
        if record is None:
            raise KeyError(f"{kind}/{number}")
        if request.method == "PUT":
            order = await request.json()
            record = record.with_attributes(**order.get("attributes", {}))
            links = order.get("relations", {})
            record = record.with_relations(**{n: _ref(value) for n, value in links.items()})
            self._world.state.put(record)
        return _plain(record)

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


def _plain(record: Record) -> dict[str, Any]:
    relations = {
        name: [ref.id for ref in target] if isinstance(target, tuple) else target and target.id
        for name, target in record.relations.items()
    }
    return {
        "id": record.id,
        "organization": record.organization,
        "attributes": dict(record.attributes),
        "relations": relations,
    }


def _ref(value: Any) -> Relation:
    return None if value is None else Ref(value["type"], str(value["id"]))


def _answered(handler: Callable[[Request], Awaitable[Any]]) -> Handler:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            message = f"This order is not understood: {error}. See control.py for its form."
            return JSONResponse({"error": message}, status_code=400)

    return endpoint
