"""The process: two ports, an orderly end, and the end when a part fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.testclient import TestClient

from harness.grantkit import HeldKeys, HeldPeople, eventually
from productive_gateway import app as app_module
from productive_gateway.app import Gateway
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.serving import _run, _Server, _server
from productive_gateway.settings import Settings
from productive_gateway.web.endpoint import Endpoint
from productive_gateway.web.probes import Readiness, internal_app
from productive_gateway.web.request_log import Requests


class Named:
    """What is read of the settings here."""

    public_url = "https://mcp.example.test"
    port = 0


class Site:
    """A gateway of one slow page, on two free ports."""

    def __init__(self, *tasks: Callable[[], Awaitable[None]]) -> None:
        self.asked, self.answer, self.stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
        routes = [Route("/slow", self._slow), Route("/body", self._body, methods=["POST"])]
        self.readiness = Readiness(people=HeldPeople(), keys=HeldKeys())
        public = Requests(Router(routes=routes), routes=["/slow", "/body"])
        gateway = Gateway(public, internal_app(self.readiness), self.readiness, tasks)
        self.servers: list[_Server] = [
            _server(gateway.public, "127.0.0.1", 0),
            _server(gateway.internal, "127.0.0.1", 0),
        ]
        settings = cast("Settings", Named())
        self.running = asyncio.create_task(_run(gateway, self.servers, self.stop, settings))

    async def _slow(self, _: Request) -> Response:
        self.asked.set()
        await self.answer.wait()
        return PlainTextResponse("done")

    async def _body(self, request: Request) -> Response:
        self.asked.set()
        return Response(await request.body())

    async def started(self) -> None:
        await eventually(lambda: all(one.started for one in self.servers), what="it serves")

    async def open(
        self, number: int, head: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self.servers[number].servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}\r\nhost: x\r\nconnection: close\r\n".encode())
        return reader, writer

    async def get(self, number: int, path: str) -> bytes:
        reader, writer = await self.open(number, f"GET {path} HTTP/1.1")
        writer.write(b"\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.attack("R-06")
async def test_it_is_unready_first_finishes_what_runs_and_ends_with_zero() -> None:
    site = Site(forever)
    await site.started()
    assert b" 200 " in await site.get(1, "/readyz")
    slow = asyncio.create_task(site.get(0, "/slow"))
    await asyncio.wait_for(site.asked.wait(), 10)
    site.stop.set()
    await eventually(lambda: site.readiness.draining, what="draining")
    # The internal port is open as long as a request runs.
    assert b" 503 " in await site.get(1, "/readyz")
    site.answer.set()
    assert (await slow).endswith(b"done")
    assert await asyncio.wait_for(site.running, 10) == 0


@pytest.mark.parametrize("failure", [ValueError("broken"), None])
async def test_a_background_task_that_ends_ends_the_process_with_one(
    failure: Exception | None,
) -> None:
    fail = asyncio.Event()

    async def task() -> None:
        await fail.wait()
        if failure is not None:
            raise failure

    site = Site(forever, task)
    await site.started()
    fail.set()
    assert await asyncio.wait_for(site.running, 10) == 1


def counted(status: str) -> float:
    labels = {"route": "/body", "method": "POST", "status": status}
    return REGISTRY.get_sample_value("productive_mcp_http_requests_total", labels) or 0.0


async def test_a_client_that_goes_away_in_the_middle_of_a_body_is_no_failure_of_ours() -> None:
    before = counted("499"), counted("500")
    site = Site()
    await site.started()
    _, writer = await site.open(0, "POST /body HTTP/1.1")
    writer.write(b"content-length: 10\r\n\r\nabc")
    await asyncio.wait_for(site.asked.wait(), 10)
    writer.close()
    site.stop.set()
    assert await asyncio.wait_for(site.running, 10) == 0
    assert (counted("499"), counted("500")) == (before[0] + 1, before[1])


@pytest.mark.attack("G-07")
def test_an_unhandled_error_is_answered_with_a_number_to_give_to_the_administrator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(_: Request) -> Response:
        raise ValueError("a detail")

    routes = [Route("/fail", Endpoint({"GET": fail}))]
    monkeypatch.setattr(app_module, "oauth_routes", lambda _: routes)
    public = app_module._public(cast("Any", None), cast("Any", PlainTextResponse("mcp")))
    answer = TestClient(public, raise_server_exceptions=False).get("/fail")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "a detail" not in answer.text
    assert TestClient(public).get("/none").status_code == 404
    assert TestClient(public).get("/mcp/", follow_redirects=False).status_code == 404
