"""Which servers the connections reach, and what they send along, for both kinds of session."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import aiohttp
import pytest
from aiohttp import web

from harness.certificates import Authority
from harness.connectproxy import ConnectProxy
from harness.kubestub import TOKEN, serving, write_kubeconfig
from productive_kube.client import KubeClient
from productive_kube.errors import Unreachable

PATH = "/api/v1/namespaces/x/secrets"
HOSTS = ("127.0.0.1", "localhost")
Ask: TypeAlias = Callable[[], Awaitable[object]]


class Stub:
    """Answers everything with an object, and notes what came."""

    def __init__(self) -> None:
        self.requests: list[web.BaseRequest] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        return web.json_response({"kind": "Secret"}, headers={"Set-Cookie": "a=b"})

    def tokens(self) -> list[str | None]:
        return [request.headers.get("Authorization") for request in self.requests]


@asynccontextmanager
async def both(kubeconfig: Path) -> AsyncIterator[tuple[Ask, Ask]]:
    """Yield a request of the client and one of a session for another library."""
    async with await KubeClient.connect(kubeconfig, user_agent="test/1") as api:

        async def ask() -> object:
            return await api.get(PATH)

        async with api.new_session() as session:

            async def ask_in_session() -> object:
                async with session.get(f"{api.server}{PATH}") as answer:
                    return await answer.json()

            yield ask, ask_in_session


def proxied(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, url)
        monkeypatch.setenv(name.lower(), url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("pair", [True, False], ids=["https", "http"])
async def test_the_proxies_of_the_environment_see_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: bool
) -> None:
    authority = Authority("stub")
    certificate = authority.server("stub", hosts=HOSTS) if pair else None
    async with ConnectProxy().running() as proxy, serving(stub := Stub(), certificate) as url:
        proxied(monkeypatch, proxy.url)
        path = write_kubeconfig(tmp_path, url, authority=authority.certificate if pair else None)
        async with both(path) as requests:
            for ask in requests:
                await ask()
    assert stub.tokens() == [f"Bearer {TOKEN}"] * 2
    assert proxy.heads == []


async def test_a_client_that_trusts_the_environment_would_use_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So the test above can fail."""
    async with ConnectProxy().running() as proxy:
        proxied(monkeypatch, proxy.url)
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            session.get("http://127.0.0.1:1") as answer,
        ):
            assert answer.status == 502
    assert len(proxy.heads) == 1


async def test_the_proxy_of_the_kubeconfig_tunnels_and_sees_no_token(tmp_path: Path) -> None:
    authority = Authority("stub")
    pair = authority.server("stub", hosts=HOSTS)
    async with ConnectProxy().running() as proxy, serving(stub := Stub(), pair) as url:
        path = write_kubeconfig(
            tmp_path, url, authority=authority.certificate, cluster={"proxy-url": proxy.url}
        )
        async with both(path) as requests:
            for ask in requests:
                await ask()
    assert stub.tokens() == [f"Bearer {TOKEN}"] * 2
    target = url.removeprefix("https://")
    assert [head.split("\r\n")[0] for head in proxy.heads] == [f"CONNECT {target} HTTP/1.1"] * 2
    assert not any(TOKEN in head for head in proxy.heads)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(tmp_path: Path, status: int) -> None:
    async with serving(elsewhere := Stub()) as target:
        came = []

        async def redirect(request: web.BaseRequest) -> web.StreamResponse:
            came.append(request.method)
            return web.Response(status=status, headers={"Location": f"{target}{request.path}"})

        async with serving(redirect) as url:
            path = write_kubeconfig(tmp_path, url)
            async with await KubeClient.connect(path, user_agent="test/1") as api:
                for attempt in (
                    api.get(PATH),
                    api.list(PATH, dict),
                    api.create(PATH, {"data": {"a": "secret"}}),
                    api.replace(PATH, {"data": {"a": "secret"}}),
                    api.delete(PATH, uid=None, resource_version=None),
                    anext(api.watch(PATH, resource_version="1")),
                ):
                    with pytest.raises(Unreachable, match="Redirected"):
                        await attempt
                async with api.new_session() as session:
                    for method in ("GET", "PATCH"):
                        # A kind of error that Kopf retries.
                        with pytest.raises(aiohttp.ClientConnectionError):
                            await session.request(method, f"{url}{PATH}", json={"a": "secret"})
    assert len(came) == 8
    assert elsewhere.requests == []


