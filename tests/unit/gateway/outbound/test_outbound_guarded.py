"""The guarded fetch: checked addresses, pinned connections, bounded answers."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from harness.certificates import Authority
from harness.connectproxy import ConnectProxy
from harness.documenthost import (
    ADDRESS,
    HOST,
    PATH,
    DocumentHost,
    answer,
    document_host,
)
from productive_contract.secret import Secret
from productive_gateway.outbound import guarded
from productive_gateway.outbound.errors import FetchError, FetchFailed, FetchRefused
from productive_gateway.outbound.guarded import Fetched
from productive_gateway.outbound.proxy import Proxy
from productive_gateway.outbound.resolver import SystemResolver

LIMIT = 5 * 1024
OTHER = "other.example"


@pytest.fixture
async def host() -> AsyncIterator[DocumentHost]:
    async with document_host(OTHER) as running:
        yield running


async def get(host: DocumentHost, name: str = HOST, **how: Proxy) -> Fetched:
    return await host.client(**how).get(name, PATH, limit=LIMIT)


async def refusal(host: DocumentHost) -> str:
    with pytest.raises(FetchRefused) as refused:
        await get(host)
    return refused.value.reason


async def failure(host: DocumentHost) -> str:
    with pytest.raises(FetchFailed) as failed:
        await get(host)
    return failed.value.reason


async def test_a_document_comes_back_with_its_headers(host: DocumentHost) -> None:
    host.publish(None, "Cache-Control: max-age=60", "Cache-Control: public", 'ETag: "1"')
    fetched = await get(host)
    assert fetched.status == 200
    assert fetched.body.startswith(b'{"client_id"')
    assert fetched.values("cache-control") == ["max-age=60", "public"]
    assert fetched.single("cache-control") is None
    assert fetched.single("etag") == '"1"'


@pytest.mark.attack("K-05")
async def test_the_request_asks_for_no_encoding_and_brings_nothing_of_ours(
    host: DocumentHost,
) -> None:
    await get(host)
    head = host.heads[0].splitlines()
    assert head[0] == f"GET {PATH} HTTP/1.1"
    assert sorted(line.partition(":")[0].lower() for line in head[1:] if line) == [
        "accept-encoding",
        "connection",
        "host",
        "user-agent",
    ]
    assert "Accept-Encoding: identity" in head
    assert f"Host: {HOST}" in head


@pytest.mark.attack("K-02")
@pytest.mark.parametrize(
    "answers",
    [
        ("127.0.0.1",),
        ("169.254.169.254",),
        ("10.96.0.1", ADDRESS),
        (ADDRESS, "10.96.0.1"),
        (ADDRESS, "::1"),
        (ADDRESS, "64:ff9b::a00:1"),
        ("2606:4700::6810:84e5", "::ffff:10.0.0.1"),
    ],
)
async def test_one_address_that_is_not_public_is_enough_to_refuse(
    host: DocumentHost, answers: tuple[str, ...]
) -> None:
    host.addresses[HOST] = [answers]
    assert await refusal(host) == "address_not_public"
    assert host.connected == []


@pytest.mark.attack("K-02")
async def test_a_network_of_the_cluster_can_be_denied(host: DocumentHost) -> None:
    client = host.client(denied=[ipaddress.ip_network("93.184.216.0/24")])
    with pytest.raises(FetchRefused, match="address_not_public"):
        await client.get(HOST, PATH, limit=LIMIT)
    assert host.connected == []


@pytest.mark.attack("K-03")
async def test_the_connection_goes_to_the_checked_address_and_names_the_host(
    host: DocumentHost,
) -> None:
    host.addresses[HOST] = [(ADDRESS,), ("169.254.169.254",)]
    await get(host)
    assert host.resolved == [HOST], "once: a second answer is never asked for"
    assert host.connected == [ADDRESS]
    assert host.names == [HOST]


@pytest.mark.attack("K-03")
async def test_every_fetch_checks_anew(host: DocumentHost) -> None:
    host.addresses[HOST] = [(ADDRESS,), ("169.254.169.254",)]
    await get(host)
    assert await refusal(host) == "address_not_public"
    assert host.connected == [ADDRESS]


async def test_no_connection_is_used_for_another_request(host: DocumentHost) -> None:
    client = host.client()
    for name in (HOST, OTHER, HOST):
        await client.get(name, PATH, limit=LIMIT)
    assert host.names == [HOST, OTHER, HOST]
    assert len(host.connected) == 3


async def test_the_next_address_is_tried_when_one_does_not_answer(
    host: DocumentHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.addresses[HOST] = [("93.184.216.1", ADDRESS)]
    reached = host.connect

    async def connect(address: guarded.Address, port: int, seconds: float) -> object:
        if str(address) == "93.184.216.1":
            host.connected.append(str(address))
            raise OSError
        return await reached(address, port, seconds)

    monkeypatch.setattr(host, "connect", connect)
    assert (await get(host)).status == 200
    assert host.connected == ["93.184.216.1", ADDRESS]


async def test_a_host_without_addresses_is_unavailable(host: DocumentHost) -> None:
    host.addresses[HOST] = [()]
    assert await failure(host) == "dns"


async def test_a_host_that_does_not_answer_is_unavailable(host: DocumentHost) -> None:
    host.away = True
    assert await failure(host) == "connect"


@pytest.mark.attack("K-04")
@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data/", f"https://{OTHER}{PATH}", PATH]
)
async def test_no_redirect_is_followed(host: DocumentHost, status: str, target: str) -> None:
    host.publish(None, f"Location: {target}", status=status)
    fetched = await get(host)
    assert fetched.status == int(status[:3])
    assert fetched.body == b""
    assert len(host.heads) == len(host.connected) == 1


@pytest.mark.attack("K-05")
async def test_five_kilobytes_are_read_and_not_one_more(host: DocumentHost) -> None:
    host.answers[PATH] = answer(b"x" * LIMIT)
    assert len((await get(host)).body) == LIMIT
    host.answers[PATH] = answer(b"x" * (LIMIT + 1))
    assert await refusal(host) == "too_large"


@pytest.mark.attack("K-05")
@pytest.mark.parametrize("size", [1, 4096])
async def test_an_endless_body_is_cut(host: DocumentHost, size: int) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write((f"{size:x}\r\n".encode() + b"x" * size + b"\r\n") * (8192 // size))
            await writer.drain()
            await asyncio.sleep(0)

    host.answers[PATH] = endless
    assert await refusal(host) == "too_large"


@pytest.mark.attack("K-05")
async def test_long_chunk_extensions_are_cut_too(host: DocumentHost) -> None:
    async def extended(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1;" + b"e" * 4000 + b"\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0)

    host.answers[PATH] = extended
    assert await refusal(host) == "too_large"


@pytest.mark.attack("K-05")
async def test_what_is_compressed_is_refused_unread(host: DocumentHost) -> None:
    bomb = gzip.compress(b"0" * 1_000_000)
    host.answers[PATH] = answer(bomb, "Content-Encoding: gzip")
    assert await refusal(host) == "encoded"


@pytest.mark.attack("K-05")
async def test_a_hundred_headers_are_refused(host: DocumentHost) -> None:
    host.publish(None, *(f"X-{number}: x" for number in range(100)))
    assert await refusal(host) == "too_many_headers"


@pytest.mark.attack("K-05")
async def test_endless_headers_are_cut(host: DocumentHost) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: " + b"x" * 4000 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)

    host.answers[PATH] = endless
    assert await refusal(host) == "too_large"


@pytest.mark.attack("K-05")
async def test_endless_interim_answers_are_cut(host: DocumentHost) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 100)
            await writer.drain()
            await asyncio.sleep(0)

    host.answers[PATH] = endless
    assert await refusal(host) == "too_large"


@pytest.mark.attack("K-05")
async def test_a_byte_now_and_then_does_not_prolong_the_fetch(
    host: DocumentHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "SECONDS", 0.3)

    async def slow(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    host.answers[PATH] = slow
    async with asyncio.timeout(10):
        assert await failure(host) == "timeout"


@pytest.mark.attack("K-05")
async def test_a_name_server_that_does_not_answer_is_within_the_time(
    host: DocumentHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "SECONDS", 0.1)

    async def resolve(name: str) -> tuple[guarded.Address, ...]:
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr(host, "resolve", resolve)
    async with asyncio.timeout(10):
        assert await failure(host) == "timeout"


@pytest.mark.attack("K-11")
async def test_a_certificate_of_another_name_is_refused() -> None:
    authority = Authority("Public CA")
    pair = authority.server("evil.example", hosts=["evil.example"])
    async with document_host(authority=authority, pair=pair) as host:
        assert await refusal(host) == "certificate"
        assert host.heads == []


@pytest.mark.attack("K-11")
async def test_a_certificate_of_an_unknown_authority_is_refused() -> None:
    pair = Authority("Other CA").server(HOST, hosts=[HOST])
    async with document_host(pair=pair) as host:
        assert await refusal(host) == "certificate"
        assert host.heads == []


@pytest.mark.attack("K-11")
async def test_an_expired_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority("Public CA")
    monkeypatch.setattr("harness.certificates.LIFE", -timedelta(minutes=1))
    pair = authority.server(HOST, hosts=[HOST])
    async with document_host(authority=authority, pair=pair) as host:
        assert await refusal(host) == "certificate"


@pytest.mark.attack("K-11")
@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18,  # SETTINGS of HTTP/2
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ],
    ids=["http2", "nothing", "short", "two lengths", "bad header", "ssh"],
)
async def test_an_answer_that_is_not_http_1_is_a_failure(host: DocumentHost, sent: bytes) -> None:
    host.answers[PATH] = sent
    with pytest.raises(FetchError):
        await get(host)


@pytest.mark.attack("K-10")
async def test_a_proxy_is_asked_for_the_checked_address_and_resolves_nothing(
    host: DocumentHost,
) -> None:
    async with ConnectProxy(target=host.port, credentials="user:secret").running() as proxy:
        setting = Proxy(Secret(proxy.url.replace("http://", "http://user:secret@")))
        assert (await get(host, proxy=setting)).body.startswith(b'{"client_id"')
        assert proxy.requests == [f"CONNECT {ADDRESS}:443 HTTP/1.1"]
        assert HOST not in "".join(proxy.heads)
    assert host.names == [HOST], "inside the tunnel TLS names the host"
    assert host.connected == [], "nothing goes past the proxy"


async def test_a_proxy_is_asked_for_an_ipv6_address_in_brackets(host: DocumentHost) -> None:
    host.addresses[HOST] = [("2606:4700::6810:84e5",)]
    async with ConnectProxy(target=host.port).running() as proxy:
        await get(host, proxy=Proxy(Secret(proxy.url)))
        assert proxy.requests == ["CONNECT [2606:4700::6810:84e5]:443 HTTP/1.1"]


@pytest.mark.attack("K-02", "K-10")
async def test_through_a_proxy_addresses_are_checked_too(host: DocumentHost) -> None:
    host.addresses[HOST] = [("10.0.0.1",)]
    async with ConnectProxy(target=host.port).running() as proxy:
        with pytest.raises(FetchRefused, match="address_not_public"):
            await get(host, proxy=Proxy(Secret(proxy.url)))
        assert proxy.requests == []


@pytest.mark.attack("K-11")
async def test_through_a_proxy_the_certificate_is_still_that_of_the_name() -> None:
    authority = Authority("Public CA")
    pair = authority.server("evil.example", hosts=["evil.example"])
    async with (
        document_host(authority=authority, pair=pair) as host,
        ConnectProxy(target=host.port).running() as proxy,
    ):
        with pytest.raises(FetchRefused, match="certificate"):
            await get(host, proxy=Proxy(Secret(proxy.url)))


@pytest.mark.attack("K-10")
async def test_a_proxy_that_refuses_makes_the_document_unavailable(host: DocumentHost) -> None:
    async with ConnectProxy(target=host.port, credentials="user:secret").running() as proxy:
        with pytest.raises(FetchFailed, match="proxy"):
            await get(host, proxy=Proxy(Secret(proxy.url)))
    assert host.connected == [], "there is no way around the proxy"


@pytest.mark.attack("K-10")
async def test_a_host_of_no_proxy_is_reached_directly(host: DocumentHost) -> None:
    async with ConnectProxy(target=host.port).running() as proxy:
        await get(host, proxy=Proxy(Secret(proxy.url), (HOST,)))
        assert proxy.requests == []
    assert host.connected == [ADDRESS]


async def test_the_systems_resolver_leaves_out_the_search_list() -> None:
    asked: list[bytes] = []

    def getaddrinfo(name: bytes, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(name)
        return [(0, 0, 0, "", (ADDRESS, 443)), (0, 0, 0, "", (ADDRESS, 443))]

    resolver = SystemResolver()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("socket.getaddrinfo", getaddrinfo)
        assert await resolver.resolve(HOST) == (ipaddress.ip_address(ADDRESS),)
    resolver.close()
    assert asked == [b"assistant.example."]


async def test_a_name_that_cannot_be_resolved_is_unavailable() -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise OSError

    resolver = SystemResolver()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("socket.getaddrinfo", getaddrinfo)
        with pytest.raises(FetchFailed, match="dns"):
            await resolver.resolve(HOST)
    resolver.close()
