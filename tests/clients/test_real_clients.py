"""Real clients through the life of a sign-in: it begins, is refreshed, revoked, and begins anew.

Access tokens live for ten seconds here. All clients share one gateway, and wait at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from mcp.client import Client as SdkClient

from harness.browser import chromium
from harness.deployment import environment
from harness.forms import follow
from harness.npm import node, program, script
from harness.processes import eventually, free_port, pause
from harness.sdkclient import Assistant, Mode
from harness.standalone import ANA, Standalone, standalone

TOOL = "get_me"
NAME = "Ana Kovač"
CALL_SECONDS = 120


@dataclass
class Person:
    """Opens what clients ask her to open, and counts that."""

    sign_ins: int = 0

    async def open(self, address: str, until: str) -> None:
        self.sign_ins += 1
        reached = await asyncio.to_thread(follow, address, {"email": ANA}, until=until)
        await asyncio.to_thread(
            eventually, lambda: _arrived(reached), seconds=60, what="the client listens"
        )


def _arrived(address: str) -> bool:
    try:
        httpx.get(address, timeout=30, trust_env=False)
    except httpx.ConnectError:
        return False  # mcp-remote prints the address before it listens
    return True


@dataclass
class TypeScript:
    """The TypeScript SDK in a process of its own."""

    process: asyncio.subprocess.Process
    port: int
    person: Person

    @property
    def sign_ins(self) -> int:
        return self.person.sign_ins

    async def call(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{TOOL}\n".encode())
        while True:
            answer = await _line(self.process)
            if "open" not in answer:
                break
            await self.person.open(answer["open"], f"http://127.0.0.1:{self.port}/callback")
        return str(answer.get("text", answer))


@dataclass
class McpRemote:
    """npm's mcp-remote: a client on standard input and output, as desktop applications start it."""

    url: str
    folder: Path
    person: Person
    port: int = field(default_factory=free_port)

    @property
    def sign_ins(self) -> int:
        return self.person.sign_ins

    async def call(self) -> str:
        process = await asyncio.create_subprocess_exec(
            await asyncio.to_thread(node),
            program("mcp-remote"),
            self.url,
            str(self.port),
            "--allow-http",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment({"MCP_REMOTE_CONFIG_DIR": str(self.folder)}),
        )
        opening = asyncio.create_task(self._open_what_it_prints(process))
        try:
            assert process.stdin is not None
            for message in _session():
                process.stdin.write(json.dumps(message).encode() + b"\n")
            while True:
                answer = await _line(process)
                if answer.get("id") == 2:
                    return str(answer["result"]["content"][0]["text"])
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await opening

    async def _open_what_it_prints(self, process: asyncio.subprocess.Process) -> None:
        """Open the address for which it finds no browser here."""
        assert process.stderr is not None
        async for line in process.stderr:
            if b"/authorize?" in line:
                await self.person.open(line.decode().strip(), f"http://localhost:{self.port}/")


@dataclass
class Python:
    """The Python SDK, with a real browser.

    It stays connected: it does not keep when a token expires, so that after a new start it would
    sign in again instead of refreshing.
    """

    assistant: Assistant
    connected: SdkClient

    @property
    def sign_ins(self) -> int:
        return self.assistant.sign_ins

    async def call(self) -> str:
        result = await self.connected.call_tool(TOOL, {})
        return str(result.content[0].text)


Client = TypeScript | McpRemote | Python


async def test_clients_sign_in_refresh_are_revoked_and_recover() -> None:
    with standalone(ACCESS_TOKEN_SECONDS="10") as site:
        await asyncio.to_thread(site.start_dev_provider)
        await asyncio.to_thread(site.start_gateway)
        async with _clients(site) as clients:
            for name, client in clients.items():
                assert NAME in await _called(client), name
                assert client.sign_ins == 1, name
            await _until_expired(site, clients["Python SDK"])

            for name, client in clients.items():
                assert NAME in await _called(client), name
                assert client.sign_ins == 1, f"{name} did not refresh, but asked to sign in again"

            await asyncio.to_thread(_lose_grants, site)
            for name, client in clients.items():
                assert NAME in await _called(client), name
                assert client.sign_ins == 2, f"{name} did not sign in anew after its grant ended"


@asynccontextmanager
async def _clients(site: Standalone) -> AsyncIterator[dict[str, Client]]:
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(chromium())
        modes: dict[str, Mode] = {"Python SDK": "auto", "Python SDK, older revisions": "legacy"}
        clients: dict[str, Client] = {}
        for name, mode in modes.items():
            assistant = Assistant(site.mcp_url, ANA, browser, mode=mode)
            connected = await stack.enter_async_context(assistant.connected())
            clients[name] = Python(assistant, connected)
        clients["TypeScript SDK"] = await _typescript(site, stack)
        clients["mcp-remote"] = McpRemote(site.mcp_url, site.folder / "mcp-remote", Person())
        yield clients


async def _typescript(site: Standalone, stack: AsyncExitStack) -> TypeScript:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        await asyncio.to_thread(node),
        script("typescript-client.mjs"),
        site.mcp_url,
        str(port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment({}),
    )

    async def end() -> None:
        process.kill()
        await process.wait()

    stack.push_async_callback(end)
    return TypeScript(process, port, Person())


async def _called(client: Client) -> str:
    async with asyncio.timeout(CALL_SECONDS):
        return await client.call()


async def _until_expired(site: Standalone, client: Client) -> None:
    """Wait until the access token that the first client holds is refused."""
    assert isinstance(client, Python)
    tokens = client.assistant.memory.tokens
    assert tokens is not None
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    headers = {
        "Authorization": f"Bearer {tokens.access_token}",
        "Accept": "application/json, text/event-stream",
    }
    async with (
        asyncio.timeout(CALL_SECONDS),
        httpx.AsyncClient(timeout=CALL_SECONDS, trust_env=False) as http,
    ):
        status = 0
        while status != 401:
            status = (await http.post(site.mcp_url, json=body, headers=headers)).status_code
            await asyncio.to_thread(pause, 0.2)


def _lose_grants(site: Standalone) -> None:
    """End every grant: the gateway keeps them in memory."""
    site.programs["gateway"].restart()
    site.until_ready()


def _session() -> list[dict[str, Any]]:
    begin = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "desktop", "version": "1"},
    }
    return [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": begin},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": TOOL}},
    ]


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, f"the client ended with {await process.wait()}"
    document: dict[str, Any] = json.loads(line)
    return document
