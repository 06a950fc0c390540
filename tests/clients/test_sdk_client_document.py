"""The MCP SDK's own client signs in with a document instead of a registration."""

from __future__ import annotations

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from pydantic import AnyUrl
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.documenthost import CLIENT_ID, HOST, document_host
from harness.grantkit import HeldClock
from harness.oauthkit import (
    CALLBACK,
    PUBLIC_URL,
    RESOURCE,
    AuthorizationServer,
    authorization_server,
    moved_on,
    query_of,
)
from harness.sdkclient import Memory


class Guarded:
    """The authorization server, and an endpoint beside it that asks for a token of it."""

    def __init__(self, server: ASGIApp) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/mcp":
            await self._server(scope, receive, send)
            return
        metadata = f'Bearer resource_metadata="{PUBLIC_URL}/.well-known/oauth-protected-resource"'
        response: Response = PlainTextResponse("welcome")
        if "authorization" not in Request(scope).headers:
            response = Response(status_code=401, headers={"www-authenticate": metadata})
        await response(scope, receive, send)


class Person:
    """Somebody who approves what the client asks for."""

    def __init__(self, server: AuthorizationServer) -> None:
        self.pages: list[str] = []
        self._server = server
        self._answer: dict[str, str] = {}

    async def open(self, url: str) -> None:
        browser = self._server.browser()
        page = await browser.http.get(url)
        self.pages.append(page.text)
        provider = moved_on(await browser.decide(page))
        back = await browser.http.get(f"/callback?{self._server.provider.sign_in(provider)}")
        self._answer = query_of(back.headers["location"])

    async def answer(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**self._answer)


async def test_the_sdk_signs_in_by_its_document() -> None:
    clock, memory = HeldClock(), Memory()
    async with document_host() as host:
        documents = host.documents(clock)
        async with authorization_server(clock=clock, documents=documents) as server:
            person = Person(server)
            auth = OAuthClientProvider(
                RESOURCE,
                OAuthClientMetadata(client_name="SDK", redirect_uris=[AnyUrl(CALLBACK)]),
                memory,
                redirect_handler=person.open,
                callback_handler=person.answer,
                client_metadata_url=CLIENT_ID,
            )
            transport = httpx2.ASGITransport(app=Guarded(server.app))
            async with httpx2.AsyncClient(transport=transport, auth=auth) as http:
                answer = await http.post(RESOURCE, json={})
            assert answer.text == "welcome"
            assert f"<dt>Described by</dt><dd>{HOST}</dd>" in person.pages[0]
            assert memory.client is not None
            assert memory.client.client_id == CLIENT_ID, "it did not register"
            assert memory.tokens is not None
            assert memory.tokens.refresh_token is not None
            assert len(host.heads) == 1
