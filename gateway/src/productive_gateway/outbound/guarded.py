"""GET from a host that a stranger named, without lending that stranger our place in the network.

The name is resolved here, and unless every address is a public one nothing is sent. The connection
goes to an address that was checked: it is not resolved a second time (DNS rebinding). TLS and Host
still use the name, so the host that answers must hold its certificate. No redirect is followed, no
cookie and no credential is sent, no connection is kept, and size and time are bounded as a whole.

Through HTTPS_PROXY the tunnel is asked for by the checked address, so that the proxy resolves
nothing, and TLS inside it again uses the name.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpcore
import httpx

from productive_gateway.networks import Address
from productive_gateway.outbound.addresses import AddressPolicy
from productive_gateway.outbound.errors import FetchFailed, FetchRefused
from productive_gateway.outbound.proxy import Proxy
from productive_gateway.outbound.resolver import Resolve

PORT: Final = 443
SECONDS: Final = 5.0
"""For everything: name, connection, TLS, headers and body."""
_CONNECT_SECONDS: Final = 2.0
"""For each address, so that one that does not answer leaves time for the next."""
_MAX_ADDRESSES: Final = 4
"""Addresses that are tried."""
_MAX_HEADERS: Final = 64
_HEADER_BYTES: Final = 16 * 1024
_CHUNK_OVERHEAD: Final = 8
"""How many bytes a body may have on the wire for each of its own: chunks of one byte have six."""

Connect = Callable[[Address, int, float], Awaitable[httpcore.AsyncNetworkStream]]
"""Opens a connection to an address and port, within some seconds."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of any status, without a redirect followed."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case."""
    body: bytes
    """Empty unless the status is 200."""

    def values(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value.decode("latin-1") for key, value in self.headers if key == name.encode()]

    def single(self, name: str) -> str | None:
        """Return the value of a header that is sent exactly once, else None."""
        found = self.values(name)
        return found[0] if len(found) == 1 else None


async def connect_directly(
    address: Address, port: int, seconds: float
) -> httpcore.AsyncNetworkStream:
    """Connect without a proxy."""
    return await httpcore.AnyIOBackend().connect_tcp(str(address), port, seconds)


@dataclass(frozen=True, slots=True)
class GuardedClient:
    """Fetches small documents from hosts that strangers name."""

    tls: ssl.SSLContext
    addresses: AddressPolicy
    resolve: Resolve
    user_agent: str
    proxy: Proxy | None = None
    connect: Connect = field(default=connect_directly)

    async def get(
        self, host: str, target: str, *, limit: int, headers: Iterable[tuple[str, str]] = ()
    ) -> Fetched:
        """Fetch https://<host><target>.

        Args:
            host: a name, lower case.
            target: path and query.
            limit: bytes that the body may have.
            headers: further ones of the request.

        Raises:
            FetchRefused: the host is not public, or its answer breaks a rule.
            FetchFailed: it cannot be reached, or does not answer in five seconds.
        """
        try:
            async with asyncio.timeout(SECONDS):
                checked = await self._checked(host)
                return await self._exchange(host, target, checked, limit, headers)
        except TimeoutError as error:
            raise FetchFailed("timeout") from error
        except httpcore.TimeoutException as error:
            raise FetchFailed("timeout") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
            raise _explained(error) from error

    async def _checked(self, host: str) -> Sequence[Address]:
        found = await self.resolve(host)
        if not found:
            raise FetchFailed("dns")
        # One bad address is enough: a name that mixes them is an attempt to reach the bad one.
        if not all(self.addresses.allows(address) for address in found):
            raise FetchRefused("address_not_public")
        return found[:_MAX_ADDRESSES]

    async def _exchange(
        self,
        host: str,
        target: str,
        checked: Sequence[Address],
        limit: int,
        headers: Iterable[tuple[str, str]],
    ) -> Fetched:
        sent = [
            ("Host", host),
            ("User-Agent", self.user_agent),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
            *headers,
        ]
        url = httpcore.URL(scheme=b"https", host=host.encode(), port=PORT, target=target.encode())
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), SECONDS)
        backend = _Pinned(self._opener(host), checked, _HEADER_BYTES + limit * _CHUNK_OVERHEAD)
        # A pool for this one request: a connection is never used for another name.
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self.tls, max_keepalive_connections=0, network_backend=backend
            ) as pool,
            pool.stream("GET", url, headers=sent, extensions={"timeout": timeouts}) as response,
        ):
            if len(response.headers) > _MAX_HEADERS:
                raise FetchRefused("too_many_headers")
            lowered = tuple((name.lower(), value) for name, value in response.headers)
            answer = Fetched(response.status, lowered, b"")
            if answer.status != 200:
                return answer
            return Fetched(answer.status, lowered, await _body(response, answer, limit))

    def _opener(self, host: str) -> Connect:
        proxy = self.proxy
        if proxy is None or not proxy.serves(f"https://{host}"):
            return self.connect

        async def tunnel(
            address: Address, port: int, seconds: float
        ) -> httpcore.AsyncNetworkStream:
            return await _tunnel(proxy, self.tls, address, port, seconds)

        return tunnel


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses, whatever the name in the URL resolves to by now."""

    def __init__(self, opener: Connect, checked: Sequence[Address], limit: int) -> None:
        self._opener = opener
        self._checked = checked
        self._limit = limit

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 (that is the point)
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 (httpcore's signature)
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        for address in self._checked:
            try:
                stream = await self._opener(address, port, _CONNECT_SECONDS)
            except (httpcore.ConnectError, httpcore.ConnectTimeout, OSError):
                continue
            return _Bounded(stream, self._limit)
        raise FetchFailed("connect")


class _Bounded(httpcore.AsyncNetworkStream):
    """A stream that ends with an error after so many bytes; those of TLS itself do not count."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._read = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        data = await self._stream.read(max_bytes, timeout)
        self._read += len(data)
        if self._read > self._limit:
            raise FetchRefused("too_large")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        inner = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _Bounded(inner, self._limit)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


async def _body(response: httpcore.Response, answer: Fetched, limit: int) -> bytes:
    if any(value.strip().lower() != "identity" for value in answer.values("content-encoding")):
        # It was asked for as it is; what has to be unpacked could be of any size.
        raise FetchRefused("encoded")
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > limit:
            raise FetchRefused("too_large")
    return bytes(body)


async def _tunnel(
    proxy: Proxy, tls: ssl.SSLContext, address: Address, port: int, seconds: float
) -> httpcore.AsyncNetworkStream:
    """Open a tunnel through the company's proxy to an address (RFC 9110 9.3.6)."""
    settings = httpx.Proxy(httpx.URL(proxy.url.reveal()))
    url = settings.url
    host = url.raw_host
    own_port = url.port or (443 if url.scheme == "https" else 80)
    connection = httpcore.AsyncHTTPConnection(
        origin=httpcore.Origin(url.raw_scheme, host, own_port), ssl_context=tls
    )
    name = f"[{address}]" if address.version == 6 else str(address)
    target = f"{name}:{port}".encode()
    headers = [(b"Host", target)]
    if settings.raw_auth is not None:
        pair = base64.b64encode(b":".join(settings.raw_auth))
        headers.append((b"Proxy-Authorization", b"Basic " + pair))
    response = await connection.handle_async_request(
        httpcore.Request(
            b"CONNECT",
            httpcore.URL(scheme=url.raw_scheme, host=host, port=own_port, target=target),
            headers=headers,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write"), seconds)},
        )
    )
    if not 200 <= response.status < 300:
        await connection.aclose()
        raise FetchFailed("proxy")
    stream: httpcore.AsyncNetworkStream = response.extensions["network_stream"]
    return stream


def _explained(error: Exception) -> FetchRefused | FetchFailed:
    """Return what a failed exchange means: a host with a wrong certificate is not merely away."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return FetchRefused("certificate")
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            return FetchRefused("tls")
        cause = cause.__cause__ or cause.__context__
    return FetchFailed("protocol" if isinstance(error, httpcore.ProtocolError) else "connection")
