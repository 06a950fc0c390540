"""Habits of real clients, replayed: what each does around a sign-in, request by request.

Where a habit needs several replicas, two are used over one store. The addresses that clients may
be answered at are those that the chart allows by default.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from harness.documenthost import CLIENT_ID, DocumentHost, described, document_host
from harness.grantkit import HeldClock
from harness.oauthkit import (
    PUBLIC_URL,
    RESOURCE,
    AuthorizationServer,
    authorization_server,
    moved_on,
    query_of,
)
from productive_gateway.oauth.clients.client import ClientKind
from productive_gateway.oauth.clients.deny_list import read_deny_list
from productive_gateway.oauth.clients.document_cache import STALE

REDIRECT_HOSTS = (
    "claude.ai/api/mcp/auth_callback",
    "claude.com/api/mcp/auth_callback",
    "chatgpt.com/connector_platform_oauth_redirect",
    "chatgpt.com/connector/oauth/",
    "www.cursor.com/agents/mcp/oauth/callback",
)
CURSOR = (
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
)
CLAUDE = ("https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback")
CHATGPT = "https://chatgpt.com/connector_platform_oauth_redirect"
EPHEMERAL = 53682
METADATA = "/.well-known/oauth-authorization-server"
ANTHROPIC = ("160.79.104.10", "160.79.105.77")
"""Two addresses that one client's requests come from."""


@asynccontextmanager
async def gateway(**oauth: Any) -> AsyncIterator[AuthorizationServer]:
    policy = {"redirect_hosts": REDIRECT_HOSTS, "redirect_schemes": CURSOR[:1]} | oauth
    async with authorization_server(oauth=policy) as server:
        yield server


@asynccontextmanager
async def gateway_for_documents(
    host: DocumentHost, *, replica: AuthorizationServer | None = None, **clients: Any
) -> AsyncIterator[AuthorizationServer]:
    """Start a gateway, or another replica, that fetches documents from this host."""
    clock = replica.clock if replica else HeldClock()
    documents = host.documents(clock)
    shared: dict[str, Any] = {"store": replica.store, "keys": replica.keys} if replica else {}
    async with authorization_server(
        oauth={"redirect_hosts": REDIRECT_HOSTS},
        clock=clock,
        documents=documents,
        clients=clients,
        **shared,
    ) as server:
        yield server
    await documents.aclose()


@asynccontextmanager
async def replica_of(server: AuthorizationServer) -> AsyncIterator[AuthorizationServer]:
    policy = {"redirect_hosts": REDIRECT_HOSTS}
    async with authorization_server(
        oauth=policy, store=server.store, keys=server.keys, clock=server.clock
    ) as other:
        yield other


