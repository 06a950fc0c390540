"""Writes the statuses that differ, and posts the Events of transitions. Called by `reconciler`.

What is wrong with one object is that object's trouble: its status is tried again later, with
growing pauses, and stops neither the others nor the pass. Conditions are about people, and the
mapping is published before them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog

from productive_contract.clock import Clock
from productive_kube.backoff import Backoff
from productive_kube.errors import ApiError, Conflict, NotFound
from productive_operator import metrics
from productive_operator.conditions import Status, desired_status, is_transition
from productive_operator.resolve import Outcome
from productive_operator.users import User
from productive_operator.view import ClusterView, ListedUser

IN_FLIGHT: Final = 20
AT_LEAST: Final = 200
"""Statuses that a pass writes although something has changed again meanwhile: about a second's."""
UNANSWERED: Final = 20
"""Writes without an answer after which a pass leaves the rest: the API server is away."""
RETRY_FROM: Final = 15.0
RETRY_TO: Final = 600.0
"""Seconds until a status that could not be written is tried again: from, doubling, to."""
EVENTS_PER_MINUTE: Final = 50
"""Beyond it a log line and a metric count them: the conditions have the same content."""
_NOT_ABOUT_THE_OBJECT: Final = frozenset({0, 401, 429})

Overtaken = Callable[[], bool]
"""Returns whether something changed since the pass began, so that another one follows it."""

_Change = tuple[User, Status | None, Status]

_log = structlog.get_logger("statuses")


@dataclass(frozen=True, slots=True)
class Written:
    """What one pass did about the statuses."""

    users: list[ListedUser]
    """Those whose status was written, as they are now."""
    postponed: bool
    """Whether some were left to the next pass. What was refused is not left: it is tried again by a
    later pass, when its time has come."""
    failed: bool
    """Whether a write failed, so that the status it left is not known."""


@dataclass
class _Retry:
    """When somebody's status may be tried again."""

    due: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(RETRY_FROM, RETRY_TO))


@dataclass
class _Results:
    """What was written in one pass, and what was not."""

    written: list[ListedUser] = field(default_factory=list)
    failed: list[tuple[User, ApiError]] = field(default_factory=list)
    unanswered: int = 0
    postponed: bool = False
    events_lost: list[ApiError] = field(default_factory=list)
    events_left_out: int = 0


class StatusWriter:
    """Keeps the statuses of one cluster as decided."""

    def __init__(self, cluster: ClusterView, clock: Clock) -> None:
        """Take one cluster.

        Args:
            cluster: what is written.
            clock: for conditions and retries.
        """
        self._cluster = cluster
        self._clock = clock
        self._wanted: dict[str, Status] = {}
        self._retries: dict[str, _Retry] = {}
        """By uid, for those whose last write failed."""
        self._events = _Allowance(EVENTS_PER_MINUTE, 60.0)

    def is_settled(self, user: User, status: Status | None) -> bool:
        """Return whether a ProductiveUser is as the last pass left it, or is about to leave it."""
        wanted = self._wanted.get(user.uid)
        return (
            wanted is not None
            and wanted == status
            and wanted.generation == user.generation
            and not user.deleting
        )

    async def write(
        self,
        outcomes: Sequence[Outcome],
        current: dict[str, Status | None],
        overtaken: Overtaken,
    ) -> Written:
        """Write what differs.

        Args:
            outcomes: what was decided.
            current: the statuses as they were listed, by uid.
            overtaken: asked between statuses; the rest of them is left to the next pass.
        """
        now = self._clock()
        changes = list(self._changes(outcomes, current, now))
        self._retries = {uid: self._retries[uid] for uid in self._retries if uid in self._wanted}
        due = [c for c in changes if (r := self._retries.get(c[0].uid)) is None or r.due <= now]
        results = _Results()
        waiting = _until(due, overtaken, results)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(IN_FLIGHT, len(due))):
                group.create_task(self._write_from(waiting, results))
        _report(results)
        metrics.STATUSES_FAILING.set(len(self._retries))
        return Written(results.written, results.postponed, failed=bool(results.failed))

    def _changes(
        self, outcomes: Sequence[Outcome], current: dict[str, Status | None], now: float
    ) -> Iterator[_Change]:
        moment = datetime.fromtimestamp(now, UTC)
        self._wanted = {}
        for outcome in outcomes:
            user = outcome.user
            status = desired_status(outcome, current[user.uid], moment)
            self._wanted[user.uid] = status
            if status != current[user.uid]:
                yield user, current[user.uid], status
            else:
                self._retries.pop(user.uid, None)

    async def _write_from(self, changes: Iterator[_Change], results: _Results) -> None:
        """Take changes and write them, until none is left."""
        for user, before, status in changes:
            try:
                await self._cluster.set_status(user, status)
            except (NotFound, Conflict):
                # The object is gone, or another one has its name: its event asks for a pass.
                self._retries.pop(user.uid, None)
            except ApiError as error:
                retry = self._retries.setdefault(user.uid, _Retry())
                retry.due = self._clock() + retry.backoff.next(error.retry_after)
                results.failed.append((user, error))
                results.unanswered += error.status in _NOT_ABOUT_THE_OBJECT
            else:
                self._retries.pop(user.uid, None)
                results.written.append(ListedUser(user, status))
                metrics.STATUS_WRITES.inc()
                if user.ignored_toolsets:
                    names = user.ignored_toolsets
                    _log.warning("toolsets.ignored", user=user.title, toolsets=names)
                if is_transition(before, status):
                    await self._post(user, status, results)

    async def _post(self, user: User, status: Status, results: _Results) -> None:
        if not self._events.take(self._clock()):
            results.events_left_out += 1
            return
        ready = status.ready
        _log.info("user.changed", user=user.title, ready=ready.true, reason=ready.reason)
        try:
            await self._cluster.post_event(user, status)
        except ApiError as error:
            # The condition has the same content.
            results.events_lost.append(error)


class _Allowance:
    """Lets a number of things happen at once, and as many again within a time."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._rate = most / seconds
        self._left = float(most)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Return whether one more may happen now, and count it."""
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._left = min(self._most, self._left + passed * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _until(
    changes: Iterable[_Change], overtaken: Overtaken, results: _Results
) -> Iterator[_Change]:
    """Yield the changes; after a number of them, leave the rest to the next pass if one is due.

    A thousand statuses take seconds: the removal of somebody meanwhile must not wait for them. They
    are left as well when the API server does not answer any more.
    """
    for number, change in enumerate(changes):
        if (number >= AT_LEAST and overtaken()) or results.unanswered >= UNANSWERED:
            results.postponed = True
            _log.info("statuses.postponed")
            return
        yield change


def _report(results: _Results) -> None:
    """Count what failed, and write one line of each kind: there may be thousands."""
    for _, error in results.failed:
        metrics.STATUS_FAILURES.labels(status=str(error.status or "none")).inc()
    if results.failed:
        user, error = results.failed[0]
        count = len(results.failed)
        _log.warning("statuses.failed", count=count, first=user.title, why=str(error))
    if results.events_lost:
        why = str(results.events_lost[0])
        _log.warning("events.lost", count=len(results.events_lost), why=why)
    if results.events_left_out:
        metrics.EVENTS_LEFT_OUT.inc(results.events_left_out)
        _log.info("events.left_out", count=results.events_left_out)
