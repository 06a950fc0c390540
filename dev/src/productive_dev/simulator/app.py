"""The simulator as an ASGI application.

Tests use it in memory or by a port; `simulator(config).state.world` is what it holds.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from productive_dev.simulator.api.answer import answer
from productive_dev.simulator.api.call import Answer, Call
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.control import control_routes
from productive_dev.simulator.errors import ErrorObject, Problem, too_many_requests
from productive_dev.simulator.faults import Fault
from productive_dev.simulator.headers import finish, response_to
from productive_dev.simulator.landing import landing_page
from productive_dev.simulator.request_log import Logged
from productive_dev.simulator.world import World

BASE_PATH: Final = "/api/v2"
CLIENT_GONE: Final = 499
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
    token = call.headers.get("x-auth-token", "")
    fault = world.faults.take(call.method, f"/{call.path}", world.label(token))
    if fault is not None:
        await asyncio.sleep(fault.delay)
        if fault.revoke:
            world.revoke(token)
    if fault is None or fault.applied or not fault.replaces_answer:
        response = _answered(world, call)
    else:
        response = Response()
    if fault is not None and fault.replaces_answer:
        response = _broken(call, fault)
    world.log.append(_logged(world, call, CLIENT_GONE if _hangs(fault) else response.status_code))
    if _hangs(fault):
        await _until_gone(request)
    return finish(response, time.perf_counter() - started)


def _answered(world: World, call: Call) -> Response:
    try:
        return response_to(call, answer(world, call))
    except Problem as problem:
        response = response_to(call, Answer(problem.http_status, problem.body()))
        response.headers.update(problem.headers)
        return response


def _broken(call: Call, fault: Fault) -> Response:
    if fault.cut:
        return _CutResponse()
    status = fault.status or 500
    if status == 429:
        limited = too_many_requests(100, 10, fault.retry_after or 10)
        response = response_to(call, Answer(status, limited.body()))
        if fault.retry_after is not None:
            response.headers.update(limited.headers)
        return response
    error = ErrorObject(str(status), "ordered_fault", "Ordered Fault", "A test ordered this answer")
    return response_to(call, Answer(status, Problem(status, [error]).body()))


def _hangs(fault: Fault | None) -> bool:
    return fault is not None and fault.hang


async def _until_gone(request: Request) -> None:
    message = await request.receive()
    while message["type"] != "http.disconnect":
        message = await request.receive()


class _CutResponse(Response):
    """Promises a body and does not send it, upon which the server closes the connection."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.headers["content-length"] = "1000"
        await send(
            {"type": "http.response.start", "status": 200, "headers": self.raw_headers},
        )
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


def _logged(world: World, call: Call, status: int) -> Logged:
    token = world.tokens.known(call.headers.get("x-auth-token", ""))
    organization = call.headers.get("x-organization-id")
    try:
        body = json.loads(call.body) if call.body else None
    except ValueError:
        body = None
    return Logged(
        method=call.method,
        path=f"/{call.path}",
        query="&".join(f"{name}={text}" for name, text in call.pairs),
        status=status,
        token=token.label if token else None,
        organization=organization,
        body=body,
        person=token.people.get(organization or "") if token else None,
    )
