"""/mcp and the tools over the simulator of Productive, with people who call them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from productive_contract.mapping import Access, Person, State
from productive_contract.secret import Secret
from productive_dev.simulator.app import simulator
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.request_log import Logged
from productive_dev.simulator.world import World
from productive_gateway.errors import InvalidToken
from productive_gateway.grants.ledger import PersonLedgers
from productive_gateway.grants.store import GrantStore
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.mcp.config import McpConfig
from productive_gateway.mcp.endpoint import McpEndpoint
from productive_gateway.mcp.failed_tokens import FailedTokens
from productive_gateway.mcp.token_watch import Authenticate
from productive_gateway.people.principal import Principal
from productive_gateway.people.scopes import ALL
from productive_gateway.productive.wire.client import MEDIA_TYPE, ProductiveApi
from productive_gateway.productive.wire.limiter import Limiter
from productive_gateway.sealing.keys import FixedKeys, new_ring
from productive_gateway.tools.kit.declare import Tool
from productive_gateway.tools.registry import TOOLS, Answer, ToolRegistry
from productive_gateway.tools.writes.writes import Writes

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC).timestamp()
"""A Monday, nine o'clock in Zagreb."""
PUBLIC = "https://mcp.example.test"
RESOURCE = f"{PUBLIC}/mcp"
METADATA = f"{PUBLIC}/.well-known/oauth-protected-resource/mcp"
BOTH = frozenset(ALL)
ANA = "simulator-ana-kovac"
ADMIN = "it@northlight.example"
MODERN = "2026-07-28"
KEYS = FixedKeys(new_ring(NOW, lambda size: bytes(range(size))))


class HeldTime:
    """A clock that only sleeping moves; `slept` holds each sleep's seconds."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Let other tasks run until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # the condition has no event of its own
            await asyncio.sleep(0)


def person(
    token: str | None = ANA,
    *,
    user_id: int = 9104,
    email: str = "ana.kovac@northlight.example",
    **changes: Any,
) -> Person:
    values: dict[str, Any] = {
        "email": email,
        "uid": f"uid-{user_id}",
        "user": f"people/{email.partition('@')[0]}",
        "user_id": user_id,
        "state": State.ACTIVE,
        "api_token": Secret(token) if token else None,
        "access": Access(),
    }
    return Person(**{**values, **changes})


def principal(who: Person | None = None, scopes: frozenset[str] = BOTH) -> Principal:
    return Principal(person=who or person(), grant="grant-1", client="c0ffee", scopes=scopes)


class SimulatorTransport(httpx.AsyncBaseTransport):
    """Passes requests to the simulator; a test can delay them or replace their answers.

    `before` runs ahead of each request, `after` when the simulator is done with it.
    """

    def __init__(self, app: Starlette) -> None:
        self.forward = httpx.ASGITransport(app).handle_async_request
        """Asks the simulator; a test may change its answers."""
        self.before: Callable[[httpx.Request], Awaitable[None]] | None = None
        self.after: Callable[[httpx.Request], None] | None = None
        self.answer: Callable[[httpx.Request], httpx.Response | None] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.before is not None:
            await self.before(request)
        if self.answer is not None and (given := self.answer(request)) is not None:
            return given
        try:
            return await self.forward(request)
        except AssertionError as error:
            # How a cut answer shows in memory; over a socket it is the error below.
            raise httpx.RemoteProtocolError("the answer was cut") from error
        finally:
            if self.after is not None:
                self.after(request)


@dataclass
class SimulatedTools:
    """The tool registry over a simulator of its own."""

    time: HeldTime
    simulator: Starlette
    transport: SimulatorTransport
    api: ProductiveApi
    registry: ToolRegistry

    @property
    def world(self) -> World:
        world: World = self.simulator.state.world
        return world

    def requests(self, method: str | None = None, path: str = "") -> list[Logged]:
        """Return the requests that the simulator answered."""
        return [
            entry
            for entry in self.world.log
            if entry.method == (method or entry.method) and entry.path.startswith(path)
        ]

    async def call(self, name: str, who: Principal | None = None, **arguments: Any) -> Answer:
        return await self.registry.call(who or principal(), name, arguments)

    async def post(self, path: str, resource: Mapping[str, Any], token: str = ANA) -> Any:
        """Write past the tools, as a person's other program does; return the record's id."""
        headers = {"X-Auth-Token": token, "X-Organization-Id": "1200", "Content-Type": MEDIA_TYPE}
        async with httpx.AsyncClient(transport=self.transport, headers=headers) as http:
            answer = await http.post(f"{self.api.base_url}{path}", json={"data": resource})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return answer.json()["data"]["id"]

    async def log(self, *entries: Mapping[str, Any], **rest: Any) -> Answer:
        return await self.call("log_time", entries=list(entries), **rest)


@asynccontextmanager
async def simulated_tools(
    *,
    tools: tuple[Tool, ...] = TOOLS,
    limiter: Limiter | None = None,
    writes: Writes | None = None,
    store: GrantStore | None = None,
    **settings: Any,
) -> AsyncIterator[SimulatedTools]:
    """Start a simulator and yield the tools over it; `store` is shared with other replicas."""
    time = HeldTime()
    app = simulator(SimulatorConfig(clock=time))
    transport = SimulatorTransport(app)
    async with transport:
        api = ProductiveApi(
            "http://simulator.test/api/v2",
            transport,
            "1200",
            clock=time,
            sleep=time.sleep,
            limiter=limiter,
        )
        ledgers = PersonLedgers(store or MemoryGrantStore(), KEYS, clock=time)
        registry = ToolRegistry(
            tools,
            api,
            KEYS,
            writes or Writes.over(ledgers, KEYS, clock=time),
            admin_contact=ADMIN,
            **settings,
        )
        yield SimulatedTools(time, app, transport, api, registry)


@dataclass
class KnownTokens:
    """Replaces authentication: each known token with its principal, or the error it raises."""

    known: dict[str, Principal | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def authenticate(self, token: str) -> Principal:
        self.asked.append(token)
        found = self.known.get(token)
        if found is None:
            raise InvalidToken("This sign-in has ended. Sign in again.", reason="unknown")
        if isinstance(found, Exception):
            raise found
        return found


@dataclass
class McpServer:
    """/mcp over the simulated tools, in memory."""

    tools: SimulatedTools
    tokens: KnownTokens
    endpoint: McpEndpoint
    http: httpx.AsyncClient

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.endpoint(scope, receive, send)

    async def post(
        self,
        message: Any,
        *,
        token: str | None = "good",
        version: str | None = "2025-11-25",
        **headers: str,
    ) -> httpx.Response:
        sent = dict(JSON_HEADERS)
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        if version is not None:
            sent["mcp-protocol-version"] = version
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.http.post("/mcp", content=content, headers=sent)

    async def modern(self, method: str, *, token: str = "good", **params: Any) -> httpx.Response:
        name = {"mcp_name": params["name"]} if "name" in params else {}
        message = request(method, **params, _meta=META)
        return await self.post(message, token=token, version=MODERN, mcp_method=method, **name)


JSON_HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
}
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def request(method: str, number: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def result_of(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON-RPC message of an answer, JSON or event stream."""
    assert response.status_code == 200, (response.status_code, response.text)
    if response.headers["content-type"].startswith("text/event-stream"):
        lines = [line for line in response.text.splitlines() if line.startswith("data: {")]
        return dict(json.loads(lines[-1].removeprefix("data: ")))
    return dict(response.json())