async def test_certificates_without_key_identifiers_are_accepted(
    tmp_path: Path, strict_tls: None
) -> None:
    older = Authority("older", key_identifiers=False)
    async with serving(stub := Stub(), older.server("stub", hosts=HOSTS)) as url:
        async with both(write_kubeconfig(tmp_path, url, authority=older.certificate)) as requests:
            for ask in requests:
                await ask()
        assert len(stub.requests) == 2
        # Python's own default from 3.13 on would refuse them.
        context = ssl.create_default_context(cadata=older.certificate.decode())
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError, match="Key Identifier"):
                await session.get(url, ssl=context)


@pytest.mark.parametrize("key_identifiers", [True, False])
@pytest.mark.parametrize("wrong", ["authority", "host"])
async def test_authority_and_host_are_verified(
    tmp_path: Path, key_identifiers: bool, wrong: str
) -> None:
    authority = Authority("stub", key_identifiers=key_identifiers)
    trusted = (
        Authority("stub", key_identifiers=key_identifiers) if wrong == "authority" else authority
    )
    pair = authority.server("stub", hosts=["other.example"] if wrong == "host" else HOSTS)
    async with serving(stub := Stub(), pair) as url:
        path = write_kubeconfig(tmp_path, url, authority=trusted.certificate)
        async with both(path) as (ask, ask_in_session):
            with pytest.raises(Unreachable, match="Certificate"):
                await ask()
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await ask_in_session()
    assert stub.requests == []


async def test_the_server_name_of_the_kubeconfig_is_verified_in_place_of_the_host(
    tmp_path: Path,
) -> None:
    authority = Authority("stub")
    async with serving(stub := Stub(), authority.server("stub", hosts=["api.internal"])) as url:
        path = write_kubeconfig(
            tmp_path,
            url,
            authority=authority.certificate,
            cluster={"tls-server-name": "api.internal"},
        )
        async with both(path) as requests:
            for ask in requests:
                await ask()
    assert len(stub.requests) == 2


async def test_no_cookie_is_kept_and_each_request_says_who_asks(tmp_path: Path) -> None:
    async with serving(stub := Stub()) as url, both(write_kubeconfig(tmp_path, url)) as requests:
        for ask in requests:
            await ask()
            await ask()
    assert [request.headers.get("Cookie") for request in stub.requests] == [None] * 4
    assert [request.headers["User-Agent"] for request in stub.requests] == ["test/1"] * 4


async def test_middlewares_of_a_session_see_each_request_first_to_last(tmp_path: Path) -> None:
    seen = []

    def noting(name: str) -> aiohttp.ClientMiddlewareType:
        async def note(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            seen.append((name, "Authorization" in request.headers))
            return await handler(request)

        return note

    async with serving(Stub()) as url:
        path = write_kubeconfig(tmp_path, url)
        async with (
            await KubeClient.connect(path, user_agent="test/1") as api,
            api.new_session(noting("outer"), noting("inner")) as session,
        ):
            await session.get(url)
    assert seen == [("outer", False), ("inner", False)]


@pytest.mark.attack("R-13")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_a_session_does_not_repeat_a_write_whose_connection_breaks(
    tmp_path: Path, method: str
) -> None:
    came = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        came.append(request.method)
        if request.method != "GET":
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({})

    async with serving(handle) as url:
        path = write_kubeconfig(tmp_path, url)
        async with (
            await KubeClient.connect(path, user_agent="test/1") as api,
            api.new_session() as session,
        ):
            async with session.get(url) as answer:
                await answer.read()
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.request(method, url, json={})
    assert came == ["GET", method]
