"""An OIDC provider inside the test process: it signs whatever it is told to sign."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ISSUER = "https://idp.example.test/tenant"
CLIENT_ID = "gateway-client"
CLIENT_SECRET = "gateway-secret"


@cache
def rsa_key(number: int, bits: int) -> RSAPrivateKey:
    """Return a key; the same one for the same number."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def jwk(number: int, *, bits: int = 2048, **changes: Any) -> dict[str, Any]:
    """Return the public part of a key, as a key set lists it."""
    public = json.loads(RSAAlgorithm.to_jwk(rsa_key(number, bits).public_key()))
    listed = {**public, "kid": f"key-{number}", "use": "sig", "alg": "RS256", **changes}
    return {name: value for name, value in listed.items() if value is not None}


def signed(
    claims: dict[str, Any],
    *,
    number: int = 1,
    algorithm: str = "RS256",
    headers: dict[str, Any] | None = None,
) -> str:
    """Sign claims with a key of ours."""
    return jwt.encode(
        claims,
        rsa_key(number, 2048),
        algorithm=algorithm,
        headers={"kid": f"key-{number}", **(headers or {})},
    )


@dataclass
class Person:
    """Who signs in, and what the provider says about them."""

    email: str | None = "ana@example.com"
    sub: str = "subject-of-ana"
    claims: dict[str, Any] = field(default_factory=lambda: {"email_verified": True})


@dataclass
class StubProvider:
    """A provider whose every answer a test can change."""

    clock: Callable[[], float]
    numbers: list[int] = field(default_factory=lambda: [1])
    """Keys in the key set; the last one signs."""
    discovery: dict[str, Any] = field(default_factory=dict)
    """Changes to the discovery document; None takes a member out."""
    answers: dict[str, Callable[[], Response | None]] = field(default_factory=dict)
    """Answers in place of the real ones, by path: /token, /jwks, /userinfo, /discovery."""
    claims: dict[str, Any] = field(default_factory=dict)
    """Changes to the claims of the next ID tokens; None takes a claim out."""
    forge: Callable[[dict[str, Any]], str] | None = None
    """Makes the ID token of its claims, in place of signing it."""
    token_answer: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)
    """Forms that were posted to /token."""
    cookie: str | None = None
    """Set by userinfo."""
    cookies_seen: list[str] = field(default_factory=list)
    sessions: dict[str, tuple[dict[str, str], Person]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    """Parameters of the last authorization request."""
    refresh_tokens: bool = False
    """Whether sign-ins get a refresh token, which is good for one use."""
    refreshes: dict[str, Person] = field(default_factory=dict)
    """Refresh tokens that are still good, and whose they are."""
    during_refresh: Callable[[], Awaitable[Response | None]] | None = None
    """What happens after a refresh token was used up; it may replace the answer."""

    def app(self) -> Starlette:
        base = urlsplit(ISSUER).path
        return Starlette(
            routes=[
                Route(f"{base}/.well-known/openid-configuration", self._discovery),
                Route(f"{base}/jwks", self._jwks),
                Route(f"{base}/token", self._token, methods=["POST"]),
                Route(f"{base}/userinfo", self._userinfo),
            ]
        )

    def sign_in(self, authorization_url: str, person: Person | None = None) -> str:
        """Do what a person does at the provider; return the query that comes back."""
        query = {name: one[0] for name, one in parse_qs(urlsplit(authorization_url).query).items()}
        code, self.asked = secrets.token_urlsafe(16), query
        self.sessions[code] = (query, person or Person())
        return f"code={code}&state={query['state']}"

    def _special(self, path: str) -> Response | None:
        self.calls.append(path)
        answer = self.answers.get(path)
        return answer() if answer is not None else None

    async def _discovery(self, _: Request) -> Response:
        document = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
            "userinfo_endpoint": f"{ISSUER}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        } | self.discovery
        given = {name: value for name, value in document.items() if value is not None}
        return self._special("/discovery") or JSONResponse(given)

    async def _jwks(self, _: Request) -> Response:
        listed = {"keys": [jwk(number) for number in self.numbers]}
        return self._special("/jwks") or JSONResponse(listed)

    async def _userinfo(self, request: Request) -> Response:
        self.cookies_seen += request.headers.getlist("cookie")
        answer = self._special("/userinfo") or JSONResponse(self.userinfo)
        if self.cookie is not None:
            answer.headers["set-cookie"] = self.cookie
        return answer

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        self.seen.append(form | {"authorization": request.headers.get("authorization", "")})
        special = self._special("/token")
        if special is not None:
            return special
        if form["grant_type"] == "refresh_token":
            return await self._refresh(form)
        session = self.sessions.pop(form["code"], None)
        if session is None or not _proves(form, session[0]):
            return JSONResponse(
                {"error": "invalid_grant", "error_description": "SECRET DETAIL"}, 400
            )
        query, person = session
        return self._tokens(query["nonce"], person)

    async def _refresh(self, form: dict[str, str]) -> Response:
        person = self.refreshes.pop(form["refresh_token"], None)
        replaced = await self.during_refresh() if self.during_refresh is not None else None
        if replaced is not None:
            return replaced
        if person is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return self._tokens(None, person)

    def _tokens(self, nonce: str | None, person: Person) -> Response:
        claims = self.claims_of(nonce, person)
        token = self.forge(claims) if self.forge else signed(claims, number=self.numbers[-1])
        answer = {"access_token": "upstream-access", "token_type": "Bearer", "id_token": token}
        if self.refresh_tokens:
            answer["refresh_token"] = secrets.token_urlsafe(24)
            self.refreshes[answer["refresh_token"]] = person
        given = (answer | self.token_answer).items()
        return JSONResponse({name: value for name, value in given if value is not None})

    def claims_of(self, nonce: str | None, person: Person) -> dict[str, Any]:
        now = int(self.clock())
        claims = {
            "iss": ISSUER,
            "aud": CLIENT_ID,
            "sub": person.sub,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "email": person.email,
            **person.claims,
            **self.claims,
        }
        return {name: value for name, value in claims.items() if value is not None}


def _proves(form: dict[str, str], query: dict[str, str]) -> bool:
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return (
        challenge == query.get("code_challenge")
        and query.get("code_challenge_method") == "S256"
        and form.get("redirect_uri") == query.get("redirect_uri")
    )
