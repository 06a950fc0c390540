"""Connections to the API server: one TLS policy and one way to authenticate for all of them.

They read neither proxy variables nor .netrc: the API server is reached directly, or through the
`proxy-url` of a kubeconfig, so that a service account's token never passes through the proxy that
the environment names for the Internet. They keep no cookies.
"""

from __future__ import annotations

from typing import Final

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

IDLE_SECONDS: Final = 5.0
"""How long an unused connection is kept. After a cut that nobody announced, an older one would be
picked up by the very request that tries to recover, and cost a second deadline."""
_READ_BUFFER: Final = 2**21
"""Bytes that are taken from the socket ahead: a large Secret in one go."""


class Connections(RESTClientObject):
    """The Kubernetes library's client, with a pool of our own making."""

    def _create_pool_manager(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self.maxsize, ssl=self.ssl_context, keepalive_timeout=IDLE_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_never_repeat_a_write,),
            read_bufsize=_READ_BUFFER,
        )


def session_for(
    configuration: Configuration, *middlewares: aiohttp.ClientMiddlewareType
) -> aiohttp.ClientSession:
    """Make a session for a library that sends requests of its own: same TLS policy, same token.

    Args:
        configuration: where the API server is, and who we are.
        middlewares: see each request on its way; the first is the outermost.
    """
    connections = RESTClientObject(configuration)

    async def authenticate(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # For each request: the kubelet rotates the token.
        token = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            request.headers["Authorization"] = token
        return await handler(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, ssl=connections.ssl_context, keepalive_timeout=IDLE_SECONDS
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(*middlewares, authenticate),
        proxy=configuration.proxy,
        read_bufsize=_READ_BUFFER,
    )


async def _never_repeat_a_write(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep the HTTP client from sending a PUT or DELETE again when its connection breaks.

    The first may have been carried out; the second would then be told of a conflict with itself.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method == "GET":
            raise
        raise aiohttp.ClientConnectionError(str(error)) from error
