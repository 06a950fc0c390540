"""A list, then a watch of it in short windows, for as long as the program runs.

What the sink holds has an age, and nothing makes it look younger than it is. A list is as of the
moment when it was asked for. Events say what changed, not that nothing else did. A bookmark says
that everything before it was reported, and so does the end of a window that lasted as long as was
asked for. Neither a window that ends early, as when the server drops a watcher that reads too
slowly, nor one that a proxy answers by itself proves anything: after it the list is read again, as
after an error. A connection that falls silent is noticed a few seconds after its window.

A server whose etcd was restored waits in silence for the version that we ask from, and ends the
window in time. So a window whose last seconds brought no bookmark counts only once the version of
the store was compared.
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
from productive_kube.errors import ApiError, Gone, Unreachable

_log = structlog.get_logger(__name__)

WINDOW_SECONDS: Final = 10
_RECOVERY_SECONDS: Final = 1.0
"""What a list after a lost window may take before the watch counts as unhealthy."""
_SHORTEST_WINDOW: Final = 1.0
"""A server or proxy that ends windows sooner than that is asked less and less often."""
_WHOLE: Final = 0.95
"""The part of a window that counts as all of it: the server's clock may be a little faster."""
_TOLERATED_FAILURES: Final = 5
"""In a row, before they are logged although lists keep the watch healthy: a right may be missing,
or something in between may not let watches through."""

Item = TypeVar("Item")


class Sink(Protocol[Item]):
    """What is kept informed. Both methods are called in the event loop and may not block it."""

    def replace(self, listed: Listed[Item], *, fell: bool) -> None:
        """Take up a complete list, also when nothing changed.

        Args:
            listed: everything there is.
            fell: the store is at an older version than was seen of it before, as after a restore
                of etcd, so versions from before cannot be compared with later ones.
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
            label: name of the watch in logs.
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
        """The latest moment, by `monotonic`, at which the sink is known to have been complete."""
        return self._confirmed

    @property
    def age(self) -> float:
        """Seconds since then; infinite before the first list."""
        return math.inf if self._confirmed is None else self._monotonic() - self._confirmed

    @property
    def healthy(self) -> bool:
        """Whether the age is at most a window and the time to notice and make up for its loss."""
        return self.age <= self._window + WATCH_SLACK + _RECOVERY_SECONDS

    async def run(self) -> None:
        """List and watch until cancelled; failures of the API are waited out.

        An exception of the sink ends it.
        """
        while True:
            try:
                version = await self._list()
                while True:
                    version = await self._follow_window(version)
            except ApiError as error:
                self._note_loss(error)
                await self._pause(self._backoff.next(error.retry_after))

    async def _list(self) -> str:
        # The watch from the list's version on brings what changes while the list comes in.
        asked = self._monotonic()
        listed = await self._source.list()
        reached = self._number(listed.version)
        fell, self._newest = reached < self._newest, reached
        self._sink.replace(listed, fell=fell)
        self._confirmed = asked
        return listed.version

    async def _follow_window(self, version: str) -> str:
        """Follow one window; returns the version that the next one begins at."""
        opened = self._monotonic()
        try:
            bookmarked = await self._apply_events(version)
        finally:
            lasted = self._monotonic() - opened
            if lasted >= _SHORTEST_WINDOW:
                self._backoff.reset()
        if lasted < _WHOLE * self._window:
            raise Unreachable(self._request, status=0, reason="EndedEarly")
        # The server began to count when it had the request, so it did not end before that.
        ended = opened + min(lasted, self._window)
        if bookmarked is None or ended - bookmarked > WATCH_SLACK:
            # A server also ends the window of a watcher that is too slow. In the last moment of a
            # window that cannot be told from its end; the next window then brings what was missed.
            self._compare(await self._source.version())
            self._confirm_watch(ended)
        return str(self._newest)

    async def _apply_events(self, version: str) -> float | None:
        """Inform the sink of one window's events; returns when the last bookmark came."""
        bookmarked: float | None = None
        async with aclosing(self._source.watch(version, self._window)) as changes:
            async for change in changes:
                self._newest = self._compare(change.version)
                if change.item is None:
                    bookmarked = self._monotonic()
                    self._confirm_watch(bookmarked)
                else:
                    self._sink.apply(change)
        return bookmarked

    def _compare(self, version: str) -> int:
        """Return the version as a number.

        Raises:
            Gone: the store went back to before what was seen of it.
        """
        number = self._number(version)
        if number < self._newest:
            raise Gone(self._request, status=0, reason="WentBack")
        return number

    def _number(self, version: str) -> int:
        return number_of(version, self._request)

    @property
    def _request(self) -> str:
        return f"watch {self._label}"

    def _confirm_watch(self, moment: float) -> None:
        self._confirmed = moment
        if self._lost:
            self._lost = False
            _log.info("watch.restored", watch=self._label)

    def _note_loss(self, error: ApiError) -> None:
        failing = self._backoff.failures >= _TOLERATED_FAILURES
        if not self._lost and (failing or not self.healthy):
            self._lost = True
            _log.warning("watch.lost", watch=self._label, cause=str(error))
