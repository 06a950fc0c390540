"""The simulator as an ASGI application.

Tests use it in memory or by a port; `simulator(config).state.world` is what it holds.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from productive_dev.simulator.api import MEDIA_TYPE, Answer, Call, answer
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.control import control_routes
from productive_dev.simulator.errors import Problem
from productive_dev.simulator.faults import Fault
from productive_dev.simulator.landing import landing_page
from productive_dev.simulator.world import Logged, World

BASE_PATH: Final = "/api/v2"
_METHODS: Final = ["GET", "POST", "PATCH", "PUT", "DELETE"]


def simulator(config: SimulatorConfig | None = None) -> Starlette:
    """Return a simulator with its own state, at the beginning of its seed."""
    world = World(config or SimulatorConfig())

    async def landing(_: Request) -> Response:
        return HTMLResponse(landing_page(world.tokens.list()))

    async def api(request: Request) -> Response:
        return await _serve(world, request)

    routes = [
        Route("/", landing),
        Route(BASE_PATH + "/{path:path}", api, methods=_METHODS),
        *(control_routes(world) if world.config.control else ()),
    ]
    application = Starlette(routes=routes)
    application.state.world = world
    return application


async def _serve(world: World, request: Request) -> Response:
    started = time.perf_counter()
    call = Call(
        method=request.method,
        path=request.path_params["path"].strip("/"),
        url=str(request.url.replace(query="", fragment="")),
        pairs=tuple(request.query_params.multi_items()),
        headers=request.headers,
        body=await request.body(),
    )
    fault = world.faults.take(call.method, f"/{call.path}")
    if fault is not None and fault.delay:
        await asyncio.sleep(fault.delay)
    if fault is not None and not fault.applied and (fault.status or fault.cut):
        response = _broken(fault)
    else:
        response = _answered(world, call)
        if fault is not None and (fault.status or fault.cut):
            response = _broken(fault)
    world.log.append(_logged(world, call, response.status_code))
    response.headers["x-request-id"] = secrets.token_hex(16)
    response.headers["x-runtime"] = f"{time.perf_counter() - started:.6f}"
    return response


def _answered(world: World, call: Call) -> Response:
    try:
        return _response(answer(world, call))
    except Problem as problem:
        response = _response(Answer(problem.http_status, problem.body()))
        response.headers.update(problem.headers)
        return response


def _response(given: Answer) -> Response:
    if given.document is None:
        # Measured: an empty 204 has no content type.
        return Response(status_code=given.status, headers={"cache-control": "no-cache"})
    body = json.dumps(given.document, ensure_ascii=False, separators=(",", ":"))
    return Response(body, given.status, media_type=f"{MEDIA_TYPE}; charset=utf-8")


def _broken(fault: Fault) -> Response:
    if fault.cut:
        return _CutResponse()
    status = fault.status or 500
    problem = Problem(status, "ordered_fault", "Ordered Fault", "A test ordered this answer")
    response = _response(Answer(status, problem.body()))
    if fault.retry_after is not None:
        response.headers["X-RateLimit-Reset"] = str(fault.retry_after)
    return response


class _CutResponse(Response):
    """Promises a body and does not send it, upon which the server closes the connection."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.headers["content-length"] = "1000"
        await send(
            {"type": "http.response.start", "status": 200, "headers": self.raw_headers},
        )
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


def _logged(world: World, call: Call, status: int) -> Logged:
    value = call.headers.get("x-auth-token", "")
    token = next((t.label for t in world.tokens.list() if t.value == value), None)
    try:
        body = json.loads(call.body) if call.body else None
    except ValueError:
        body = None
    return Logged(
        method=call.method,
        path=f"/{call.path}",
        query="&".join(f"{name}={text}" for name, text in call.pairs),
        status=status,
        token=token,
        organization=call.headers.get("x-organization-id"),
        body=body,
    )
