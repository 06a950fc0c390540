"""The Kubernetes API over `kubernetes.aio`'s client, used raw: JSON in, JSON out, one pool.

The typed models of that library would double the memory of a process and cost five times the CPU
of a list, and its watch neither lists again nor notices a dead connection; so this module works
with paths and plain dictionaries, and every request has a deadline. No write is repeated here: the
caller knows whether it may be.

The library is imported when a client connects: with aiohttp it is 10 MB and a tenth of a start, and
a gateway whose grants are in memory has no API server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from productive_kube.errors import Unreachable, from_status
from productive_kube.http_date import read_date
from productive_kube.list_stream import ListReader, MalformedList, split_lines

if TYPE_CHECKING:
    import aiohttp
    from kubernetes.aio.client.api_client import ApiClient

Query = Sequence[tuple[str, str]]
Observe = Callable[[str, str], None]
"""Called for each request, for metrics: with its verb, and its status, `timeout` or `error`."""
Item = TypeVar("Item")

_JSON: Final = "application/json"

REQUEST_SECONDS: Final = 5.0
"""How long a request for one object may take."""
SILENCE_SECONDS: Final = 15.0
"""How long a list may pause while it comes in; the API server itself ends it after a minute."""
WATCH_SLACK: Final = 3.0
"""How much longer than the window that it asked for a watch may last before it counts as dead."""


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """A complete list, and the version of the store that it shows."""

    items: list[Item]
    version: str


class KubeClient:
    """Requests to the API server as our service account.

    Every request raises `errors.ApiError` or one of its kinds, and nothing else. A path is
    absolute, such as `/api/v1/namespaces/x/secrets`, and made of validated names.
    """

    def __init__(self, client: ApiClient, namespace: str, observe: Observe) -> None:
        self._client = client
        self._observe = observe
        self.namespace = namespace
        self.server_time: float | None = None
        """The clock of the API server at its last answer, Unix seconds in whole seconds."""

    @classmethod
    async def connect(
        cls,
        kubeconfig: Path | None = None,
        *,
        user_agent: str,
        observe: Observe = lambda _verb, _status: None,
    ) -> Self:
        """Make a client from the service account, else from KUBECONFIG; this sends nothing.

        Args:
            kubeconfig: the file to use instead of both.
            user_agent: who we are, for the API server's logs.
            observe: see `Observe`.

        Raises:
            NoCluster: there is no configuration that can be used.
        """
        from kubernetes.aio.client.api_client import ApiClient

        from productive_kube.connection import Connections
        from productive_kube.credentials import load_credentials

        configuration, namespace = await load_credentials(kubeconfig)
        client = ApiClient(configuration)
        client.rest_client = Connections(configuration)
        client.user_agent = user_agent
        return cls(client, namespace, observe)

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

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return str(self._client.configuration.host)

    def new_session(self, *middlewares: aiohttp.ClientMiddlewareType) -> aiohttp.ClientSession:
        """Make a session for a library that sends requests of its own; the caller closes it.

        Args:
            middlewares: see each request on its way; the first is the outermost.
        """
        from productive_kube.connection import session_for

        session = session_for(self._client.configuration, *middlewares)
        session.headers["User-Agent"] = self._client.user_agent
        return session

    async def get(self, path: str, *, query: Query = (), accept: str = _JSON) -> dict[str, Any]:
        """Read one object, or a short list at once; without resourceVersion a quorum read.

        Args:
            path: of the object, or of the collection.
            query: selectors and the like.
            accept: another representation that is JSON, such as a table without objects.
        """
        return await self._request("get", path, query=query, accept=accept)

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST the object to its collection; returns what was stored."""
        return await self._request("create", path, body=body)

    async def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """PUT the object; its `metadata.resourceVersion` makes it a compare-and-swap."""
        return await self._request("replace", path, body=body)

    async def apply(self, path: str, body: Mapping[str, Any], *, manager: str) -> dict[str, Any]:
        """Apply our fields server-side, also those that another manager changed."""
        query = (("fieldManager", manager), ("force", "true"))
        return await self._request("apply", path, query=query, body=body)

    async def merge(self, path: str, body: Mapping[str, Any], *, manager: str) -> dict[str, Any]:
        """Merge a JSON patch (RFC 7396) into the object; null removes a field."""
        return await self._request("merge", path, query=(("fieldManager", manager),), body=body)

    async def delete(self, path: str, *, uid: str | None, resource_version: str | None) -> None:
        """Delete the object if it is still the same; None leaves a precondition out."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {k: v for k, v in preconditions.items() if v is not None},
        }
        await self._request("delete", path, body=options)

    async def list(
        self, path: str, decode: Callable[[dict[str, Any]], Item], *, query: Query = ()
    ) -> Listed[Item]:
        """Read a complete list of what `decode` makes of each object.

        The list is read in one piece: the API server has it in memory, while pages after the first
        may be read from etcd, at several times the cost. It is decoded while it comes in, so that
        the event loop runs in between, and the objects are never in memory all at once.
        """
        found: list[Item] = []
        more = ""
        while True:
            parameters = [*query, *([("continue", more)] if more else [])]
            reader = ListReader()
            parts = self._stream(
                "list", path, parameters, opening=SILENCE_SECONDS, left=lambda: SILENCE_SECONDS
            )
            try:
                async with aclosing(parts):
                    async for part in parts:
                        found.extend(map(decode, reader.feed(part)))
                end = reader.end()
            except MalformedList as error:
                raise Unreachable(f"list {path}", status=0, reason="NotJson") from error
            version = version_of(end, f"list {path}")
            more = end["metadata"].get("continue") or ""
            if not more:
                return Listed(found, version)

    async def watch(
        self, path: str, *, query: Query = (), resource_version: str, seconds: int = 10
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events of one window, bookmarks included.

        An event has a `type` and an `object` with a resourceVersion. The end without an error says
        only that the stream ended in order: see `Reflector` for what that proves. A server that
        leaves the stream open after the window is `Unreachable`. Callers that may leave the loop
        early close the generator (`contextlib.aclosing`).

        Args:
            path: the collection.
            query: selectors.
            resource_version: where to begin, from a list or the last event.
            seconds: length of the window, which the server ends.
        """
        parameters = [
            *query,
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(seconds)),
            ("resourceVersion", resource_version),
        ]
        clock = asyncio.get_running_loop().time
        end = clock() + seconds + WATCH_SLACK
        parts = self._stream(
            "watch", path, parameters, opening=REQUEST_SECONDS, left=lambda: end - clock()
        )
        async with aclosing(parts), aclosing(split_lines(parts)) as lines:
            async for line in lines:
                yield _event(f"watch {path}", line)

    async def _request(
        self,
        verb: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, Any] | None = None,
        accept: str = _JSON,
    ) -> dict[str, Any]:
        request = f"{verb} {path}"
        async with self._deadline(request, verb, REQUEST_SECONDS):
            response = await self._send(verb, path, query, body, accept)
            try:
                return _decode(request, await response.read())
            finally:
                _drop(response)

    async def _stream(
        self, verb: str, path: str, query: Query, *, opening: float, left: Callable[[], float]
    ) -> AsyncGenerator[bytes, None]:
        """Yield the answer's bytes as they come.

        Args:
            verb: list or watch.
            path: the collection.
            query: selectors and the like.
            opening: seconds until the answer begins.
            left: returns the seconds that the next bytes may take.
        """
        request = f"{verb} {path}"
        async with self._deadline(request, verb, opening):
            response = await self._send(verb, path, query, None)
        try:
            while True:
                # The deadline is around each read, not around the yield: a timeout cancels
                # whatever its task is doing, and between two reads that is the consumer's code.
                async with self._deadline(request, verb, left()):
                    chunk = await response.content.readany()
                if not chunk:
                    return
                yield chunk
        finally:
            _drop(response)

    async def _send(
        self,
        verb: str,
        path: str,
        query: Query,
        body: Mapping[str, Any] | None,
        accept: str = _JSON,
    ) -> aiohttp.ClientResponse:
        """Send a request; returns an open answer below 400."""
        from productive_kube.connection import UNBOUNDED

        headers = {"Accept": accept}
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
        answer = await self._client.call_api(
            method, url, sent, data, form, _request_timeout=UNBOUNDED
        )
        response: aiohttp.ClientResponse = answer.response
        self._observe(verb, str(response.status))
        self.server_time = read_date(response.headers.get("Date"))
        if response.status < 400:
            return response
        try:
            status_object = _json_object(await response.read())
        finally:
            _drop(response)
        raise from_status(
            f"{verb} {path}", response.status, status_object, response.headers.get("Retry-After")
        )

    @asynccontextmanager
    async def _deadline(self, request: str, verb: str, seconds: float) -> AsyncIterator[None]:
        """Bound a part of a request and translate what the libraries raise in it."""
        from productive_kube.connection import FAILURES

        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            self._observe(verb, "timeout")
            raise Unreachable(request, status=0, reason="Timeout") from error
        except FAILURES as error:
            self._observe(verb, "error")
            raise Unreachable(request, status=0, reason=type(error).__name__) from error


