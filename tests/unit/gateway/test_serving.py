"""The process: two ports, an orderly end, and the end when a part fails."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager

import pytest
import uvloop
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from harness.grantkit import HeldKeys, eventually
from harness.processes import free_port
from harness.writeskit import Writer
from productive_gateway.app import Gateway, public_app
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.serving import (
    Server,
    open_connections,
    report_unknown_addresses,
    run_gateway,
    serve,
    tune_collector,
)
from productive_gateway.settings import Settings, load_settings
from productive_gateway.web.connection import PortLimits
from productive_gateway.web.endpoint import Endpoint
from productive_gateway.web.listening import listen
from productive_gateway.web.probes import Readiness, internal_app

CLUSTER = {
    "PUBLIC_URL": "https://mcp.example.com",
    "PRODUCTIVE_ORG_ID": "1200",
    "OIDC_ISSUER": "https://login.example.com",
    "OIDC_CLIENT_ID": "client",
    "OIDC_CLIENT_SECRET": "secret",
    "MAPPING_SECRET": "x-mapping",
    "KEY_RING_SECRET": "x-keys",
    "GRANTS": "kubernetes://x-grants",
    "REDIRECT_HOSTS": "claude.ai",
}


class RunningGateway:
    """A gateway of one slow page, on two free ports."""

    def __init__(self, *tasks: Callable[[], Awaitable[None]]) -> None:
        self.asked, self.answer, self.stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.ended = asyncio.Event()
        routes = [
            Route("/slow", self._slow),
            Route("/stream", self._stream),
            Route("/body", self._body, methods=["POST"]),
        ]
        self.readiness = Readiness({})
        public = public_app(routes, resource="https://mcp.example.test/mcp")
        writes = Writer(MemoryGrantStore(), HeldKeys()).writes
        internal = internal_app(self.readiness)
        gateway = Gateway(public, internal, self.readiness, tasks, writes, self.ended.set)
        self.servers = [
            Server(app, listen(["127.0.0.1"], 0), PortLimits())
            for app in (gateway.public, gateway.internal)
        ]
        self.running = asyncio.create_task(run_gateway(gateway, self.servers, self.stop))

    async def _slow(self, _: Request) -> Response:
        self.asked.set()
        await self.answer.wait()
        return PlainTextResponse("done")

    async def _stream(self, _: Request) -> Response:
        async def parts() -> AsyncIterator[str]:
            yield "begun,"
            await self.ended.wait()
            yield "ended"

        self.asked.set()
        return StreamingResponse(parts())

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
async def test_on_sigterm_it_becomes_unready_finishes_requests_and_exits_with_zero() -> None:
    gateway = RunningGateway(forever)
    await gateway.started()
    assert b" 200 " in await gateway.get(1, "/readyz")
    slow = asyncio.create_task(gateway.get(0, "/slow"))
    await asyncio.wait_for(gateway.asked.wait(), 10)
    gateway.stop.set()
    await eventually(lambda: gateway.readiness.draining, what="draining")
    # The internal port is open as long as a request runs.
    assert b" 503 " in await gateway.get(1, "/readyz")
    gateway.answer.set()
    assert (await slow).endswith(b"done")
    assert await asyncio.wait_for(gateway.running, 10) == 0


@pytest.mark.rule("T17")
async def test_on_sigterm_open_streams_are_ended_and_do_not_delay_the_exit() -> None:
    gateway = RunningGateway(forever)
    await gateway.started()
    stream = asyncio.create_task(gateway.get(0, "/stream"))
    await asyncio.wait_for(gateway.asked.wait(), 10)
    gateway.stop.set()
    assert b"ended" in await stream
    assert await asyncio.wait_for(gateway.running, 10) == 0


@pytest.mark.parametrize("failure", [ValueError("broken"), None])
async def test_a_background_task_that_ends_stops_the_process_with_exit_code_one(
    failure: Exception | None,
) -> None:
    fail = asyncio.Event()

    async def task() -> None:
        await fail.wait()
        if failure is not None:
            raise failure

    gateway = RunningGateway(forever, task)
    await gateway.started()
    fail.set()
    assert await asyncio.wait_for(gateway.running, 10) == 1


def counted(status: str) -> float:
    labels = {"route": "/body", "method": "POST", "status": status}
    return REGISTRY.get_sample_value("productive_mcp_http_requests_total", labels) or 0.0


async def test_a_client_that_disconnects_during_its_body_is_not_counted_as_a_failure() -> None:
    before = counted("499"), counted("500")
    gateway = RunningGateway()
    await gateway.started()
    _, writer = await gateway.open(0, "POST /body HTTP/1.1")
    writer.write(b"content-length: 10\r\n\r\nabc")
    await asyncio.wait_for(gateway.asked.wait(), 10)
    writer.close()
    gateway.stop.set()
    assert await asyncio.wait_for(gateway.running, 10) == 0
    assert (counted("499"), counted("500")) == (before[0] + 1, before[1])


@pytest.mark.attack("G-07")
@pytest.mark.attack("L-10")
def test_new_connections_do_not_wait_for_one_another_on_a_busy_gateway() -> None:
    async def turns_until_all_are_accepted() -> int:
        sockets = listen(["127.0.0.1"], 0)
        server = Server(PlainTextResponse("done"), sockets, PortLimits())
        running = asyncio.create_task(server.run_until_exit())
        await eventually(lambda: server.started, what="it serves")
        with ExitStack() as clients:
            for _ in range(160):
                # The kernel connects them, while the event loop is busy with this.
                clients.enter_context(socket.create_connection(sockets[0].getsockname()))
            turns = 0
            while len(server.server_state.connections) < 160:
                turns += 1
                await asyncio.sleep(0)
        server.should_exit = True
        await running
        return turns

    assert uvloop.run(turns_until_all_are_accepted()) < 40


def test_an_unhandled_error_is_answered_with_a_number_for_the_administrator() -> None:
    async def fail(_: Request) -> Response:
        raise ValueError("a detail")

    routes = [Route("/fail", Endpoint({"GET": fail})), Route("/mcp", PlainTextResponse("mcp"))]
    public = public_app(routes, resource="https://mcp.example.test/mcp")
    answer = TestClient(public, raise_server_exceptions=False).get("/fail")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "a detail" not in answer.text
    assert TestClient(public).get("/none").status_code == 404


class Descriptors:
    """The limits of open files, as a system would keep them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.limits = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", lambda _: self.limits)
        monkeypatch.setattr(resource, "setrlimit", self.set)

    def set(self, _: int, limits: tuple[int, int]) -> None:
        if limits[1] != self.limits[1] or (self.limits[1] != -1 and limits[0] > self.limits[1]):
            raise ValueError("not allowed to raise maximum limit")
        self.limits = limits


