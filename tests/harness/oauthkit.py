"""The authorization server in the test process, with a provider, a browser and a client."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import httpx2
import structlog
from starlette.types import ASGIApp

from harness.auditslugs import is_documented, tells_no_reason
from harness.grantkit import HeldClock, HeldKeys, HeldPeople, ana
from harness.oidcstub import CLIENT_ID, CLIENT_SECRET, ISSUER, Person, StubProvider
from productive_contract.secret import Secret
from productive_gateway.app import public_app
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.index import GrantIndex
from productive_gateway.grants.retry_budget import RetryLimits
from productive_gateway.grants.service import LIMITS, Grants
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.oauth.clients.directory import Clients
from productive_gateway.oauth.clients.metadata_documents import MetadataDocuments
from productive_gateway.oauth.clients.redirect_policy import RedirectPolicy
from productive_gateway.oauth.config import OAuthConfig
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.provider_check import ProviderCheck
from productive_gateway.oauth.routes import oauth_routes
from productive_gateway.outbound.client import Outbound, trusted
from productive_gateway.upstream.client import UpstreamClient
from productive_gateway.upstream.config import UpstreamConfig
from productive_gateway.web.caller_address import CallerAddresses, parse_proxies
from productive_gateway.web.limits import UNLIMITED, Limits, PerMinute

PUBLIC_URL = "https://mcp.example.test"
RESOURCE = f"{PUBLIC_URL}/mcp"
CALLBACK = "https://assistant.example/callback"
FORM = {"content-type": "application/x-www-form-urlencoded"}
LOOPBACK = "http://localhost:4711/callback"
VERIFIER = "v" * 64


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def query_of(url: str) -> dict[str, str]:
    """Return the parameters of an address; each must stand once."""
    values = parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(server) == 1 for server in values.values())
    return {name: server[0] for name, server in values.items()}


@dataclass
class AuthorizationServer:
    """The gateway's authorization server, and everything around it that a test changes."""

    config: OAuthConfig
    clock: HeldClock
    keys: HeldKeys
    people: HeldPeople
    provider: StubProvider
    store: MemoryGrantStore
    grants: Grants
    limits: Limits
    app: ASGIApp

    def browser(self, *, peer: str = "127.0.0.1", **settings: Any) -> Browser:
        """Open a browser without cookies, behind a connection from that address."""
        transport = httpx.ASGITransport(app=self.app, client=(peer, 4711))
        http = httpx.AsyncClient(
            transport=transport, base_url=self.config.public_url, timeout=5, **settings
        )
        # Why something is refused is for the audit log alone.
        http.event_hooks["response"].append(tells_no_reason)
        return Browser(self, http)

    async def register(self, **metadata: Any) -> dict[str, Any]:
        """Register a client, a public one unless told otherwise."""
        document = {
            "client_name": "Assistant",
            "redirect_uris": [CALLBACK, LOOPBACK],
            "token_endpoint_auth_method": "none",
        } | metadata
        given = {name: value for name, value in document.items() if value is not None}
        answer = await self.browser().http.post("/register", json=given)
        assert answer.status_code == 201, answer.text
        registered: dict[str, Any] = answer.json()
        return registered

    async def records(self) -> int:
        """Return how many objects are stored."""
        return len(self.store._records)


