"""The hop to the provider: how the token call is made, and what bounds it."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from harness.grantkit import HeldClock
from harness.oidcstub import CLIENT_ID, CLIENT_SECRET, ISSUER, StubProvider, rsa_key
from productive_contract.secret import Secret
from productive_gateway.upstream import client as module
from productive_gateway.upstream.client import SignInSecrets, UpstreamClient
from productive_gateway.upstream.config import UpstreamConfig
from productive_gateway.upstream.errors import (
    IdentityRefused,
    UpstreamRefused,
    UpstreamUnavailable,
)
from productive_gateway.upstream.identity import VerifiedIdentity

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
    assert provider.calls == ["/token", "/jwks"]
    await upstream.aclose()


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
        (JSONResponse({"error": "invalid_grant"}, 400), "token_error"),
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


def authority(path: Path) -> None:
    key, now = rsa_key(4, 2048), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme CA")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(Encoding.PEM))


async def test_the_companys_authorities_are_trusted_besides_the_public_ones(
    provider: StubProvider, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    authority(bundle)
    plain, extended = make(provider), make(provider, ca_bundle=bundle)
    known = extended._tls.cert_store_stats()["x509_ca"]
    assert known == plain._tls.cert_store_stats()["x509_ca"] + 1
    assert extended._tls.verify_mode is ssl.CERT_REQUIRED
    assert extended._tls.check_hostname
    for client in (plain, extended):
        await client.aclose()
