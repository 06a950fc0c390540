"""A list, then a watch of it in short windows, for as long as the program runs.

Each window that ends in order proves that nothing was missed; one that falls silent is noticed a
few seconds after its end. So the age of what the sink holds is bounded, whatever happens to the
connection. A window in which not even a bookmark came proves nothing until the store's version was
compared: a server whose etcd was restored waits in silence for the version that we ask from.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final, Generic, Protocol, TypeVar

import structlog

from productive_kube.backoff import Backoff
from productive_kube.client import WATCH_SLACK, Listed
from productive_kube.collection import Change, Source, number_of
from productive_kube.errors import ApiError, Gone

_log = structlog.get_logger(__name__)

WINDOW_SECONDS: Final = 10
_RECOVERY_SECONDS: Final = 1.0
"""What a list after a lost window may take before the watch counts as unhealthy."""
_SHORTEST_WINDOW: Final = 1.0
"""A window closed sooner is none: a server or proxy that only does that is not asked at once."""

Item = TypeVar("Item")


class Sink(Protocol[Item]):
    """What is kept informed. Both methods are called in the event loop."""

    def replace(self, listed: Listed[Item], *, fell: bool) -> None:
        """Take up a complete list, also when nothing changed.

        Args:
            listed: everything there is.
            fell: the store went back to before what was seen of it, as by a restore of etcd: what
                is older by its version is not therefore older.
        """
        ...

    def apply(self, change: Change[Item]) -> None:
        """Take up one event of the watch."""
        ...


class Reflector(Generic[Item]):
    """Keeps one sink informed of one source."""

    def __init__(
        self,
        source: Source[Item],
        sink: Sink[Item],
        *,
        label: str,
        window: int = WINDOW_SECONDS,
        backoff: Backoff | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare a watch; `run` does it.

        Args:
            source: what to follow.
            sink: what to inform.
            label: of the watch in logs.
            window: seconds of one watch.
            backoff: pauses after a failure.
            monotonic: seconds from any origin.
            pause: waits between attempts.
        """
        self._source = source
        self._sink = sink
        self._label = label
        self._window = window
        self._backoff = backoff or Backoff()
        self._monotonic = monotonic
        self._pause = pause
        self._newest = 0
        self._confirmed: float | None = None
        self._lost = False

    @property
    def confirmed(self) -> float | None:
        """When what the sink knows was last known to be the truth, by `monotonic`."""
        return self._confirmed

    @property
    def age(self) -> float:
        """Seconds since then; endless before the first list."""
        return math.inf if self._confirmed is None else self._monotonic() - self._confirmed

    @property
    def healthy(self) -> bool:
        """Whether that is no longer ago than one window and the time to notice its loss."""
        return self.age <= self._window + WATCH_SLACK + _RECOVERY_SECONDS

    async def run(self) -> None:
        """List and watch until cancelled; failures of the API are waited out.

        What the sink raises ends it.
        """
        while True:
            try:
                version: str | None = await self._list()
                while version is not None:
                    version = await self._window_from(version)
            except Gone:
                await self._pause(self._backoff.next())
            except ApiError as error:
                self._note_loss(error)
                await self._pause(self._backoff.next(error.retry_after))

    async def _list(self) -> str:
        # What changes while the list comes in is told by the watch from its version on.
        asked = self._monotonic()
        listed = await self._source.list()
        reached = self._number(listed.version)
        fell, self._newest = reached < self._newest, reached
        self._confirm(asked)
        self._sink.replace(listed, fell=fell)
        return listed.version

    async def _window_from(self, version: str) -> str | None:
        """Follow one window; returns where the next one begins, or None to list again."""
        opened = self._monotonic()
        lasted = False
        try:
            reached = await self._events(version)
        finally:
            lasted = self._monotonic() - opened >= _SHORTEST_WINDOW
            if lasted:
                self._backoff.reset()
        if not lasted:
            await self._pause(self._backoff.next())
        return reached

    async def _events(self, version: str) -> str | None:
        told = False
        async with aclosing(self._source.watch(version, self._window)) as changes:
            async for change in changes:
                told = True
                version = change.version
                self._newest = max(self._newest, self._number(version))
                self._confirm(self._monotonic())
                if change.item is not None:
                    self._sink.apply(change)
        asked = self._monotonic()
        if not told and self._number(await self._source.version()) < self._number(version):
            return None
        self._confirm(asked)
        return version

    def _number(self, version: str) -> int:
        return number_of(version, f"watch {self._label}")

    def _confirm(self, moment: float) -> None:
        self._confirmed = moment
        if self._lost:
            self._lost = False
            _log.info("watch.restored", watch=self._label)

    def _note_loss(self, error: ApiError) -> None:
        if not self._lost and not self.healthy:
            self._lost = True
            _log.warning("watch.lost", watch=self._label, cause=str(error))