@dataclass
class Browser:
    """A browser of a person: it keeps cookies and follows nothing by itself."""

    server: AuthorizationServer
    http: httpx.AsyncClient

    async def authorize(self, client_id: str, **changes: Any) -> httpx.Response:
        """Open /authorize as a client would."""
        query = parameters(client_id, **changes)
        return await self.http.get("/authorize", params=query)

    async def decide(
        self, page: httpx.Response, decision: str = "approve", **headers: str
    ) -> httpx.Response:
        """Press a button on the consent page."""
        form = {"handle": handle_of(page), "decision": decision}
        sent = {"origin": self.server.config.origin, "sec-fetch-site": "same-origin"} | headers
        return await self.http.post(
            "/authorize",
            data=form,
            headers={name.replace("_", "-"): value for name, value in sent.items() if value},
        )

    async def approve(self, client_id: str, **changes: Any) -> str:
        """Approve a request; return the provider's address."""
        page = await self.authorize(client_id, **changes)
        assert page.status_code == 200, page.text
        return moved_on(await self.decide(page))

    async def sign_in(
        self, client_id: str, *, person: Person | None = None, **changes: Any
    ) -> httpx.Response:
        """Approve, sign in at the provider, and come back."""
        url = await self.approve(client_id, **changes)
        return await self.http.get(f"/callback?{self.server.provider.sign_in(url, person)}")

    async def code(self, client_id: str, **changes: Any) -> str:
        """Go the whole way to an authorization code."""
        answer = await self.sign_in(client_id, **changes)
        assert answer.status_code == 302, answer.text
        return query_of(answer.headers["location"])["code"]

    async def tokens(self, client_id: str, **changes: Any) -> dict[str, Any]:
        """Connect a client; return its tokens."""
        answer = await self.redeem(client_id, await self.code(client_id, **changes))
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def press(
        self, path: str, form: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        """Press a button of the page /connections; an empty header is left out."""
        sent = {"origin": self.server.config.origin, "sec-fetch-site": "same-origin"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return await self.http.post(
            f"/connections/{path}",
            data=form or {},
            headers={name: value for name, value in sent.items() if value}
            | {"content-type": "application/x-www-form-urlencoded"},
        )

    async def prove(self, person: Person | None = None) -> httpx.Response:
        """Sign in for the page /connections; return the answer of /callback."""
        url = moved_on(await self.press("sign-in"))
        return await self.http.get(f"/callback?{self.server.provider.sign_in(url, person)}")

    async def connections(self, person: Person | None = None) -> httpx.Response:
        """Sign in for the page /connections, and open it."""
        answer = await self.prove(person)
        assert answer.status_code == 302, answer.text
        assert answer.headers["location"] == self.server.config.connections_url
        return await self.http.get("/connections")

    async def redeem(self, client_id: str, code: str, **changes: Any) -> httpx.Response:
        """Exchange a code as a public client."""
        form = {
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": code,
            "code_verifier": VERIFIER,
            "redirect_uri": CALLBACK,
            "resource": RESOURCE,
        } | changes
        given = {name: value for name, value in form.items() if value is not None}
        return await self.http.post("/token", data=given)

    async def refresh(self, client_id: str, token: str, **changes: Any) -> httpx.Response:
        """Use a refresh token as a public client."""
        form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}
        return await self.http.post("/token", data=form | changes)


def parameters(client_id: str, **changes: Any) -> dict[str, Any]:
    """Return a good authorization request, with changes; None takes a parameter out."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "state": "client-state",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        "scope": "productive:read productive:write",
        "resource": RESOURCE,
    } | changes
    return {name: value for name, value in query.items() if value is not None}


def handle_of(page: httpx.Response) -> str:
    found = re.search(r'name="handle" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


def moved_on(page: httpx.Response) -> str:
    """Return where a page moves on to by itself."""
    assert page.status_code == 200, page.text
    delay, _, url = page.headers["refresh"].partition("; url=")
    assert delay == "0"
    return url


@asynccontextmanager
async def authorization_server(
    *,
    oauth: dict[str, Any] | None = None,
    upstream: dict[str, Any] | None = None,
    store: MemoryGrantStore | None = None,
    keys: HeldKeys | None = None,
    provider: StubProvider | None = None,
    clock: HeldClock | None = None,
    people: HeldPeople | None = None,
    retries: RetryLimits = LIMITS,
    limits: PerMinute = UNLIMITED,
    proxies: Sequence[str] = (),
    documents: MetadataDocuments | None = None,
    clients: dict[str, Any] | None = None,
) -> AsyncIterator[AuthorizationServer]:
    """Start the authorization server over memory; parts can be shared between replicas.

    `limits` hold by the clock, and `proxies` say who calls.
    """
    clock, keys = clock or HeldClock(), keys or HeldKeys()
    store, people = store or MemoryGrantStore(clock=clock), people or HeldPeople(ana())
    provider = provider or StubProvider(clock)
    given: dict[str, Any] = {
        "public_url": PUBLIC_URL,
        "resource": RESOURCE,
        "redirect_hosts": "*",
        "redirect_schemes": (),
        "admin_contact": "it@example.com",
    } | (oauth or {})
    hosts, schemes = given.pop("redirect_hosts"), given.pop("redirect_schemes")
    policy = RedirectPolicy(hosts, given["public_url"], schemes)
    config = OAuthConfig(redirects=policy, **given)
    settings: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "client_secret": Secret(CLIENT_SECRET),
    }
    client = UpstreamClient(
        UpstreamConfig(**settings | (upstream or {})),
        Outbound(trusted(None)),
        redirect_uri=f"{config.public_url}/callback",
        clock=clock,
        transport=httpx.ASGITransport(app=provider.app()),
        token_transport=httpx2.ASGITransport(app=provider.app()),
    )
    lives = GrantConfig(config.resource)
    index = GrantIndex(store, keys, lives)
    ask = ProviderCheck(client).ask
    counted = Limits.of(limits, clock)
    grants = Grants(
        store,
        index,
        people,
        keys,
        lives,
        ask=ask,
        clock=clock,
        limits=retries,
        issued=counted.issued,
    )
    known = Clients(keys, config.issuer, documents, **clients or {})
    addresses = CallerAddresses(parse_proxies(proxies))
    context = OAuthContext(
        config, keys, grants, people, client, known, clock, addresses=addresses, limits=counted
    )
    app = public_app(oauth_routes(context), resource=config.resource, addresses=addresses)
    try:
        yield AuthorizationServer(
            config, clock, keys, people, provider, store, grants, counted, app
        )
    finally:
        await client.aclose()


@dataclass
class AuditLog:
    """The audit lines of a test."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    def reasons(self, event: str) -> list[Any]:
        return [line.get("reason") for line in self.lines if line["event"] == event]

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]


@contextmanager
def audit_log() -> Iterator[AuditLog]:
    """Collect the audit lines that are written inside; docs/audit.md has to explain each."""
    with structlog.testing.capture_logs() as lines:
        yield AuditLog(lines)  # type: ignore[arg-type]
    reasons = {line["reason"] for line in lines if line.get("audit") and "reason" in line}
    assert {one for one in reasons if not is_documented(one)} == set()


async def client_with_code(
    server: AuthorizationServer, **metadata: Any
) -> tuple[dict[str, Any], Browser, str]:
    """Register a client and sign in: return the client, the browser and the code."""
    client, browser = await server.register(**metadata), server.browser()
    return client, browser, await browser.code(client["client_id"])


def good_form(client_id: str, code: str) -> str:
    """Return a form that redeems the code, for tests that change its text."""
    return (
        f"grant_type=authorization_code&client_id={client_id}&code={code}&code_verifier={VERIFIER}"
    )