_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "replace": "PUT",
    "apply": "PATCH",
    "merge": "PATCH",
    "delete": "DELETE",
}
_CONTENT_TYPES: Final = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
}


def _drop(response: aiohttp.ClientResponse) -> None:
    """Close an answer.

    The connection of one that was read to its end is back in the pool by now. Any other is cut
    without a TLS farewell, for which a peer that is gone would be waited for.
    """
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def version_of(found: Mapping[str, Any], request: str) -> str:
    """Return the resourceVersion of an object or a list.

    Raises:
        Unreachable: it has none, so this is not an API server's answer.
    """
    metadata = found.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if not isinstance(version, str) or not version:
        raise Unreachable(request, status=0, reason="NoVersion")
    return version


def _event(request: str, line: bytes) -> dict[str, Any]:
    event = _decode(request, line)
    found = event.get("object")
    if not isinstance(found, dict) or not isinstance(event.get("type"), str):
        raise Unreachable(request, status=0, reason="NoEvent")
    if event["type"] == "ERROR":
        code = found.get("code")
        raise from_status(request, code if isinstance(code, int) and code >= 400 else 500, found)
    version_of(found, request)
    return event


def _decode(request: str, raw: bytes) -> dict[str, Any]:
    answer = _json_object(raw)
    if not answer:
        raise Unreachable(request, status=0, reason="NotJson")
    return answer


def _json_object(raw: bytes) -> dict[str, Any]:
    """Decode a JSON object; anything else, such as a proxy's page, counts as an empty one."""
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
