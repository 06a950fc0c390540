"""The Python SDK as the MCP client of a person: signs in with a browser, keeps its tokens."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2
from aiohttp import web
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from playwright.async_api import Browser
from pydantic import AnyUrl

from harness.browser import approve, sign_in
from harness.processes import free_port

Mode = Literal["auto", "legacy"]
TIMEOUT = httpx2.Timeout(30, read=300)
"""Of the SDK's own client; the default of httpx2 is five seconds."""


@dataclass
class Memory:
    """Stores the client's registration and tokens, which tests may read and set."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class Assistant:
    """One installation of an assistant, used by one person."""

    url: str
    email: str
    browser: Browser
    mode: Mode = "auto"
    memory: Memory = field(default_factory=Memory)
    trusted: ssl.SSLContext | bool = True
    """The authorities that it trusts, if not the public ones."""
    sign_ins: int = 0
    """The number of sign-ins through the browser."""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        """Connect during the block; sign in first if there are no usable tokens."""
        port = free_port()
        arrived: asyncio.Queue[AuthorizationCodeResult] = asyncio.Queue()

        async def callback(request: web.Request) -> web.Response:
            query = request.query
            await arrived.put(
                AuthorizationCodeResult(
                    code=query["code"], state=query.get("state"), iss=query.get("iss")
                )
            )
            return web.Response(text="You can close this window.")

        async def redirect(url: str) -> None:
            self.sign_ins += 1
            context = await self.browser.new_context()
            page = await context.new_page()
            await approve(page, url)
            await sign_in(page, self.email)
            await page.wait_for_url("**/cb?**")
            await context.close()

        provider = OAuthClientProvider(
            server_url=self.url,
            client_metadata=OAuthClientMetadata(
                client_name="Assistant of the tests",
                redirect_uris=[AnyUrl(f"http://127.0.0.1:{port}/cb")],
                token_endpoint_auth_method="none",
            ),
            storage=self.memory,
            redirect_handler=redirect,
            callback_handler=arrived.get,
        )
        async with (
            _listening(port, callback),
            httpx2.AsyncClient(auth=provider, verify=self.trusted, timeout=TIMEOUT) as http,
        ):
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=self.mode) as client:
                yield client

    async def call(self, tool: str, arguments: dict[str, Any] | None = None) -> Any:
        """Connect, call one tool, and return the SDK's result."""
        async with self.connected() as client:
            return await client.call_tool(tool, arguments or {})


@asynccontextmanager
async def _listening(port: int, callback: Any) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_get("/cb", callback)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()
