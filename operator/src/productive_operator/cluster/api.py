"""Requests to the Kubernetes API over `kubernetes.aio`'s client, used raw: JSON in, JSON out.

Its typed models cost five times the CPU of a list of 10,000 objects, and its watch never lists
again. Every request has a deadline of its own; nothing is repeated here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.exceptions import OpenApiException
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config.config_exception import ConfigException

from productive_contract.names import OPERATOR_FIELD_MANAGER
from productive_kube.list_stream import ListReader, MalformedList
from productive_operator.cluster.credentials import load_credentials
from productive_operator.cluster.errors import Unreachable, of_status
from productive_operator.metrics import KUBERNETES_REQUESTS

Query = Sequence[tuple[str, str]]
Item = TypeVar("Item")

REQUEST_SECONDS: Final = 5.0
"""How long a request for one object may take."""
SILENCE_SECONDS: Final = 15.0
"""How long a list may pause while it comes in; the API server itself ends it after a minute."""
WATCH_SLACK: Final = 3.0
"""How much longer than asked for a watch may last before it counts as dead."""
_IDLE_SECONDS: Final = 5.0
"""How long an unused connection is kept. After a cut that nobody announced, an older one would be
picked up by the very request that tries to recover, and cost a second deadline."""

_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "apply": "PATCH",
    "patch": "PATCH",
}
_FAILURES: Final = (
    TimeoutError,
    aiohttp.ClientError,
    MalformedList,
    OpenApiException,
    # The service account token could not be read again.
    OSError,
    ConfigException,
)
_CONTENT_TYPES: Final = {
    "apply": "application/apply-patch+yaml",
    "patch": "application/merge-patch+json",
}


class _Connections(RESTClientObject):
    """The library's pool with our idle time."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(
            limit=self.maxsize, ssl=self.ssl_context, keepalive_timeout=_IDLE_SECONDS
        )


class Api:
    """Requests as our service account; every method raises `ApiError` or one of its kinds."""

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
        client = ApiClient(configuration)
        client.rest_client = _Connections(configuration)
        client.user_agent = OPERATOR_FIELD_MANAGER
        return cls(client, namespace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, path: str, *, query: Query = ()) -> dict[str, Any]:
        """Read one object, or a short list; without resourceVersion a quorum read."""
        return await self._request("get", path, query=query)

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST an object to its collection."""
        return await self._request("create", path, body=body)

    async def apply(
        self, path: str, body: Mapping[str, Any], *, manager: str = OPERATOR_FIELD_MANAGER
    ) -> dict[str, Any]:
        """Apply our fields server-side, taking them over from whoever changed them."""
        query = (("fieldManager", manager), ("force", "true"))
        return await self._request("apply", path, query=query, body=body)

    async def merge(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Merge a JSON patch into the object; null removes a field."""
        query = (("fieldManager", OPERATOR_FIELD_MANAGER),)
        return await self._request("patch", path, query=query, body=body)

    async def read_list(
        self, path: str, decode: Callable[[dict[str, Any]], Item], *, query: Query = ()
    ) -> list[Item]:
        """Read a complete list; returns what `decode` makes of each object.

        It comes in one piece: the API server has it in memory, while pages after the first may be
        read from etcd, at several times the cost.
        """
        request = f"list {path}"
        found: list[Item] = []
        more = ""
        while True:
            reader = ListReader()
            parameters = [*query, *([("continue", more)] if more else [])]
            async with (
                _deadline(request, SILENCE_SECONDS) as deadline,
                self._open("list", path, parameters, None) as response,
            ):
                async for part in response.content.iter_any():
                    deadline.reschedule(asyncio.get_running_loop().time() + SILENCE_SECONDS)
                    found.extend(map(decode, reader.feed(part)))
                more = (reader.end().get("metadata") or {}).get("continue") or ""
            if not more:
                return found

    async def watch(
        self, path: str, *, query: Query, resource_version: str, seconds: int
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of one window, bookmarks included.

        The server closes it after that many seconds, which is an end in order.
        """
        parameters = [
            *query,
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(seconds)),
            ("resourceVersion", resource_version),
        ]
        request = f"watch {path}"
        async with (
            _deadline(request, seconds + WATCH_SLACK),
            self._open("watch", path, parameters, None) as response,
            aclosing(_lines(response.content.iter_any())) as lines,
        ):
            async for line in lines:
                event = _decode(request, line)
                if event.get("type") == "ERROR":
                    status = int((event.get("object") or {}).get("code") or 500)
                    raise of_status(status)(request, status)
                yield event

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
        async with (
            _deadline(request, seconds),
            self._open(verb, path, query, body) as response,
        ):
            return _decode(request, await response.read())

    @asynccontextmanager
    async def _open(
        self, verb: str, path: str, query: Query, body: Mapping[str, Any] | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; yields an answer below 400, and closes it."""
        headers = {"Accept": "application/json"}
        if verb in _CONTENT_TYPES:
            headers["Content-Type"] = _CONTENT_TYPES[verb]
        method, url, sent, data, form = await self._client.param_serialize(
            _METHODS[verb],
            path,
            query_params=list(query),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        # The deadlines here are exact; the client's own would be rounded up to whole seconds.
        answer = await self._client.call_api(
            method, url, sent, data, form, _request_timeout=aiohttp.ClientTimeout(total=None)
        )
        response: aiohttp.ClientResponse = answer.response
        KUBERNETES_REQUESTS.labels(verb=verb, status=str(response.status)).inc()
        try:
            if response.status >= 400:
                await response.read()
                raise of_status(response.status)(
                    f"{verb} {path}",
                    response.status,
                    retry_after=response.headers.get("Retry-After"),
                )
            yield response
        finally:
            # A connection whose answer was read to its end is back in the pool by now; any other
            # is closed by this.
            response.close()


@asynccontextmanager
async def _deadline(request: str, seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Bound a request and translate what the libraries raise in it."""
    try:
        async with asyncio.timeout(seconds) as deadline:
            yield deadline
    except _FAILURES as error:
        raise Unreachable(request, 0) from error


def _decode(request: str, raw: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(raw)
    except ValueError as error:
        raise Unreachable(request, 0) from error
    if not isinstance(answer, dict):
        raise Unreachable(request, 0)
    return answer


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield each line; one event holds a whole Secret, more than line readers allow."""
    begun: list[bytes] = []
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            line = b"".join([*begun, part])
            begun.clear()
            if line:
                yield line
        if rest:
            begun.append(rest)