def endpoint_over(
    simulated: SimulatedTools,
    authenticate: Authenticate,
    *,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> McpEndpoint:
    """Return /mcp over the tools; its `run` has to be entered."""
    values: dict[str, Any] = {
        "public_url": PUBLIC,
        "resource": RESOURCE,
        "resource_metadata_url": METADATA,
        "server_version": "1.2.3",
        **(config or {}),
    }
    return McpEndpoint(
        McpConfig(**values),
        authenticate,
        simulated.registry,
        connect_page=lambda: HTMLResponse("<h1>Connect</h1>"),
        **options,
    )


@asynccontextmanager
async def mcp_server(
    *,
    tools: tuple[Tool, ...] = TOOLS,
    config: Mapping[str, Any] | None = None,
    recheck: float = 2.0,
    authenticate: Authenticate | None = None,
    failed_tokens: FailedTokens | None = None,
    plain_calls: bool = True,
    **settings: Any,
) -> AsyncIterator[McpServer]:
    """Start /mcp; unless the caller authenticates otherwise, the token "good" is Ana's."""
    async with simulated_tools(tools=tools, **settings) as simulated:
        tokens = KnownTokens({"good": principal()})
        endpoint = endpoint_over(
            simulated,
            authenticate or tokens.authenticate,
            config=config,
            failed_tokens=failed_tokens,
            recheck=recheck,
            plain_calls=plain_calls,
        )
        async with (
            endpoint.run(),
            httpx.AsyncClient(transport=httpx.ASGITransport(endpoint), base_url=PUBLIC) as http,
        ):
            yield McpServer(simulated, tokens, endpoint, http)


@asynccontextmanager
async def another_replica(first: McpServer, store: GrantStore) -> AsyncIterator[McpServer]:
    """Start /mcp once more, with the same Productive, keys and store, and nothing else shared."""
    time, api = first.tools.time, first.tools.api
    writes = Writes.over(PersonLedgers(store, KEYS, clock=time), KEYS, clock=time)
    registry = ToolRegistry(TOOLS, api, KEYS, writes, admin_contact=ADMIN)
    endpoint = McpEndpoint(
        McpConfig(PUBLIC, RESOURCE, METADATA, server_version="1.2.3"),
        first.tokens.authenticate,
        registry,
        connect_page=lambda: HTMLResponse("<h1>Connect</h1>"),
    )
    async with (
        endpoint.run(),
        httpx.AsyncClient(transport=httpx.ASGITransport(endpoint), base_url=PUBLIC) as http,
    ):
        yield McpServer(replace(first.tools, registry=registry), first.tokens, endpoint, http)