@pytest.mark.attack("Q-06")
@pytest.mark.parametrize(
    ("limits", "wanted", "taken", "raised"),
    [
        ((1024, 1_048_576), 1000, 1000, 2256),
        ((256, -1), 1000, 1000, 2256),
        ((65_536, 65_536), 1000, 1000, 65_536),
        (
            (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
            100_000,
            100_000,
            resource.RLIM_INFINITY,
        ),
        ((1024, 1024), 1000, 384, 1024),
        ((1024, 1500), 1000, 622, 1500),
        ((100, 100), 1000, 1, 100),
    ],
)
def test_no_more_connections_are_taken_than_there_are_descriptors_for(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], wanted: int, taken: int, raised: int
) -> None:
    system = Descriptors(monkeypatch, *limits)
    with capture_logs() as lines:
        assert open_connections(wanted) == taken
    assert system.limits[0] == raised
    assert [line["event"] for line in lines] == (
        [] if taken == wanted else ["gateway.few_descriptors"]
    )


@pytest.mark.attack("Q-06")
async def test_gateway_is_composed_for_the_connections_that_it_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Descriptors(monkeypatch, 1024, 1024)
    composed: list[int] = []

    class Composed(Exception):
        pass

    @asynccontextmanager
    async def composing(settings: Settings) -> AsyncIterator[Gateway]:
        composed.append(settings.max_connections)
        raise Composed
        yield

    ports = {"PORT": str(free_port()), "INTERNAL_PORT": str(free_port())}
    with pytest.raises(Composed):
        await serve(load_settings(CLUSTER | ports), composing)
    assert composed == [384]


@pytest.mark.attack("Q-05")
def test_the_log_says_when_no_address_is_known() -> None:
    with capture_logs() as lines:
        report_unknown_addresses(load_settings(CLUSTER))
        report_unknown_addresses(load_settings(CLUSTER | {"TRUSTED_PROXIES": "10.0.0.0/8"}))
    assert [line["event"] for line in lines] == ["limits.addresses_unknown"]
    assert "TRUSTED_PROXIES" in lines[0]["hint"]


def test_full_collection_leaves_alone_what_lives_as_long_as_the_process() -> None:
    thresholds = gc.get_threshold()
    try:
        tune_collector()
        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects(generation=2)) < gc.get_freeze_count() / 10
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
