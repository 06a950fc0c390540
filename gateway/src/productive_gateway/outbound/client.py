"""HTTP clients for what is outside: the provider and Productive."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Final

import httpx

from productive_gateway.outbound.connections import KEEP_ALIVE, SINGLE, ReusedConnections
from productive_gateway.outbound.http1 import Http1Connection
from productive_gateway.outbound.proxy import Proxy

LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20)
DEFAULT_TIMEOUT: Final = 10.0
"""Seconds."""

MakeTransport = Callable[[httpx.Proxy | None], httpx.AsyncBaseTransport]
"""Makes a transport that connects directly, or through a proxy."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """What all connections to the outside have in common."""

    tls: ssl.SSLContext
    proxy: Proxy | None = None

    def client(
        self,
        *,
        timeout: httpx.Timeout | float = DEFAULT_TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> httpx.AsyncClient:
        """Return a client that follows no redirects and keeps no cookies.

        It looks at no variables of the environment by itself: they are settings of the gateway.

        Args:
            timeout: of a request that names none.
            transport: replaces the network.
        """
        return self._client(transport or self._transport(partial(self._pool, LIMITS)), timeout)

    def reused_connections(self) -> httpx.AsyncBaseTransport:
        """Return a transport for many requests to one place.

        It does not bound how many run at once: that is for the caller.
        """
        return self._transport(self._reused)

    def blocking_client(self, url: str, *, timeout: float) -> httpx.Client:
        """Return a client of one server, for a thread; it follows no redirects either."""
        return httpx.Client(
            verify=self.tls,
            proxy=self.proxy_for(url),
            timeout=timeout,
            cookies=no_cookies(),
            trust_env=False,
        )

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy that a request to this URL goes through, with its credentials."""
        if self.proxy is None or not self.proxy.serves(url):
            return None
        return self.proxy.url.reveal()

    def _client(
        self, transport: httpx.AsyncBaseTransport, timeout: httpx.Timeout | float
    ) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=transport,
            timeout=timeout,
            # What one person's request brings must not leave with another one's.
            cookies=no_cookies(),
            follow_redirects=False,
            trust_env=False,
        )

    def _transport(self, make: MakeTransport) -> httpx.AsyncBaseTransport:
        direct = make(None)
        if self.proxy is None:
            return direct
        url = httpx.URL(self.proxy.url.reveal())
        proxy = httpx.Proxy(url, ssl_context=self.tls if url.scheme == "https" else None)
        return _ByProxy(self.proxy, direct, make(proxy))

    def _pool(self, limits: httpx.Limits, proxy: httpx.Proxy | None) -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(
            verify=self.tls, trust_env=False, limits=limits, proxy=proxy
        )

    def _reused(self, proxy: httpx.Proxy | None) -> httpx.AsyncBaseTransport:
        if proxy is None:
            return ReusedConnections(partial(Http1Connection, self.tls, KEEP_ALIVE))
        return ReusedConnections(partial(self._pool, SINGLE, proxy))


class _ByProxy(httpx.AsyncBaseTransport):
    """Sends each request directly or through the proxy."""

    def __init__(
        self, proxy: Proxy, direct: httpx.AsyncBaseTransport, tunnelled: httpx.AsyncBaseTransport
    ) -> None:
        self._proxy = proxy
        self._direct = direct
        self._tunnelled = tunnelled

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        serves = self._proxy.serves(str(request.url))
        return await (self._tunnelled if serves else self._direct).handle_async_request(request)

    async def aclose(self) -> None:
        await self._direct.aclose()
        await self._tunnelled.aclose()


def no_cookies() -> CookieJar:
    """Return a jar that takes no cookie and sends none."""
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=()))


# Loading the public authorities takes longer than anything else here; one context serves all.
@cache
def trusted(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the public authorities, the machine's own, and a PEM file's."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    if ca_bundle is not None:
        context.load_verify_locations(cafile=ca_bundle)
    return context
