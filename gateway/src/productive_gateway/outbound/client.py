"""HTTP clients for what is outside: the provider and Productive."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Final

import httpx

from productive_gateway.outbound.proxy import Proxy

DEFAULT_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20)
DEFAULT_TIMEOUT: Final = 10.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """What all connections to the outside have in common."""

    tls: ssl.SSLContext
    proxy: Proxy | None = None

    def client(
        self,
        *,
        limits: httpx.Limits = DEFAULT_LIMITS,
        timeout: httpx.Timeout | float = DEFAULT_TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> httpx.AsyncClient:
        """Return a client that follows no redirects and keeps no cookies.

        It looks at no variables of the environment by itself: they are settings of the gateway.

        Args:
            limits: of the connection pool.
            timeout: of a request that names none.
            transport: replaces the network.
        """
        return httpx.AsyncClient(
            transport=transport or self._transport(limits),
            timeout=timeout,
            # What one person's request brings must not leave with another one's.
            cookies=no_cookies(),
            follow_redirects=False,
            trust_env=False,
        )

    def blocking_client(self, url: str, *, timeout: float) -> httpx.Client:
        """Return a client of one server, for a thread of its own."""
        return httpx.Client(
            verify=self.tls,
            proxy=self.proxy_for(url),
            timeout=timeout,
            cookies=no_cookies(),
            follow_redirects=False,
            trust_env=False,
        )

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy that a request to this URL goes through, with its credentials."""
        if self.proxy is None or not self.proxy.serves(url):
            return None
        return self.proxy.url.reveal()

    def _transport(self, limits: httpx.Limits) -> httpx.AsyncBaseTransport:
        direct = httpx.AsyncHTTPTransport(verify=self.tls, trust_env=False, limits=limits)
        if self.proxy is None:
            return direct
        url = httpx.URL(self.proxy.url.reveal())
        proxy = httpx.Proxy(url, ssl_context=self.tls if url.scheme == "https" else None)
        tunnelled = httpx.AsyncHTTPTransport(
            verify=self.tls, trust_env=False, limits=limits, proxy=proxy
        )
        return _ByProxy(self.proxy, direct, tunnelled)


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
