"""Watches the watches: how long ago each one was known to work, and proof that one is dead.

A watch reopens its window every ten seconds, so its age shows a lost right or connection. A watch
may also go on and report nothing. That is proved by the passes, which list everything: a change
that is in two lists at least fifteen seconds apart, while the watch reported nothing at all since
before the first. Our own writes are not among what is compared.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Final

import structlog

from productive_contract.names import PLURAL
from productive_operator import metrics

PROOF_SECONDS: Final = 15.0
"""Between the lists that prove a watch dead."""
STALE_SECONDS: Final = 30.0
"""Age above which a watch is called stale: three windows."""
RESTART_SECONDS: Final = 3600.0
"""Least time that a program with a dead watch runs before it ends, to begin with new watches. A
right that is missing survives the restart, so it must not become a loop."""
_LOOK_SECONDS: Final = 5.0

_log = structlog.get_logger("watches")


class WatchDied(Exception):
    """A watch is dead, and a restart may help; `str()` names the watch and the remedy."""


class Watch:
    """What is known of one watch."""

    def __init__(self, name: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin without any knowledge.

        Args:
            name: of what is watched, as in URLs.
            monotonic: seconds from any origin.
        """
        self.name = name
        self._monotonic = monotonic
        self._opened: float | None = None
        self._reported = -math.inf
        self._content: frozenset[Hashable] | None = None
        self._listed = 0.0
        """When the list with this content began."""
        self._doubted: float | None = None
        """When a change was listed that had not been reported."""
        self._dead = False
        metrics.WATCH_AGE.labels(watch=name).set_function(lambda: self.age)
        metrics.DEAD_WATCHES.labels(watch=name)

    @property
    def age(self) -> float:
        """Seconds since a window was opened; endless before the first."""
        return math.inf if self._opened is None else self._monotonic() - self._opened

    @property
    def dead(self) -> bool:
        """Whether it was proved dead, and has reported nothing since."""
        return self._dead

    @property
    def in_doubt(self) -> bool:
        """Whether the next list can prove it dead."""
        return self._doubted is not None

    @property
    def state(self) -> str:
        """What to show in the readiness detail."""
        if self._dead:
            return "dead: it does not report changes; check that the operator's Role may watch"
        return "ok" if self.age <= STALE_SECONDS else "stale"

    def open(self) -> None:
        """Note that a window was opened: everything before it was reported."""
        self._opened = self._monotonic()

    def report(self) -> None:
        """Note that it reported something, or begins anew with a list: it works."""
        if self._dead:
            _log.info("watch.revived", watch=self.name)
        self._reported = self._monotonic()
        self._doubted = None
        self._dead = False

    def compare(self, content: frozenset[Hashable], began: float) -> None:
        """Compare a list with the one before, and with what was reported meanwhile.

        Args:
            content: identifies the listed objects and their state, without our own writes.
            began: when the list was asked for, by the same clock.
        """
        changed = self._content is not None and content != self._content
        if changed and self._reported < self._listed:
            self._doubted = began if self._doubted is None else self._doubted
        if self._doubted is not None and began - self._doubted >= PROOF_SECONDS and not self._dead:
            self._dead = True
            metrics.DEAD_WATCHES.labels(watch=self.name).inc()
            _log.error("watch.dead", watch=self.name)
        self._content, self._listed = content, began


class Watches:
    """Kopf's two watches."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin without any knowledge.

        Args:
            monotonic: seconds from any origin.
        """
        self._monotonic = monotonic
        self._began = monotonic()
        self.users = Watch(PLURAL, monotonic)
        self.secrets = Watch("secrets", monotonic)

    def __iter__(self) -> Iterator[Watch]:
        yield from (self.users, self.secrets)

    @property
    def doubtful(self) -> bool:
        """Whether passes have to do a watch's work."""
        return any(watch.dead or watch.in_doubt for watch in self)

    async def run(self) -> None:
        """Wait until a restart may help.

        Raises:
            WatchDied: a watch is dead, and the program has run for an hour.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.check()

    def check(self) -> None:
        """Raise `WatchDied` if a restart may help now."""
        dead = [watch.name for watch in self if watch.dead]
        if dead and self._monotonic() - self._began >= RESTART_SECONDS:
            raise WatchDied(
                f"the watch of {' and '.join(dead)} reports no changes: the operator ends, to be "
                "started again with new watches. If it happens again, check that the operator's "
                "Role may watch them"
            )
