"""A sign-in at a deployment over plain HTTP, in steps that a test can alter.

A `Visitor` is one person with one browser: it keeps cookies and follows no redirect by itself.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from harness.canaries import VERIFIERS
from harness.deployment import Deployment

REDIRECT_URI = "https://assistant.example/callback"
STATE = "state-of-the-client"
SCOPE = "productive:read productive:write"


@dataclass(frozen=True, slots=True)
class Registered:
    """A client as returned by /register."""

    metadata: dict[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.metadata["client_id"])

    @property
    def secret(self) -> str | None:
        """The client's secret; None for a public client."""
        return self.metadata.get("client_secret")

    @property
    def redirect_uri(self) -> str:
        return str(self.metadata["redirect_uris"][0])


class Visitor:
    """One browser, and the client that its person connects; use `http` for other requests.

    Keyword arguments replace parameters of a request; None removes a parameter.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.verifier = secrets.token_urlsafe(48)
        """The PKCE verifier of all requests of this visitor."""
        VERIFIERS.add(self.verifier)
        self.http = httpx.Client(base_url=deployment.url, timeout=15, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def cookies(self) -> list[str]:
        """Return the names of the gateway's cookies in this browser."""
        return sorted(cookie.name for cookie in self.http.cookies.jar)

    def register(self, **metadata: Any) -> Registered:
        """Register a client, by default a public one."""
        document = {
            "client_name": "Assistant",
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "none",
        }
        answer = self.http.post("/register", json=_given(document, metadata))
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return Registered(answer.json())

    def request(self, client: Registered, **changes: Any) -> dict[str, Any]:
        """Return the parameters of a valid authorization request, with changes."""
        query = {
            "response_type": "code",
            "client_id": client.id,
            "redirect_uri": client.redirect_uri,
            "state": STATE,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            "scope": SCOPE,
            "resource": self.deployment.mcp_url,
        }
        return _given(query, changes)

    def authorize(
        self, client: Registered, *, headers: dict[str, str] | None = None, **changes: Any
    ) -> httpx.Response:
        """Request /authorize, as the client's link does."""
        query = self.request(client, **changes)
        return self.http.get("/authorize", params=query, headers=headers)

    def decide(
        self,
        page: httpx.Response,
        decision: str = "approve",
        *,
        headers: dict[str, str] | None = None,
        **changes: Any,
    ) -> httpx.Response:
        """Submit the form of the consent page."""
        form = {"handle": handle_of(page), "decision": decision}
        sent = {"Origin": self.deployment.url, "Sec-Fetch-Site": "same-origin"}
        return self.http.post(
            "/authorize", data=_given(form, changes), headers=sent | (headers or {})
        )

    def approve(self, client: Registered, **changes: Any) -> str:
        """Request /authorize and approve; return the provider's address."""
        page = self.authorize(client, **changes)
        assert page.status_code == httpx.codes.OK, page.text
        return gone_on(self.decide(page))

    def sign_in_upstream(self, url: str, email: str) -> str:
        """Sign in at the provider; return the /callback address that it redirects to."""
        answer = self.http.post(url, data={"email": email})
        assert answer.status_code == httpx.codes.SEE_OTHER, answer.text
        return answer.headers["location"]

    def callback(self, url: str) -> httpx.Response:
        """Request the address that the provider redirected to."""
        return self.http.get(url)

    def sign_in(self, client: Registered, email: str, **changes: Any) -> httpx.Response:
        """Approve, sign in and return; return the answer of /callback."""
        return self.callback(self.sign_in_upstream(self.approve(client, **changes), email))

    def code(self, client: Registered, email: str, **changes: Any) -> str:
        """Sign in and return the authorization code."""
        return code_of(self.sign_in(client, email, **changes))

    def exchange(
        self, client: Registered, code: str, *, auth: tuple[str, str] | None = None, **changes: Any
    ) -> httpx.Response:
        """Redeem a code at /token; the form has the client's secret if there is one."""
        form = {
            "grant_type": "authorization_code",
            "client_id": client.id,
            "client_secret": client.secret,
            "code": code,
            "code_verifier": self.verifier,
            "redirect_uri": client.redirect_uri,
            "resource": self.deployment.mcp_url,
        }
        return self._token(_given(form, changes), auth)

    def refresh(
        self, client: Registered, token: str, *, auth: tuple[str, str] | None = None, **changes: Any
    ) -> httpx.Response:
        """Use a refresh token at /token."""
        form = {
            "grant_type": "refresh_token",
            "client_id": client.id,
            "client_secret": client.secret,
            "refresh_token": token,
        }
        return self._token(_given(form, changes), auth)

    def tokens(self, client: Registered, email: str, **changes: Any) -> dict[str, Any]:
        """Sign in and redeem the code; return the document of /token."""
        answer = self.exchange(client, self.code(client, email, **changes))
        assert answer.status_code == httpx.codes.OK, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def call(self, token: str | None, method: str = "tools/list", **params: Any) -> httpx.Response:
        """Send one JSON-RPC request to /mcp."""
        headers = {"Accept": "application/json, text/event-stream"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self.http.post("/mcp", json=body, headers=headers)

    def _token(self, form: dict[str, Any], auth: tuple[str, str] | None) -> httpx.Response:
        # The backend of a client does not have the browser's cookies.
        with httpx.Client(base_url=self.deployment.url, timeout=30, trust_env=False) as http:
            return http.post("/token", data=form, auth=auth or httpx.USE_CLIENT_DEFAULT)


def new_person(deployment: Deployment, **spec: Any) -> str:
    """Create a ProductiveUser who may sign in at every gateway; return the e-mail address."""
    name = f"p-{secrets.token_hex(6)}"
    email = f"{name}@northlight.example"
    deployment.people.add(name, email=email, user_id=9104, token="simulator-ana-kovac", **spec)
    return email


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def query_of(url: str) -> dict[str, str]:
    """Return the query parameters of a URL; each must occur once."""
    values = parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(one) == 1 for one in values.values()), url
    return {name: one[0] for name, one in values.items()}


def handle_of(page: httpx.Response) -> str:
    """Return the handle in the form of a consent page."""
    found = re.search(r'name="handle" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


def gone_on(page: httpx.Response) -> str:
    """Return the address that a page redirects to by a refresh header."""
    assert page.status_code == httpx.codes.OK, page.text
    delay, _, url = page.headers["refresh"].partition("; url=")
    assert delay == "0"
    return url


def code_of(answer: httpx.Response) -> str:
    """Return the authorization code in a redirect to the client."""
    assert answer.status_code == httpx.codes.FOUND, answer.text
    return query_of(answer.headers["location"])["code"]


def error_of(
    deployment: Deployment, answer: httpx.Response, *, redirect_uri: str = REDIRECT_URI
) -> str:
    """Return the error in a redirect to the client; check state and issuer, too."""
    assert answer.status_code in {302, 303}, answer.text
    location = answer.headers["location"]
    return error_at(deployment, location, redirect_uri=redirect_uri)


def error_at(deployment: Deployment, location: str, *, redirect_uri: str = REDIRECT_URI) -> str:
    """Return the error in the query of the client's redirect URI."""
    target, _, _ = location.partition("?")
    assert target == redirect_uri
    assert "#" not in location
    query = query_of(location)
    assert query.get("state") == STATE
    assert query["iss"] == deployment.url
    assert "code" not in query
    return query["error"]


def _given(standard: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = standard | changes
    return {name: value for name, value in merged.items() if value is not None}
