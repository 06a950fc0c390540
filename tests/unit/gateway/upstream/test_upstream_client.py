"""The hop to the provider: how the token call is made, and what bounds it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import httpx
import httpx2
import pytest
import structlog
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from harness.connectproxy import ConnectProxy
from harness.grantkit import HeldClock
from harness.httpsserver import https_server
from harness.oidcstub import CLIENT_ID, CLIENT_SECRET, ISSUER, StubProvider, jwk
from productive_contract.secret import Secret
from productive_gateway.outbound.client import Outbound, trusted
from productive_gateway.outbound.proxy import Proxy
from productive_gateway.upstream import code_flow as module
from productive_gateway.upstream.client import UpstreamClient
from productive_gateway.upstream.code_flow import SignInSecrets
from productive_gateway.upstream.config import UpstreamConfig
from productive_gateway.upstream.errors import (
    IdentityRefused,
    UpstreamRefused,
    UpstreamUnavailable,
)
from productive_gateway.upstream.identity import RenewedIdentity, VerifiedIdentity

SECRETS = SignInSecrets("v" * 43, "n" * 43)


@pytest.fixture
def provider() -> StubProvider:
    return StubProvider(HeldClock())


@pytest.fixture
async def upstream(provider: StubProvider) -> AsyncIterator[UpstreamClient]:
    client = make(provider)
    yield client
    await client.aclose()


def make(provider: StubProvider, **changes: Any) -> UpstreamClient:
    settings: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "client_secret": Secret(CLIENT_SECRET),
    } | changes
    return UpstreamClient(
        UpstreamConfig(**settings),
        Outbound(trusted(None)),
        redirect_uri="https://mcp.example.test/callback",
        clock=provider.clock,
        transport=httpx.ASGITransport(app=provider.app()),
        token_transport=httpx2.ASGITransport(app=provider.app()),
    )


async def code_of(provider: StubProvider, upstream: UpstreamClient) -> str:
    url = await upstream.authorization_url(state="s", secrets=SECRETS)
    return provider.sign_in(url).partition("&")[0].removeprefix("code=")


async def test_a_code_becomes_a_verified_identity(
    provider: StubProvider, upstream: UpstreamClient
) -> None:
    found = await upstream.identify(await code_of(provider, upstream), SECRETS)
    assert found == VerifiedIdentity(ISSUER, "subject-of-ana", "ana@example.com")
    assert upstream.problem is None


async def test_an_existing_query_of_the_authorization_endpoint_is_kept(
    provider: StubProvider, upstream: UpstreamClient
) -> None:
    provider.discovery = {"authorization_endpoint": f"{ISSUER}/authorize?tenant=a"}
    url = await upstream.authorization_url(state="s", secrets=SECRETS)
    assert url.startswith(f"{ISSUER}/authorize?tenant=a&")


async def test_the_secret_is_sent_in_the_header_if_the_metadata_say_basic(
    provider: StubProvider, upstream: UpstreamClient
) -> None:
    provider.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_basic"]}
    await upstream.identify(await code_of(provider, upstream), SECRETS)
    [form] = provider.seen
    pair = base64.b64decode(form["authorization"].removeprefix("Basic ")).decode()
    assert pair == f"{CLIENT_ID}:{CLIENT_SECRET}"
    assert "client_secret" not in form


async def test_configured_endpoints_receive_the_secret_in_the_body(provider: StubProvider) -> None:
    upstream = make(
        provider,
        authorization_url=f"{ISSUER}/authorize",
        token_url=f"{ISSUER}/token",
        jwks_url=f"{ISSUER}/jwks",
    )
    await upstream.identify(await code_of(provider, upstream), SECRETS)
    assert provider.seen[0]["client_secret"] == CLIENT_SECRET
    assert provider.calls == ["/jwks", "/token"]
    await upstream.aclose()


BASIC, POST = "client_secret_basic", "client_secret_post"


def methods_of(provider: StubProvider) -> list[str]:
    return [BASIC if form["authorization"] else POST for form in provider.seen]


def answering(*answers: Response | None) -> Callable[[], Response | None]:
    """Give these answers in turn, then the real one; None is the real one too."""
    rest = list(answers)
    return lambda: rest.pop(0) if rest else None


def refusal(error: str) -> Response:
    return JSONResponse({"error": error, "error_description": "SECRET DETAIL"}, 401)


async def test_basic_goes_first_where_the_metadata_allow_both(
    provider: StubProvider, upstream: UpstreamClient
) -> None:
    provider.discovery = {"token_endpoint_auth_methods_supported": [POST, BASIC]}
    await upstream.identify(await code_of(provider, upstream), SECRETS)
    assert methods_of(provider) == [BASIC]
    assert "client_secret" not in provider.seen[0]


async def test_the_other_method_is_tried_once_with_the_same_code_and_remembered(
    provider: StubProvider, upstream: UpstreamClient
) -> None:
    provider.discovery = {"token_endpoint_auth_methods_supported": [BASIC, POST]}
    provider.answers["/token"] = answering(refusal("invalid_client"))
    with structlog.testing.capture_logs() as log:
        await upstream.identify(await code_of(provider, upstream), SECRETS)
    assert methods_of(provider) == [BASIC, POST]
    assert len({form["code"] for form in provider.seen}) == 1
    assert [(line["error"], line["auth_method"]) for line in log] == [("invalid_client", BASIC)]
    await upstream.identify(await code_of(provider, upstream), SECRETS)
    assert methods_of(provider) == [BASIC, POST, POST]


@pytest.mark.parametrize("second", ["invalid_grant", "invalid_client"])
async def test_both_refusals_are_in_the_log(
    provider: StubProvider, upstream: UpstreamClient, second: str
) -> None:
    provider.discovery = {"token_endpoint_auth_methods_supported": None}
    provider.answers["/token"] = answering(refusal("invalid_client"), refusal(second))
    code = await code_of(provider, upstream)
    with structlog.testing.capture_logs() as log, pytest.raises(UpstreamRefused) as caught:
        await upstream.identify(code, SECRETS)
    assert caught.value.reason == f"token_{second}"
    assert [(line["error"], line["auth_method"]) for line in log] == [
        ("invalid_client", BASIC),
        (second, POST),
    ]
    assert "SECRET DETAIL" not in str(log) + str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        refusal("invalid_grant"),
        refusal("unauthorized_client"),
        refusal("something_else"),
        Response("", 503),
        Response("{", media_type="application/json"),
    ],
)
async def test_nothing_but_invalid_client_leads_to_another_try(
    provider: StubProvider, upstream: UpstreamClient, answer: Response
) -> None:
    provider.discovery = {"token_endpoint_auth_methods_supported": [BASIC, POST]}
    provider.answers["/token"] = answering(answer)
    code = await code_of(provider, upstream)
    with pytest.raises((UpstreamRefused, UpstreamUnavailable)):
        await upstream.identify(code, SECRETS)
    assert methods_of(provider) == [BASIC]


@pytest.mark.parametrize("method", [BASIC, POST])
async def test_a_configured_method_is_the_only_one(provider: StubProvider, method: str) -> None:
    provider.discovery = {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}
    provider.answers["/token"] = answering(refusal("invalid_client"))
    upstream = make(provider, auth_method=method)
    code = await code_of(provider, upstream)
    with pytest.raises(UpstreamRefused):
        await upstream.identify(code, SECRETS)
    assert methods_of(provider) == [method]
    await upstream.aclose()


async def test_credentials_in_the_header_are_form_encoded(provider: StubProvider) -> None:
    provider.discovery = {"token_endpoint_auth_methods_supported": [BASIC]}
    upstream = make(provider, client_secret=Secret("a:b c%+\u00e9"))
    await upstream.identify(await code_of(provider, upstream), SECRETS)
    pair = base64.b64decode(provider.seen[0]["authorization"].removeprefix("Basic ")).decode()
    assert [unquote_plus(half) for half in pair.split(":")] == [CLIENT_ID, "a:b c%+\u00e9"]
    await upstream.aclose()


@pytest.mark.attack("G-05", "I-13")
@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": [jwk(1, use="enc")]}])
async def test_without_usable_keys_the_code_is_not_spent(
    provider: StubProvider, upstream: UpstreamClient, keys: dict[str, Any]
) -> None:
    provider.answers["/jwks"] = lambda: JSONResponse(keys)
    code = await code_of(provider, upstream)
    with pytest.raises(UpstreamRefused, match="no key that can be used"):
        await upstream.identify(code, SECRETS)
    assert "/token" not in provider.calls
    del provider.answers["/jwks"]
    assert (await upstream.identify(code, SECRETS)).email == "ana@example.com"


ANA, TRUE = {"email": "ana@example.com"}, {"email_verified": True}
OTHER = {"email": "other@example.com"}
UNVERIFIED = {"email_verified": False}


@pytest.mark.attack("M-04", "I-16")
@pytest.mark.parametrize(
    ("claims", "userinfo", "found"),
    [
        (ANA | TRUE, OTHER | TRUE, "ana@example.com"),
        (ANA, ANA | TRUE, "ana@example.com"),
        (TRUE, ANA | TRUE, "ana@example.com"),
        ({}, ANA | TRUE, "ana@example.com"),
        # Address and confirmation are taken from one document.
        (ANA, OTHER | TRUE, "other@example.com"),
        (ANA, TRUE, "email_unverified"),
        (TRUE, ANA, "email_unverified"),
        (ANA, {}, "email_unverified"),
        (ANA, ANA, "email_unverified"),
        (ANA, ANA | {"email_verified": "true"}, "email_unverified"),
        (ANA, ANA | UNVERIFIED, "email_unverified"),
        ({}, {}, "email_missing"),
        # A plain no stays one.
        (ANA | UNVERIFIED, ANA | TRUE, "email_unverified"),
    ],
)
async def test_userinfo_is_asked_before_an_address_is_refused(
    provider: StubProvider,
    upstream: UpstreamClient,
    claims: dict[str, Any],
    userinfo: dict[str, Any],
    found: str,
) -> None:
    provider.claims = {"email": None, "email_verified": None} | claims
    provider.userinfo = {"sub": "subject-of-ana"} | userinfo
    code = await code_of(provider, upstream)
    if "@" in found:
        assert (await upstream.identify(code, SECRETS)).email == found
    else:
        with pytest.raises(IdentityRefused) as caught:
            await upstream.identify(code, SECRETS)
        assert caught.value.reason == found


@pytest.mark.parametrize("claims", [{"email": None}, {"email_verified": None}])
@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_userinfo_that_refuses_is_named_as_the_reason(
    provider: StubProvider, upstream: UpstreamClient, claims: dict[str, Any], status: int
) -> None:
    provider.claims = claims
    provider.answers["/userinfo"] = lambda: Response("no", status)
    code = await code_of(provider, upstream)
    with pytest.raises(IdentityRefused, match="userinfo") as caught:
        await upstream.identify(code, SECRETS)
    assert caught.value.reason == f"userinfo_status_{status}"


async def test_a_userinfo_that_is_away_is_an_outage(
    provider: StubProvider, upstream: UpstreamClient
) -> None:
    provider.claims = {"email_verified": None}
    provider.answers["/userinfo"] = lambda: Response("", 503)
    code = await code_of(provider, upstream)
    with pytest.raises(UpstreamUnavailable):
        await upstream.identify(code, SECRETS)


async def test_a_cookie_of_one_person_is_not_sent_with_the_next_persons_request(
    provider: StubProvider, upstream: UpstreamClient
) -> None:
    provider.claims = {"email_verified": None}
    provider.userinfo = {"sub": "subject-of-ana"} | ANA | TRUE
    provider.cookie = "session=of-ana"
    for _ in range(2):
        await upstream.identify(await code_of(provider, upstream), SECRETS)
    assert provider.cookies_seen == []


async def test_everything_goes_to_the_provider_through_the_proxy(
    provider: StubProvider, tmp_path: Path
) -> None:
    provider.claims = {"email_verified": None}
    provider.userinfo = {"sub": "subject-of-ana"} | ANA | TRUE
    host = urlsplit(ISSUER).netloc
    async with (
        https_server(provider.app(), tmp_path, hosts=[host]) as server,
        ConnectProxy(target=server.port).running() as proxy,
    ):
        upstream = UpstreamClient(
            UpstreamConfig(ISSUER, CLIENT_ID, Secret(CLIENT_SECRET)),
            Outbound(trusted(server.bundle), Proxy(Secret(proxy.url))),
            redirect_uri="https://mcp.example.test/callback",
            clock=provider.clock,
        )
        await upstream.identify(await code_of(provider, upstream), SECRETS)
        await upstream.aclose()
    assert set(proxy.requests) == {f"CONNECT {host}:443 HTTP/1.1"}
    assert provider.calls == ["/discovery", "/jwks", "/token", "/userinfo"]


class Silent(Response):
    """An answer that never comes."""

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()


@pytest.mark.attack("G-05")
async def test_a_provider_that_never_answers_times_out(
    provider: StubProvider, upstream: UpstreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOKEN_SECONDS", 0.05)
    provider.answers["/token"] = Silent
    with pytest.raises(UpstreamUnavailable):
        await upstream.identify(await code_of(provider, upstream), SECRETS)


@pytest.mark.attack("G-05")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (JSONResponse({"id_token": "x" * 300_000}), "token_too_large"),
        (JSONResponse({}, headers={"content-encoding": "gzip"}), "token_encoded"),
        (JSONResponse({}, 307, headers={"location": "https://evil.example/"}), "token_redirect"),
        (Response("{}", media_type="text/html"), "token_content_type"),
        (Response("{", media_type="application/json"), "token_malformed"),
        (Response("[]", media_type="application/json"), "token_malformed"),
        (Response("null", media_type="application/json"), "token_malformed"),
        (Response('"x"', media_type="application/json"), "token_malformed"),
        (Response("[" * 100_000, media_type="application/json"), "token_malformed"),
        (JSONResponse({"token_type": "Bearer", "expires_in": [1]}), "token_malformed"),
        (Response('{"expires_in": 1e999}', media_type="application/json"), "token_malformed"),
        (JSONResponse({"error": "invalid_grant"}, 400), "token_invalid_grant"),
        (JSONResponse({"error": "invalid_client"}, 401), "token_invalid_client"),
        (JSONResponse({"error": "invalid_request"}, 400), "token_invalid_request"),
        (JSONResponse({"error": "unauthorized_client"}, 400), "token_unauthorized_client"),
        (JSONResponse({"error": "SECRET DETAIL"}, 400), "token_error"),
        (JSONResponse({"error": ["invalid_grant"]}, 400), "token_error"),
        (JSONResponse({"token_type": "mac", "id_token": "x"}), "token_type"),
    ],
)
async def test_each_bad_token_answer_has_its_own_reason(
    provider: StubProvider, upstream: UpstreamClient, answer: Response, reason: str
) -> None:
    provider.answers["/token"] = lambda: answer
    code = await code_of(provider, upstream)
    with pytest.raises(UpstreamRefused) as caught:
        await upstream.identify(code, SECRETS)
    assert caught.value.reason == reason


@pytest.mark.attack("G-05")
async def test_a_non_ascii_access_token_is_ignored(
    provider: StubProvider, upstream: UpstreamClient
) -> None:
    provider.token_answer, provider.claims = {"access_token": "ü"}, {"email": None}
    code = await code_of(provider, upstream)
    with pytest.raises(IdentityRefused) as caught:
        await upstream.identify(code, SECRETS)
    assert caught.value.reason == "email_missing"


@pytest.mark.attack("Q-01")
async def test_no_secret_is_in_any_repr(upstream: UpstreamClient) -> None:
    config = UpstreamConfig(ISSUER, CLIENT_ID, Secret(CLIENT_SECRET))
    for text in (repr(config), repr(SECRETS), repr(upstream)):
        assert CLIENT_SECRET not in text
        assert SECRETS.verifier not in text
        assert SECRETS.nonce not in text


# --- refresh tokens


async def asked_for(provider: StubProvider, **changes: Any) -> dict[str, str]:
    """Return the parameters with which people are sent to the provider."""
    client = make(provider, **changes)
    lasting = await client.authorization_url(state="s" * 22, secrets=SECRETS, lasting=True)
    short = await client.authorization_url(state="s" * 22, secrets=SECRETS)
    await client.aclose()
    parameters = dict(httpx.URL(short).params)
    assert parameters["scope"] == "openid email"
    assert not {"access_type", "prompt"} & set(parameters)
    return dict(httpx.URL(lasting).params)


ACCESS_FORM = {
    "authorization_url": f"{ISSUER}/authorize",
    "token_url": f"{ISSUER}/token",
    "jwks_url": f"{ISSUER}/jwks",
}
OFFLINE = "openid email offline_access"


@pytest.mark.parametrize(
    ("changes", "scope"),
    [
        ({}, "openid email"),
        ({"offline": True}, OFFLINE),
        (ACCESS_FORM, "openid email"),
        (ACCESS_FORM | {"offline": True}, OFFLINE),
    ],
)
async def test_a_refresh_token_is_asked_for_if_configured(
    provider: StubProvider, changes: dict[str, Any], scope: str
) -> None:
    asked = await asked_for(provider, **changes)
    assert asked["scope"] == scope
    assert "access_type" not in asked
    assert "prompt" not in asked


async def test_google_is_asked_in_its_own_way(provider: StubProvider) -> None:
    google = ACCESS_FORM | {"issuer": "https://accounts.google.com"}
    asked = await asked_for(provider, offline=True, **google)
    assert (asked["scope"], asked["access_type"], asked["prompt"]) == (
        "openid email",
        "offline",
        "consent",
    )
    assert "access_type" not in await asked_for(provider, **google)


async def signed_in(provider: StubProvider, upstream: UpstreamClient) -> Secret:
    """Sign in and return the provider's refresh token."""
    provider.refresh_tokens = True
    url = await upstream.authorization_url(state="s" * 22, secrets=SECRETS)
    code = provider.sign_in(url).removeprefix("code=").partition("&")[0]
    token = (await upstream.identify(code, SECRETS)).refresh_token
    assert token is not None
    return token


