"""Connections to the API server: one TLS policy and one way to authenticate for all of them.

They read neither proxy variables nor .netrc: the API server is reached directly, or through the
`proxy-url` of a kubeconfig, so that a service account's token never passes through the proxy that
the environment names for the Internet. They follow no redirect and keep no cookies.
"""

from __future__ import annotations

from typing import Final

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.exceptions import OpenApiException
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config.config_exception import ConfigException

IDLE_SECONDS: Final = 5.0
"""How long an unused connection is kept. After a cut that nobody announced, an older one would be
picked up by the very request that tries to recover, and cost a second deadline."""
UNBOUNDED: Final = aiohttp.ClientTimeout(total=None)
"""The deadlines of `KubeClient` are exact; the library's would be rounded up to whole seconds."""
FAILURES: Final = (aiohttp.ClientError, OSError, OpenApiException, ConfigException)
"""What a request raises that gets no answer. OSError and ConfigException: the service account token
could not be read again."""
_READ_BUFFER: Final = 2**21
"""Bytes that are taken from the socket ahead: a large Secret in one go."""


class Redirected(aiohttp.ClientConnectionError):
    """The answer was a redirect, which no API server sends."""


class Connections(RESTClientObject):
    """The Kubernetes library's HTTP client with our own connection pool."""

    def _create_pool_manager(self) -> aiohttp.ClientSession:
        # The library adds the token and the server name to each request by itself.
        return _new_session(self, limit=self.maxsize)


def session_for(
    configuration: Configuration, *middlewares: aiohttp.ClientMiddlewareType
) -> aiohttp.ClientSession:
    """Make a session for a library that sends requests of its own: same TLS policy, same token.

    Args:
        configuration: where the API server is, and who we are.
        middlewares: see each request on its way; the first is the outermost.
    """

    async def authenticate(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # For each request: the kubelet rotates the token.
        token = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            request.headers["Authorization"] = token
        if configuration.tls_server_name:
            request.server_hostname = configuration.tls_server_name
        return await handler(request)

    return _new_session(RESTClientObject(configuration), *middlewares, authenticate, limit=0)


def _new_session(
    settings: RESTClientObject, *middlewares: aiohttp.ClientMiddlewareType, limit: int
) -> aiohttp.ClientSession:
    """Make a session with at most `limit` connections at once; 0 is any number."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=limit, ssl=settings.ssl_context, keepalive_timeout=IDLE_SECONDS
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(*middlewares, _refuse_redirects, _never_repeat_a_write),
        proxy=settings.proxy,
        read_bufsize=_READ_BUFFER,
    )


async def _refuse_redirects(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep the HTTP client from following a redirect.

    It would take off the token on the way to another host, but send the object of a write there,
    and what that host answers would count as the API server's word.
    """
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise Redirected(f"redirected with {response.status}")
    return response


async def _never_repeat_a_write(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep the HTTP client from sending a PUT or DELETE again when its connection breaks.

    The first may have been carried out; the second would then conflict with the first.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method == "GET":
            raise
        raise aiohttp.ClientConnectionError(str(error)) from error
