"""The watch of one Secret by name: the mapping, and the key ring.

It needs get, list and watch on that one name: `fieldSelector=metadata.name=` makes a list and a
watch that RBAC can grant by resourceNames. The watch runs in short windows. One that ends in order
proves that nothing was missed (with a list after it, if nothing at all was told in it); one that
falls silent is noticed a few seconds after its end. So the age of what we hold is bounded, whatever
happens to the connection.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, Protocol

import structlog

from productive_gateway.observability.metrics import WATCH_HEALTHY
from productive_kube.backoff import Backoff
from productive_kube.client import WATCH_SLACK, Query
from productive_kube.errors import ApiError, Gone

_log = structlog.get_logger(__name__)

WINDOW_SECONDS: Final = 10
_RECOVERY_SECONDS: Final = 1.0
"""What a list after a lost window may take before the watch counts as ill."""
_SHORTEST_WINDOW: Final = 1.0
"""A window closed sooner is none: a server or proxy that only does that is not asked at once."""

OnObject = Callable[[dict[str, bytes] | None, str], None]
"""Called with the Secret's data, or None when there is no such Secret, and the resourceVersion."""


class Watchable(Protocol):
    """The part of `ClusterApi` that is needed here."""

    async def get(self, path: str, *, query: Query = ()) -> dict[str, Any]: ...

    def watch(
        self, path: str, *, query: Query = (), resource_version: str, seconds: int = 10
    ) -> AsyncGenerator[dict[str, Any], None]: ...


class NamedSecret:
    """Keeps one callback informed of one Secret.

    The callback is called in the event loop, after each list (when nothing changed, too: what was
    taken from elsewhere meanwhile is to be compared again) and at each event. It does not raise.
    """

    def __init__(
        self,
        api: Watchable,
        namespace: str,
        name: str,
        on_object: OnObject,
        *,
        label: str,
        window: int = WINDOW_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare a watch; `run` does it.

        Args:
            api: the API server.
            namespace: of the Secret.
            name: of the Secret.
            on_object: see `OnObject`.
            label: of the watch in metrics and logs.
            window: seconds of one watch.
            monotonic: seconds from any origin.
            pause: waits between attempts.
        """
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/secrets"
        self._query = [("fieldSelector", f"metadata.name={name}")]
        self._on_object = on_object
        self._label = label
        self._window = window
        self._monotonic = monotonic
        self._pause = pause
        self._confirmed: float | None = None
        self._lost = False
        WATCH_HEALTHY.labels(watch=label).set_function(lambda: float(self.healthy))

    @property
    def confirmed(self) -> float | None:
        """When what the callback knows was last known to be the truth, by `monotonic`."""
        return self._confirmed

    @property
    def healthy(self) -> bool:
        """Whether that is no longer ago than one window and the time to notice its loss."""
        if self._confirmed is None:
            return False
        age = self._monotonic() - self._confirmed
        return age <= self._window + WATCH_SLACK + _RECOVERY_SECONDS

    async def run(self) -> None:
        """Watch until cancelled; API troubles are waited out."""
        backoff = Backoff()
        while True:
            try:
                version: str | None = await self._list()
                while version is not None:
                    version = await self._watch(version, backoff)
            except Gone:
                await self._pause(backoff.next())
            except ApiError as error:
                self._note_loss(error)
                await self._pause(backoff.next(error.retry_after))

    async def _list(self) -> str:
        answer = await self._api.get(self._path, query=self._query)
        version = str(answer["metadata"]["resourceVersion"])
        items = answer.get("items") or []
        self._confirm()
        self._deliver(items[0] if items else None, version)
        return version

    async def _watch(self, version: str, backoff: Backoff) -> str | None:
        """Follow one window; returns where the next one begins, or None to list again."""
        opened = self._monotonic()
        try:
            next_version = await self._events(version)
        finally:
            lasted = self._monotonic() - opened >= _SHORTEST_WINDOW
            if lasted:
                backoff.reset()
        if not lasted:
            await self._pause(backoff.next())
        return next_version

    async def _events(self, version: str) -> str | None:
        told = False
        events = self._api.watch(
            self._path, query=self._query, resource_version=version, seconds=self._window
        )
        async with aclosing(events):
            async for event in events:
                found = event["object"]
                version = str(found["metadata"]["resourceVersion"])
                told = True
                self._confirm()
                match event["type"]:
                    case "ADDED" | "MODIFIED":
                        self._deliver(found, version)
                    case "DELETED":
                        self._deliver(None, version)
        # A window without even a bookmark proves nothing. In a quiet cluster that is as it should
        # be; but a server whose etcd was restored waits just so for our version to come again.
        if not told:
            return None
        self._confirm()
        return version

    def _deliver(self, secret: dict[str, Any] | None, version: str) -> None:
        if secret is None:
            self._on_object(None, version)
        else:
            self._on_object(secret_data(secret), str(secret["metadata"]["resourceVersion"]))

    def _confirm(self) -> None:
        self._confirmed = self._monotonic()
        if self._lost:
            self._lost = False
            _log.info("watch.restored", watch=self._label)

    def _note_loss(self, error: ApiError) -> None:
        if not self._lost and not self.healthy:
            self._lost = True
            _log.warning("watch.lost", watch=self._label, cause=str(error))


def secret_data(secret: dict[str, Any]) -> dict[str, bytes]:
    """Return the decoded data of a Secret as the API gives it; empty when it has none."""
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