async def test_a_renewal_keeps_the_scopes_and_says_whom_it_is_about(
    provider: StubProvider, upstream: UpstreamClient
) -> None:
    token = await signed_in(provider, upstream)
    renewal = await upstream.renew(token)
    assert provider.seen[-1] == {
        "grant_type": "refresh_token",
        "refresh_token": token.reveal(),
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "authorization": "",
    }
    assert renewal.refresh_token is not None
    assert renewal.refresh_token != token
    identity = await upstream.renewed_identity(renewal)
    assert identity == RenewedIdentity(ISSUER, "subject-of-ana", "ana@example.com")
    shown = repr(renewal) + repr(token)
    assert "upstream-access" not in shown
    assert token.reveal() not in shown


@pytest.mark.parametrize("nonce", [None, "another"])
async def test_the_nonce_of_a_renewal_does_not_matter(
    provider: StubProvider, upstream: UpstreamClient, nonce: str | None
) -> None:
    token = await signed_in(provider, upstream)
    provider.claims = {"nonce": nonce}
    assert await upstream.renewed_identity(await upstream.renew(token))


async def test_without_keys_a_refresh_token_is_not_spent(provider: StubProvider) -> None:
    first = make(provider)
    token = await signed_in(provider, first)
    provider.answers["/jwks"] = lambda: Response(status_code=500)
    second = make(provider)
    with pytest.raises(UpstreamUnavailable):
        await second.renew(token)
    assert token.reveal() in provider.refreshes
    await first.aclose()
    await second.aclose()
