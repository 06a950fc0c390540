"""What all connections to the outside have in common: trust, no cookies, one proxy."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import Receive, Scope, Send

from harness.connectproxy import ConnectProxy
from harness.httpsserver import HttpsServer, https_server
from harness.oidcstub import rsa_key
from productive_contract.secret import Secret
from productive_gateway.outbound.client import Outbound, trusted
from productive_gateway.outbound.proxy import Proxy


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


def test_the_companys_authorities_are_trusted_besides_the_public_ones(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    authority(bundle)
    plain, extended = trusted(None), trusted(bundle)
    known = extended.cert_store_stats()["x509_ca"]
    assert known == plain.cert_store_stats()["x509_ca"] + 1
    assert extended.verify_mode is ssl.CERT_REQUIRED
    assert extended.check_hostname


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[HttpsServer]:
    async with https_server(cookies, tmp_path, hosts=["idp.example.test", "localhost"]) as running:
        yield running


async def cookies(scope: Scope, _: Receive, send: Send) -> None:
    """Set a cookie, and answer with those that came."""
    request = Request(scope)
    answer = PlainTextResponse(request.headers.get("cookie", ""))
    answer.set_cookie("person", "ana", secure=True)
    await answer(scope, _, send)


async def test_cookies_are_neither_kept_nor_sent(server: HttpsServer) -> None:
    port, bundle = server.port, server.bundle
    async with Outbound(trusted(bundle)).client() as http:
        for _ in range(2):
            answer = await http.get(f"https://localhost:{port}/")
            assert answer.headers["set-cookie"]
            assert answer.text == ""


async def test_https_goes_through_the_proxy_and_back(server: HttpsServer) -> None:
    port, bundle = server.port, server.bundle
    async with ConnectProxy(target=port, credentials="user:p@ss word").running() as proxy:
        url = f"http://user:p%40ss%20word@{proxy.address}"
        outbound = Outbound(trusted(bundle), Proxy(Secret(url), ("direct.example.test",)))
        async with outbound.client() as http:
            assert (await http.get("https://idp.example.test/x")).status_code == 200
            assert proxy.requests == ["CONNECT idp.example.test:443 HTTP/1.1"]
            # What is exempt, on this machine or not encrypted is not the proxy's business.
            assert (await http.get(f"https://localhost:{port}/")).status_code == 200
            for url in ("https://direct.example.test/", "http://127.0.0.1:1/"):
                with pytest.raises(httpx.ConnectError):
                    await http.get(url)
            assert len(proxy.requests) == 1


@pytest.mark.attack("Q-01")
async def test_a_proxy_that_refuses_does_not_bring_its_credentials_into_errors(
    server: HttpsServer,
) -> None:
    port, bundle = server.port, server.bundle
    async with ConnectProxy(target=port, credentials="user:right").running() as proxy:
        url = Secret(f"http://user:canary@{proxy.address}")
        async with Outbound(trusted(bundle), Proxy(url)).client() as http:
            with pytest.raises(httpx.ProxyError) as caught:
                await http.get("https://idp.example.test/x")
    assert "canary" not in repr(caught.value)


async def test_reused_connections_trust_the_companys_authorities(server: HttpsServer) -> None:
    url = f"https://localhost:{server.port}/"
    async with Outbound(trusted(server.bundle)).reused_connections() as connections:
        for _ in range(3):
            answer = await sent(connections, url)
            assert (answer.status_code, answer.text) == (200, "")


async def test_reused_connections_refuse_a_server_that_nobody_vouches_for(
    server: HttpsServer,
) -> None:
    async with Outbound(trusted(None)).reused_connections() as connections:
        with pytest.raises(httpx.ConnectError):
            await sent(connections, f"https://localhost:{server.port}/")
    # The certificate is for other names than this address.
    async with Outbound(trusted(server.bundle)).reused_connections() as connections:
        with pytest.raises(httpx.ConnectError):
            await sent(connections, f"https://127.0.0.1:{server.port}/")


async def test_reused_connections_go_through_the_proxy(server: HttpsServer) -> None:
    async with ConnectProxy(target=server.port, credentials="user:right").running() as proxy:
        outbound = Outbound(
            trusted(server.bundle), Proxy(Secret(f"http://user:right@{proxy.address}"))
        )
        async with outbound.reused_connections() as connections:
            for _ in range(2):
                answer = await sent(connections, "https://idp.example.test/x")
                assert answer.status_code == 200
        assert proxy.requests == ["CONNECT idp.example.test:443 HTTP/1.1"]


async def sent(connections: httpx.AsyncBaseTransport, url: str) -> httpx.Response:
    response = await connections.handle_async_request(httpx.Request("GET", url))
    try:
        await response.aread()
    finally:
        await response.aclose()
    return response


async def test_variables_of_the_environment_do_not_choose_a_proxy(
    server: HttpsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, bundle = server.port, server.bundle
    async with ConnectProxy(target=port).running() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with Outbound(trusted(bundle)).client() as http:
            with pytest.raises(httpx.ConnectError):
                await http.get("https://idp.example.test/x")
        assert proxy.requests == []


@pytest.mark.attack("G-05", "I-14")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status, headers={"location": "https://evil.example/"})

    outbound = Outbound(trusted(None))
    async with outbound.client(transport=httpx.MockTransport(answer)) as http:
        answered = await http.get("https://idp.example/document")
    assert answered.status_code == status
    assert asked == ["https://idp.example/document"]


async def redirects(scope: Scope, receive: Receive, send: Send) -> None:
    """Send everybody to another path of this server."""
    if scope["path"] == "/elsewhere":
        await PlainTextResponse("followed")(scope, receive, send)
    else:
        await RedirectResponse("/elsewhere")(scope, receive, send)


@pytest.mark.attack("G-05")
async def test_a_client_of_a_thread_follows_no_redirect(tmp_path: Path) -> None:
    async with https_server(redirects, tmp_path, hosts=["localhost"]) as server:
        url = f"https://localhost:{server.port}/"
        with Outbound(trusted(server.bundle)).blocking_client(url, timeout=30) as http:
            answer = await asyncio.to_thread(http.get, url)
    assert answer.status_code == 307
    assert answer.text == ""
