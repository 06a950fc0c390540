"""The Kubernetes API over `kubernetes.aio`'s client, used raw: JSON in, JSON out, one pool.

The typed models of that library would double the memory of this process and cost five times the CPU
of a list, and its watch neither lists again nor notices a dead connection; so paths and plain
dictionaries stand here, and every request has a deadline. No write is repeated here: whoever asks
knows whether it may be.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.exceptions import OpenApiException
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config.config_exception import ConfigException

from productive_gateway.observability.metrics import KUBERNETES_REQUESTS
from productive_kube.credentials import load_credentials
from productive_kube.errors import Unreachable, from_status
from productive_kube.lines import split_lines

Query = Sequence[tuple[str, str]]

REQUEST_SECONDS: Final = 5.0
"""How long a request for one object may take."""
PAGE_SECONDS: Final = 15.0
"""How long one page of a list may take."""
WATCH_SLACK: Final = 3.0
"""How much longer than asked for a watch may last before it counts as dead."""
_IDLE_SECONDS: Final = 5.0
"""How long an unused connection is kept. After a cut that nobody announced, an older one would be
picked up by the very request that tries to recover, and cost a second deadline."""
_READ_BUFFER: Final = 2**21
"""Bytes that are taken from the socket ahead: a large Secret in one go."""


class ClusterApi:
    """Requests to the API server as our service account.

    Every method raises `cluster.errors.ApiError` or one of its kinds. A path is absolute, such as
    `/api/v1/namespaces/x/secrets`, made from validated names.
    """

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._client = client
        self.namespace = namespace

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None) -> Self:
        """Make a client from the service account, else from KUBECONFIG; sends nothing yet.

        Args:
            kubeconfig: take this file instead, in a pod too.

        Raises:
            NoCluster: there is no usable configuration.
        """
        configuration, namespace = await load_credentials(kubeconfig)
        return cls(_raw_client(configuration), namespace)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def get(self, path: str, *, query: Query = ()) -> dict[str, Any]:
        """Read one object, or a whole list at once; without resourceVersion a quorum read."""
        return await self._request("get", path, query=query)

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST the object to its collection; returns what was stored."""
        return await self._request("create", path, body=body)

    async def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """PUT the object; its `metadata.resourceVersion` makes it a compare-and-swap."""
        return await self._request("replace", path, body=body)

    async def delete(self, path: str, *, uid: str | None, resource_version: str | None) -> None:
        """Delete the object if it still is that one; a precondition that is None is not made."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {k: v for k, v in preconditions.items() if v is not None},
        }
        await self._request("delete", path, body=options)

    async def pages(
        self, path: str, *, query: Query = (), limit: int = 500
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield each page of a complete list (`items`, `metadata`), all at one resourceVersion.

        A `Gone` on a later page means that the list took too long: start again.
        """
        more = ""
        while True:
            page = await self._request(
                "list",
                path,
                query=[*query, ("limit", str(limit)), *([("continue", more)] if more else [])],
                seconds=PAGE_SECONDS,
            )
            yield page
            more = (page.get("metadata") or {}).get("continue") or ""
            if not more:
                return

    async def watch(
        self, path: str, *, query: Query = (), resource_version: str, seconds: int = 10
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events (`type`, `object`) of one window, bookmarks included.

        The end without an error says that the server closed the window in order: everything up to
        then was yielded. (Not so when not even a bookmark came: it may have waited for a version
        from its future, as after a restore of etcd, in silence.) A server that says nothing beyond
        the window is `Unreachable`. Who may leave the loop early closes the generator
        (`contextlib.aclosing`).

        Args:
            path: the collection.
            query: selectors.
            resource_version: where to begin, from a list or the last event.
            seconds: length of the window, kept by the server.
        """
        parameters = [
            *query,
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(seconds)),
            ("resourceVersion", resource_version),
        ]
        request = f"watch {path}"
        end = asyncio.get_running_loop().time() + seconds + WATCH_SLACK
        async with _deadline(request, "watch", REQUEST_SECONDS):
            response = await self._send("watch", path, parameters, None)
        try:
            async with (
                aclosing(_chunks(request, response, end)) as chunks,
                aclosing(split_lines(chunks)) as lines,
            ):
                async for line in lines:
                    yield _event(request, line)
        finally:
            _drop(response)

    async def _request(
        self,
        verb: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, Any] | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> dict[str, Any]:
        request = f"{verb} {path}"
        async with _deadline(request, verb, seconds):
            response = await self._send(verb, path, query, body)
            try:
                return _decode(request, await response.read())
            finally:
                _drop(response)

    async def _send(
        self, verb: str, path: str, query: Query, body: Mapping[str, Any] | None
    ) -> aiohttp.ClientResponse:
        """Send a request; returns an open answer below 400."""
        method, url, headers, data, form = await self._client.param_serialize(
            _METHODS[verb],
            path,
            query_params=list(query),
            header_params={"Accept": "application/json"},
            body=body,
            auth_settings=["BearerToken"],
        )
        # The deadlines here are exact; the client's own would be rounded up to whole seconds.
        answer = await self._client.call_api(
            method, url, headers, data, form, _request_timeout=aiohttp.ClientTimeout(total=None)
        )
        response: aiohttp.ClientResponse = answer.response
        KUBERNETES_REQUESTS.labels(verb=verb, status=str(response.status)).inc()
        if response.status < 400:
            return response
        try:
            status_object = _json_object(await response.read())
        finally:
            _drop(response)
        raise from_status(
            f"{verb} {path}", response.status, status_object, response.headers.get("Retry-After")
        )


_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "replace": "PUT",
    "delete": "DELETE",
}


class _Connections(RESTClientObject):
    """The library's client with a pool of our own making.

    It reads neither proxy variables nor .netrc (which would cost two threads per request): the API
    server is reached directly, or through the `proxy-url` of a kubeconfig. It keeps no cookies.
    """

    def _create_pool_manager(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self.maxsize, ssl=self.ssl_context, keepalive_timeout=_IDLE_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_never_repeat_a_write,),
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


def _raw_client(configuration: Configuration) -> ApiClient:
    client = ApiClient(configuration)
    client.rest_client = _Connections(configuration)
    client.user_agent = "productive-gateway"
    return client


@asynccontextmanager
async def _deadline(request: str, verb: str, seconds: float) -> AsyncIterator[None]:
    """Bound a part of a request and translate what the libraries raise in it."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        KUBERNETES_REQUESTS.labels(verb=verb, status="timeout").inc()
        raise Unreachable(request, status=0, reason="Timeout") from error
    except (aiohttp.ClientError, OSError, OpenApiException, ConfigException) as error:
        # OSError and ConfigException: the service account token could not be read again.
        KUBERNETES_REQUESTS.labels(verb=verb, status="error").inc()
        raise Unreachable(request, status=0, reason=type(error).__name__) from error


def _drop(response: aiohttp.ClientResponse) -> None:
    """Close an answer.

    The connection of one that was read to its end is back in the pool by now. Any other is cut
    without a TLS farewell, for which a peer that is gone would be waited for.
    """
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


async def _chunks(
    request: str, response: aiohttp.ClientResponse, end: float
) -> AsyncGenerator[bytes, None]:
    # The deadline stands around each read, not around the yield: a timeout cancels whatever its
    # task is doing, and between two events that is the consumer's code.
    clock = asyncio.get_running_loop().time
    while True:
        async with _deadline(request, "watch", end - clock()):
            chunk = await response.content.readany()
        if not chunk:
            return
        yield chunk


def _event(request: str, line: bytes) -> dict[str, Any]:
    event = _decode(request, line)
    if event.get("type") == "ERROR":
        status = event.get("object") or {}
        raise from_status(request, int(status.get("code") or 500), status)
    return event


def _decode(request: str, raw: bytes) -> dict[str, Any]:
    answer = _json_object(raw)
    if not answer:
        raise Unreachable(request, status=0, reason="NotJson")
    return answer


def _json_object(raw: bytes) -> dict[str, Any]:
    """Decode a JSON object; what a proxy in between answered in its place is an empty one."""
    try:
        answer = json.loads(raw)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
