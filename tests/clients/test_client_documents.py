"""Clients that come with a metadata document, the whole way through real gateways.

API server, operator, and two gateways behind a round-robin proxy. Each gateway fetches the document
from a real HTTPS host, through an outgoing proxy and with its own check of addresses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field

import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from pydantic import AnyUrl

from harness.background import BackgroundLoop
from harness.cluster import Cluster
from harness.connectproxy import ConnectProxy
from harness.deployment import Deployment, Plan
from harness.documenthost import ADDRESS, CLIENT_ID, HOST, DocumentHost, described, document_host
from harness.evidence import audited
from harness.grantrequests import opens_everywhere, stored, works_everywhere
from harness.pages import is_page
from harness.plane import Plane
from harness.processes import eventually, free_port
from harness.sdkclient import Memory, Mode
from harness.signin import Registered, Visitor, code_of, gone_on, new_person, query_of

LOOPBACK = ["http://localhost/callback", "http://127.0.0.1/callback"]
"""As Claude Code writes them: without the port that it will listen at."""
DOCUMENT = described(redirect_uris=LOOPBACK)
HOSTED = "https://assistant.example/callback"


@dataclass(frozen=True, slots=True)
class Site:
    """The deployment, the host of the document, and the proxy that leads there."""

    deployment: Deployment
    host: DocumentHost
    proxy: ConnectProxy

    def restart(self) -> None:
        """Replace all gateways; the new ones know no document."""
        for number in range(self.deployment.plan.replicas):
            self.deployment.restart_gateway(number)


@pytest.fixture(scope="module")
def site(plane: Plane) -> Iterator[Site]:
    """One deployment for this module; each test ends what it changes."""
    background, stack = BackgroundLoop("document host"), AsyncExitStack()
    try:
        host = background.run(stack.enter_async_context(document_host()))
        outgoing = ConnectProxy(target=host.port)
        proxy = background.run(stack.enter_async_context(outgoing.running()))
        with closing(Cluster(plane)) as cluster:
            bundle = cluster.folder / "ca.pem"
            bundle.write_bytes(host.bundle)
            settings = {"HTTPS_PROXY": proxy.url, "CA_BUNDLE": str(bundle)}
            with Deployment(cluster, Plan(forked=True, gateway=settings)).running() as running:
                yield Site(running, host, proxy)
    finally:
        background.run(stack.aclose())
        background.close()


@pytest.fixture
def visitor(site: Site) -> Iterator[Visitor]:
    site.host.publish(DOCUMENT)
    with Visitor(site.deployment) as one:
        yield one
    site.deployment.ingress.pin(None)


def at_port(port: int, *, host: str = "localhost") -> Registered:
    """Return the client of the document, which listens at this port."""
    uri = f"http://{host}:{port}/callback"
    return Registered({"client_id": CLIENT_ID, "redirect_uris": [uri]})


@dataclass
class Sdk:
    """The Python SDK with a document, and a person who approves what it asks for."""

    visitor: Visitor
    email: str
    mode: Mode
    memory: Memory = field(default_factory=Memory)
    pages: list[str] = field(default_factory=list)
    """Consent pages that the person saw."""

    def __post_init__(self) -> None:
        self._answer: dict[str, str] = {}
        self.url = self.visitor.deployment.mcp_url
        self.auth = OAuthClientProvider(
            self.url,
            OAuthClientMetadata(
                client_name="SDK",
                redirect_uris=[AnyUrl(f"http://127.0.0.1:{free_port()}/callback")],
            ),
            self.memory,
            redirect_handler=self._open,
            callback_handler=self._returned,
            client_metadata_url=CLIENT_ID,
        )

    async def _open(self, url: str) -> None:
        await asyncio.to_thread(self._sign_in, url)

    def _sign_in(self, url: str) -> None:
        page = self.visitor.http.get(url)
        self.pages.append(page.text)
        back = self.visitor.sign_in_upstream(gone_on(self.visitor.decide(page)), self.email)
        self._answer = query_of(self.visitor.callback(back).headers["location"])

    async def _returned(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**self._answer)

    async def call(self) -> str:
        """Connect, and call a tool."""
        async with httpx2.AsyncClient(auth=self.auth) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=self.mode) as client:
                result = await client.call_tool("get_me", {})
        assert not result.is_error, result.content
        return str(result.content[0].text)

    def tokens(self) -> tuple[str, str]:
        """Return the access token and the refresh token."""
        assert self.memory.tokens is not None
        assert self.memory.tokens.refresh_token is not None
        return self.memory.tokens.access_token, self.memory.tokens.refresh_token


@pytest.mark.attack("K-03", "K-10", "D-08")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_sdk_signs_in_refreshes_is_revoked_and_recovers(
    site: Site, visitor: Visitor, mode: Mode
) -> None:
    email = await asyncio.to_thread(new_person, site.deployment)
    sdk, fetched = Sdk(visitor, email, mode), len(site.host.heads)
    with audited(site.deployment) as trail:
        assert "Ana Kovač" in await sdk.call()
        assert f"<dt>Described by</dt><dd>{HOST}</dd>" in sdk.pages[0]
        assert sdk.memory.client is not None
        assert sdk.memory.client.client_id == CLIENT_ID, "it did not register"
        assert set(site.proxy.requests) == {f"CONNECT {ADDRESS}:443 HTTP/1.1"}
        assert set(site.host.names) == {HOST}

        first = sdk.tokens()
        sdk.auth.context.token_expiry_time = 1.0  # long ago
        await sdk.call()
        assert first[0] != sdk.tokens()[0]
        assert first[1] != sdk.tokens()[1]
        assert len(sdk.pages) == 1

        await asyncio.to_thread(revoke_everywhere, visitor, *sdk.tokens())
        assert "Ana Kovač" in await sdk.call()
        assert len(sdk.pages) == 2
    assert trail.events().count("signed_in") == 2
    assert trail.events().count("token_refreshed") == 1
    fetches = len(site.host.heads) - fetched
    assert fetches <= site.deployment.plan.replicas, "one fetch for each replica"


def revoke_everywhere(visitor: Visitor, access: str, refresh: str) -> None:
    """Revoke as the client does, and wait until each replica refuses the access token."""
    form = {"client_id": CLIENT_ID, "token": refresh}
    assert visitor.http.post("/revoke", data=form).status_code == httpx.codes.OK
    ingress = visitor.deployment.ingress
    for number in range(visitor.deployment.plan.replicas):
        ingress.pin(number)
        eventually(
            lambda: visitor.call(access).status_code == httpx.codes.UNAUTHORIZED,
            what="the access token is refused",
        )
    ingress.pin(None)


@pytest.mark.attack("J-02", "B-04")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_claude_code_signs_in_at_a_free_port_and_its_processes_refresh_at_once(
    site: Site, visitor: Visitor, host: str
) -> None:
    email, client = new_person(site.deployment), at_port(free_port(), host=host)
    tokens = visitor.tokens(client, email)
    with ThreadPoolExecutor(6) as processes:
        asked = [
            processes.submit(visitor.refresh, client, tokens["refresh_token"]) for _ in range(6)
        ]
        answers = [one.result() for one in asked]
    assert {one.status_code for one in answers} == {httpx.codes.OK}, [one.text for one in answers]
    [successor] = {one.json()["refresh_token"] for one in answers}
    assert stored(site.deployment, email) == [{"state": "active", "generation": "2"}]
    works_everywhere(visitor, client, {**answers[0].json(), "refresh_token": successor})


def test_claude_ai_finds_that_documents_and_clients_without_secret_are_accepted(
    visitor: Visitor,
) -> None:
    metadata = visitor.http.get("/.well-known/oauth-authorization-server").json()
    assert metadata["client_id_metadata_document_supported"] is True
    assert "none" in metadata["token_endpoint_auth_methods_supported"]


@pytest.mark.attack("K-08", "J-12")
def test_host_that_is_away_while_gateways_are_replaced_signs_nobody_out(
    site: Site, visitor: Visitor
) -> None:
    email, client = new_person(site.deployment), at_port(free_port())
    tokens = visitor.tokens(client, email)
    site.host.publish(DOCUMENT, status="502 Bad Gateway")
    site.deployment.restart_gateway(0)
    site.deployment.ingress.pin(0)
    with audited(site.deployment) as trail:
        refused = visitor.refresh(client, tokens["refresh_token"])
        page = visitor.authorize(client)
    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert refused.json()["error"] == "temporarily_unavailable"
    assert int(refused.headers["retry-after"]) > 0
    assert is_page(page, httpx.codes.SERVICE_UNAVAILABLE)
    assert trail.reasons("token_refused") == ["document_status"]
    # Who is signed in works on, and the replica that knows the document also refreshes.
    opens_everywhere(visitor, tokens["access_token"])
    site.deployment.ingress.pin(1)
    answer = visitor.refresh(client, tokens["refresh_token"])
    assert answer.status_code == httpx.codes.OK
    site.host.publish(DOCUMENT)
    site.deployment.restart_gateway(0)
    works_everywhere(visitor, client, answer.json())


@pytest.mark.attack("K-07", "R-06")
def test_address_that_left_the_document_gets_no_tokens_and_ends_no_sign_in(
    site: Site, visitor: Visitor
) -> None:
    site.host.publish(described(redirect_uris=[HOSTED, *LOOPBACK]))
    site.restart()
    email, client = new_person(site.deployment), at_port(free_port())
    moved = Registered({"client_id": CLIENT_ID, "redirect_uris": [HOSTED]})
    tokens = visitor.tokens(client, email)
    code = code_of(visitor.sign_in(moved, email))
    site.host.publish(DOCUMENT)
    site.restart()
    refused = visitor.exchange(moved, code)
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert refused.json()["error"] == "invalid_grant"
    assert is_page(visitor.authorize(moved))
    works_everywhere(visitor, client, tokens)