@dataclass
class App:
    """A program that was connected: where it sends its requests from, and what it holds."""

    client_id: str
    refresh_token: str

    def form(self) -> dict[str, str]:
        return {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "refresh_token": self.refresh_token,
            "resource": RESOURCE,
        }

    async def refresh(
        self, server: AuthorizationServer, *, address: str = "127.0.0.1"
    ) -> httpx.Response:
        """Refresh from an address, without storing the answer."""
        transport = httpx.ASGITransport(app=server.app, client=(address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
            return await http.post("/token", data=self.form())


async def connect(server: AuthorizationServer, client_id: str, uri: str) -> App:
    browser = server.browser()
    code = await browser.code(client_id, redirect_uri=uri)
    answer = await browser.redeem(client_id, code, redirect_uri=uri)
    assert answer.status_code == 200, answer.text
    return App(client_id, answer.json()["refresh_token"])


def only_successor(answers: Iterable[httpx.Response]) -> str:
    """Return the one refresh token that all of these answers have."""
    assert {answer.status_code for answer in answers} == {200}, [one.text for one in answers]
    [token] = {answer.json()["refresh_token"] for answer in answers}
    return str(token)


# --- Claude Code


@pytest.mark.attack("B-04")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_claude_code_comes_back_at_a_port_that_it_did_not_register(host: str) -> None:
    async with gateway() as server:
        client = await server.register(
            client_name="Claude Code (productive)",
            redirect_uris=["http://localhost/callback", "http://127.0.0.1/callback"],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
        )
        uri, browser = f"http://{host}:{EPHEMERAL}/callback", server.browser()
        answer = await browser.sign_in(client["client_id"], redirect_uri=uri)
        assert answer.headers["location"].startswith(f"{uri}?code=")
        code = query_of(answer.headers["location"])["code"]
        # Another port is right when it is asked for; the one of the request is compared exactly.
        other = f"http://{host}:{EPHEMERAL + 1}/callback"
        refused = await browser.redeem(client["client_id"], code, redirect_uri=other)
        assert refused.json()["error"] == "invalid_grant"
        assert (await browser.redeem(client["client_id"], code, redirect_uri=uri)).is_success


@pytest.mark.attack("J-02")
async def test_several_processes_of_claude_code_refresh_the_same_token_at_once() -> None:
    async with gateway() as server, replica_of(server) as other:
        client = await server.register(redirect_uris=["http://localhost/callback"])
        app = await connect(server, client["client_id"], f"http://localhost:{EPHEMERAL}/callback")
        for _ in range(3):
            answers = await asyncio.gather(*(app.refresh(one) for one in (server, other) * 3))
            # Whichever answer each process stores, all of them hold the same token.
            app.refresh_token = only_successor(answers)
            server.clock.forward(3600)


@pytest.mark.attack("B-04", "J-02")
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_processes_of_claude_code_with_a_document_share_one_sign_in(name: str) -> None:
    uris = ["http://localhost/callback", "http://127.0.0.1/callback"]
    async with (
        document_host() as host,
        gateway_for_documents(host) as server,
        gateway_for_documents(host, replica=server) as other,
    ):
        host.publish(described(client_name="Claude Code", redirect_uris=uris))
        app = await connect(server, CLIENT_ID, f"http://{name}:{EPHEMERAL}/callback")
        for _ in range(3):
            answers = await asyncio.gather(*(app.refresh(one) for one in (server, other) * 3))
            app.refresh_token = only_successor(answers)
            server.clock.forward(3600)
        # Each sign-in is at another free port.
        again = await connect(other, CLIENT_ID, f"http://{name}:{EPHEMERAL + 7}/callback")
        assert (await again.refresh(server)).is_success
        assert (await app.refresh(server)).is_success


# --- claude.ai


async def test_claude_ai_registers_anew_after_its_client_became_unknown() -> None:
    """It throws its client away on 401 `invalid_client` at /token, and on nothing else."""
    async with gateway() as former:
        client = await former.register(client_name="Claude", redirect_uris=list(CLAUDE))
        app = await connect(former, client["client_id"], CLAUDE[0])
    async with gateway() as server:  # with another key ring
        answer = await app.refresh(server)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        client = await server.register(client_name="Claude", redirect_uris=list(CLAUDE))
        for uri in CLAUDE:
            app = await connect(server, client["client_id"], uri)
            assert (await app.refresh(server)).is_success


async def test_claude_ai_finds_the_ways_that_it_asks_for_in_the_metadata() -> None:
    async with gateway() as server:
        metadata = (await server.browser().http.get(METADATA)).json()
        assert "none" in metadata["token_endpoint_auth_methods_supported"]
        assert metadata["code_challenge_methods_supported"] == ["S256"]
        assert metadata["issuer"] == PUBLIC_URL


@pytest.mark.attack("J-02")
async def test_claude_ai_refreshes_one_token_from_two_addresses() -> None:
    async with gateway() as server, replica_of(server) as other:
        client = await server.register(client_name="Claude", redirect_uris=list(CLAUDE))
        app = await connect(server, client["client_id"], CLAUDE[0])
        first = await app.refresh(server, address=ANTHROPIC[0])
        server.clock.forward(20)
        second = await app.refresh(other, address=ANTHROPIC[1])
        app.refresh_token = only_successor([first, second])
        assert (await app.refresh(other, address=ANTHROPIC[0])).is_success


@pytest.mark.attack("H-06")
@pytest.mark.parametrize("offered", [True, False])
async def test_claude_ai_finds_whether_it_may_come_with_its_document(offered: bool) -> None:
    """It does so only if the metadata offer documents, and `none` as a way to authenticate."""
    kinds = {ClientKind.REGISTERED} | ({ClientKind.METADATA_DOCUMENT} if offered else set())
    async with document_host() as host, gateway_for_documents(host, kinds=kinds) as server:
        host.publish(described(client_name="Claude", redirect_uris=list(CLAUDE)))
        metadata = (await server.browser().http.get(METADATA)).json()
        assert metadata.get("client_id_metadata_document_supported", False) is offered
        assert "none" in metadata["token_endpoint_auth_methods_supported"]
        client_id = CLIENT_ID
        if not offered:
            registered = await server.register(client_name="Claude", redirect_uris=list(CLAUDE))
            client_id = registered["client_id"]
        assert (await (await connect(server, client_id, CLAUDE[0])).refresh(server)).is_success


@pytest.mark.attack("J-02")
async def test_claude_ai_with_a_document_refreshes_one_token_from_two_addresses() -> None:
    async with (
        document_host() as host,
        gateway_for_documents(host) as server,
        gateway_for_documents(host, replica=server) as other,
    ):
        host.publish(described(client_name="Claude", redirect_uris=list(CLAUDE)))
        app = await connect(server, CLIENT_ID, CLAUDE[0])
        first = await app.refresh(server, address=ANTHROPIC[0])
        server.clock.forward(20)
        second = await app.refresh(other, address=ANTHROPIC[1])
        app.refresh_token = only_successor([first, second])
        assert (await app.refresh(other, address=ANTHROPIC[0])).is_success
        assert len(host.heads) == 2, "each replica asks for the document once"


@pytest.mark.attack("K-08", "J-12")
async def test_claude_ai_keeps_its_sign_in_while_its_document_cannot_be_fetched() -> None:
    """A replica that knows the document refreshes for a day; a new one says to try again."""
    async with document_host() as host, gateway_for_documents(host) as server:
        host.publish(described(client_name="Claude", redirect_uris=list(CLAUDE)))
        app = await connect(server, CLIENT_ID, CLAUDE[0])
        host.away = True
        async with gateway_for_documents(host, replica=server) as new:
            for _ in range(3):
                answer = await app.refresh(new)
                assert answer.status_code == 503
                assert answer.json()["error"] == "temporarily_unavailable"
                server.clock.forward(int(answer.headers["retry-after"]))
            server.clock.forward(STALE / 2)
            app.refresh_token = only_successor([await app.refresh(server)])
            server.clock.forward(STALE / 2)
            late = await app.refresh(server)
            assert late.status_code == 503
            host.away = False
            server.clock.forward(int(late.headers["retry-after"]))
            answers = await asyncio.gather(app.refresh(server), app.refresh(new))
            assert only_successor(answers) != app.refresh_token


@pytest.mark.attack("O-11", "K-12")
@pytest.mark.parametrize(
    "entry",
    [{"clients": [CLIENT_ID]}, {"hosts": ["assistant.example"]}, {"names": ["claude"]}],
    ids=["address", "host", "name"],
)
async def test_client_with_a_document_that_is_shut_out_after_the_consent_gets_no_tokens(
    entry: dict[str, list[str]],
) -> None:
    async with document_host() as host, gateway_for_documents(host) as server:
        host.publish(described(client_name="Claude", redirect_uris=list(CLAUDE)))
        app = await connect(server, CLIENT_ID, CLAUDE[0])
        browser = server.browser()
        code = await browser.code(CLIENT_ID, redirect_uri=CLAUDE[0])
        denied = read_deny_list(json.dumps(entry))
        async with gateway_for_documents(host, replica=server, denied=denied) as strict:
            redeemed = await strict.browser().redeem(CLIENT_ID, code, redirect_uri=CLAUDE[0])
            for refused in (await app.refresh(strict), redeemed):
                assert refused.status_code == 400
                assert refused.json()["error"] == "invalid_grant"
            page = await strict.browser().authorize(CLIENT_ID, redirect_uri=CLAUDE[0])
            assert page.status_code == 403
            assert "location" not in page.headers
        # Nothing was ended: a mistake in the list can be taken back.
        assert (await app.refresh(server)).is_success


# --- ChatGPT


@pytest.mark.attack("A-11")
async def test_chatgpt_uses_its_stable_address_because_answers_name_their_issuer() -> None:
    async with gateway() as server:
        metadata = (await server.browser().http.get(METADATA)).json()
        stable = metadata["authorization_response_iss_parameter_supported"]
        uri = CHATGPT if stable else "https://chatgpt.com/connector/oauth/Zk9dPq3A"
        client = await server.register(client_name="ChatGPT", redirect_uris=[uri])
        answer = await server.browser().sign_in(client["client_id"], redirect_uri=uri)
        assert answer.headers["location"].startswith(f"{CHATGPT}?")
        assert query_of(answer.headers["location"])["iss"] == metadata["issuer"]
        browser = server.browser()
        page = await browser.authorize(client["client_id"], redirect_uri=uri)
        denied = query_of(moved_on(await browser.decide(page, "deny")))
        assert (denied["error"], denied["iss"]) == ("access_denied", metadata["issuer"])


async def test_chatgpt_may_use_an_address_of_the_connection_as_well() -> None:
    async with gateway() as server:
        uri = "https://chatgpt.com/connector/oauth/Zk9dPq3A"
        client = await server.register(client_name="ChatGPT", redirect_uris=[uri])
        assert (await (await connect(server, client["client_id"], uri)).refresh(server)).is_success


# --- Cursor


@pytest.mark.attack("B-07")
@pytest.mark.parametrize("uri", CURSOR)
async def test_cursor_registers_three_addresses_at_once_and_uses_any_of_them(uri: str) -> None:
    async with gateway() as server:
        client = await server.register(client_name="Cursor", redirect_uris=list(CURSOR))
        assert client["redirect_uris"] == list(CURSOR)
        assert (await (await connect(server, client["client_id"], uri)).refresh(server)).is_success


@pytest.mark.attack("B-07")
async def test_cursor_can_register_where_one_of_its_addresses_is_the_gateway_itself() -> None:
    own = "http://localhost:8787"
    local = {"public_url": own, "resource": f"{own}/mcp", "local": True, "redirect_hosts": "*"}
    async with gateway(**local) as server:
        client = await server.register(client_name="Cursor", redirect_uris=list(CURSOR))
        browser = server.browser()
        answer = await browser.sign_in(
            client["client_id"], redirect_uri=CURSOR[0], resource=f"{own}/mcp"
        )
        code = query_of(answer.headers["location"])["code"]
        redeemed = await browser.redeem(
            client["client_id"], code, redirect_uri=CURSOR[0], resource=f"{own}/mcp"
        )
        assert redeemed.is_success


# --- Codex, LibreChat


@pytest.mark.attack("J-02", "J-04")
async def test_a_server_with_many_workers_refreshes_once_for_each_of_them() -> None:
    """Each worker refreshes what it finds, and some still hold the token of a moment ago."""
    async with gateway() as server, replica_of(server) as other:
        client = await server.register(redirect_uris=["http://localhost/callback"])
        app = await connect(server, client["client_id"], "http://localhost:3080/callback")
        answers = await asyncio.gather(*(app.refresh(one) for one in (server, other) * 5))
        newer = App(app.client_id, only_successor(answers))
        server.clock.forward(119)
        late = await app.refresh(other)
        assert only_successor([late]) == newer.refresh_token
        # A worker that comes after the grace and after the newer token was used ends the sign-in.
        newer.refresh_token = only_successor([await newer.refresh(server)])
        server.clock.forward(200)
        assert (await app.refresh(other)).json()["error"] == "invalid_grant"
        assert (await newer.refresh(server)).json()["error"] == "invalid_grant"


# --- Claude Desktop


@pytest.mark.attack("C-10")
async def test_claude_desktop_submits_the_approval_twice_within_a_second() -> None:
    async with gateway() as server:
        client, browser = await server.register(redirect_uris=list(CLAUDE)), server.browser()
        page = await browser.authorize(client["client_id"], redirect_uri=CLAUDE[0])
        submitted = await asyncio.gather(browser.decide(page), browser.decide(page))
        [url] = {moved_on(one) for one in submitted}
        answer = await browser.http.get(f"/callback?{server.provider.sign_in(url)}")
        code = query_of(answer.headers["location"])["code"]
        # It also opens the answer again; the first one stays good.
        again = await browser.http.get(f"/callback?{server.provider.sign_in(url)}")
        assert again.status_code == 400
        assert "already complete" in again.text
        assert (await browser.redeem(client["client_id"], code, redirect_uri=CLAUDE[0])).is_success
        assert await server.records() == 2, "one grant, one subject binding"
