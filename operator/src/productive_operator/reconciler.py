"""One pass: read everything, decide, publish the mapping, write the statuses that differ.

The order is what makes two operators at once safe, without leader election. The mapping is read
before the lists, and published only if it is still the one that was read: whoever publishes after
us has listed after us, or is refused. Removals are published before any status is written. Called
by `scheduler`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from productive_contract.clock import Clock
from productive_contract.mapping import (
    EMPTY,
    Mapping,
    MappingError,
    Reason,
    decode,
)
from productive_contract.names import MAPPING_KEY, MAPPING_KEY_GZIP, MAPPING_TYPE
from productive_kube.errors import ApiError, Conflict, NotFound, Refused
from productive_operator import metrics
from productive_operator.conditions import Status, desired_status, is_transition
from productive_operator.resolve import Outcome, resolve
from productive_operator.revision import next_revision
from productive_operator.size_limit import Fitted, fit
from productive_operator.users import TokenSecret, User
from productive_operator.view import ClusterView, ListedUser, StoredMapping

STATUSES_IN_FLIGHT: Final = 20
STATUSES_AT_LEAST: Final = 200
"""Statuses that a pass writes although something has changed again meanwhile: about a second's."""

Overtaken = Callable[[], bool]
"""Returns whether something changed since the pass began, so that another one follows it."""

_Change = tuple[User, Status | None, Status]

_log = structlog.get_logger("reconciler")


class MappingUnusable(Exception):
    """The mapping Secret cannot be written; `str()` names what a person has to do."""


class Reconciler:
    """Makes passes over one cluster, and remembers what the last one found.

    Nothing it remembers decides about anybody: it saves work that would give the same result, and
    keeps revisions rising when the mapping was deleted.
    """

    def __init__(self, cluster: ClusterView, clock: Clock) -> None:
        """Take one cluster.

        Args:
            cluster: what is read and written.
            clock: for revisions and conditions.
        """
        self._cluster = cluster
        self._clock = clock
        self._resolved: tuple[Outcome, ...] = ()
        """What was decided last, and what could be published of it."""
        self._fitted: Fitted | None = None
        self._live: Mapping | None = None
        self._live_data: dict[str, bytes] = {}
        """The mapping that is published, decoded and as it is stored."""
        self._expected: dict[str, bytes] = {}
        """What is stored when nobody interferes; set before a write begins."""
        self._statuses: dict[str, Status] = {}
        self._secrets: frozenset[str] = frozenset()
        """Versions of the token Secrets, as the last pass listed them."""

    async def reconcile(self, overtaken: Overtaken) -> None:
        """Make one pass.

        Args:
            overtaken: asked between statuses; the rest of them is left to the next pass.

        Raises:
            Conflict: somebody else changed the mapping meanwhile; begin again.
            ApiError: something could not be read or written. What was published stays.
            MappingUnusable: only a person can help.
        """
        stored = await self._cluster.mapping() or await self._cluster.make_mapping()
        listed, secrets = await self._lists()
        self._secrets = frozenset(secret.version for secret in secrets)
        outcomes = await self._publish(stored, resolve((item.user for item in listed), secrets))
        current = {item.user.uid: item.status for item in listed}
        await self._write_statuses(outcomes, current, overtaken)
        _count(outcomes)

    async def _lists(self) -> tuple[list[ListedUser], list[TokenSecret]]:
        """Read both lists at once: one is decoded while the API server prepares the other."""
        try:
            async with asyncio.TaskGroup() as group:
                users = group.create_task(self._cluster.users())
                secrets = group.create_task(self._cluster.secrets())
        except ExceptionGroup as failures:
            # The first decides; it cancelled the other list.
            raise failures.exceptions[0] from None
        return users.result(), secrets.result()

    def is_expected(self, stored: StoredMapping | None) -> bool:
        """Decide whether the mapping Secret is as we left it, or are about to leave it."""
        return stored is not None and stored.data == self._expected and bool(self._expected)

    def is_settled(self, user: User, status: Status | None) -> bool:
        """Decide whether a ProductiveUser is as the last pass left it, or is about to leave it."""
        wanted = self._statuses.get(user.uid)
        return (
            wanted is not None
            and wanted == status
            and wanted.generation == user.generation
            and not user.deleting
        )

    def has_listed(self, version: str) -> bool:
        """Decide whether the last pass saw a token Secret in just this version."""
        return version in self._secrets

    async def _publish(
        self, stored: StoredMapping, resolved: tuple[Outcome, ...]
    ) -> tuple[Outcome, ...]:
        """Publish the decision; returns it with MappingFull for those who do not fit."""
        if stored.type != MAPPING_TYPE:
            raise MappingUnusable(
                f"the mapping Secret has type {stored.type} instead of {MAPPING_TYPE}, which "
                "cannot be changed: delete the Secret, and the operator makes a new one"
            )
        data = _document(stored)
        mapping = self._read(data)
        known = max(found.revision for found in (EMPTY, mapping, self._live) if found)
        revision = next_revision(known, self._clock())
        fitted = self._fit(resolved, revision)
        if (
            mapping is None
            or mapping.people != fitted.mapping.people
            # A revision that fell, or a document without one, was written by somebody else.
            or not 0 < mapping.revision == known
        ):
            if fitted.mapping.revision != revision:
                fitted = self._fitted = fit(resolved, revision)
            mapping, data = fitted.mapping, fitted.data
            self._expected = data
            stored = await self._write(stored, mapping, data)
        self._live, self._live_data, self._expected = mapping, data, data
        metrics.MAPPING_REVISION.set(mapping.revision)
        metrics.MAPPING_BYTES.set(sum(map(len, data.values())))
        foreign = sorted(stored.data.keys() - data.keys())
        if foreign:
            await self._cluster.drop_keys(stored, foreign)
            metrics.MAPPING_WRITES.labels(cause="drift").inc()
            _log.warning("mapping.keys_removed", keys=foreign)
        return fitted.outcomes

    def _fit(self, resolved: tuple[Outcome, ...], revision: int) -> Fitted:
        """Return what can be published; what was fitted last, at its revision, if nothing changed.

        To encode everything, and to find out what fits, takes a good part of a pass.
        """
        if self._fitted is None or resolved != self._resolved:
            self._fitted, self._resolved = fit(resolved, revision), resolved
        return self._fitted

    def _read(self, data: dict[str, bytes]) -> Mapping | None:
        """Decode what is published; None if it is not a mapping."""
        if self._live is not None and data == self._live_data:
            return self._live
        try:
            return decode(data)
        except MappingError as error:
            # An empty Secret is what the chart, or we ourselves, made.
            if data:
                _log.warning("mapping.malformed", why=str(error))
            return None

    async def _write(
        self, stored: StoredMapping, mapping: Mapping, data: dict[str, bytes]
    ) -> StoredMapping:
        drifted = self._live is not None and self._live.people == mapping.people
        published = await self._cluster.publish(stored, data)
        metrics.MAPPING_WRITES.labels(cause="drift" if drifted else "change").inc()
        _log.info(
            "mapping.published",
            revision=mapping.revision,
            people=len(mapping.people),
            bytes=sum(map(len, data.values())),
            drifted=drifted,
        )
        return published

    async def _write_statuses(
        self,
        outcomes: Sequence[Outcome],
        current: dict[str, Status | None],
        overtaken: Overtaken,
    ) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        changes: list[_Change] = []
        self._statuses = {}
        for outcome in outcomes:
            user = outcome.user
            status = desired_status(outcome, current[user.uid], now)
            self._statuses[user.uid] = status
            if status != current[user.uid]:
                changes.append((user, current[user.uid], status))
        waiting = _until_overtaken(changes, overtaken)
        failures: list[ApiError] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(min(STATUSES_IN_FLIGHT, len(changes))):
                group.create_task(self._write_from(waiting, failures))
        if failures:
            raise failures[0]

    async def _write_from(self, changes: Iterator[_Change], failures: list[ApiError]) -> None:
        """Take changes and write them, until none is left or a write failed."""
        for user, before, status in changes:
            if failures:
                return
            try:
                await self._write_status(user, before, status)
            except ApiError as error:
                failures.append(error)

    async def _write_status(self, user: User, before: Status | None, status: Status) -> None:
        try:
            await self._cluster.set_status(user, status)
        except (NotFound, Conflict):
            return  # The object is gone, or another one has its name: its event asks for a pass.
        except Refused as error:
            # One object that cannot be written must not stop the others.
            _log.warning("status.refused", user=user.title, why=str(error))
            return
        metrics.STATUS_WRITES.inc()
        if is_transition(before, status):
            await self._report(user, status)

    async def _report(self, user: User, status: Status) -> None:
        _log.info("user.changed", user=user.title, ready=status.ready, reason=status.reason)
        try:
            await self._cluster.post_event(user, status)
        except ApiError as error:
            # The condition has the same content.
            _log.warning("event.lost", user=user.title, why=str(error))


def _until_overtaken(changes: Iterable[_Change], overtaken: Overtaken) -> Iterator[_Change]:
    """Yield the changes; after a number of them, leave the rest to the next pass if one is due.

    A thousand statuses take seconds: the removal of somebody meanwhile must not wait for them.
    """
    for number, change in enumerate(changes):
        if number >= STATUSES_AT_LEAST and overtaken():
            _log.info("statuses.postponed")
            return
        yield change


def _document(stored: StoredMapping) -> dict[str, bytes]:
    """Return the one key that a reader would take; the compressed form goes first."""
    key = MAPPING_KEY_GZIP if MAPPING_KEY_GZIP in stored.data else MAPPING_KEY
    return {key: stored.data[key]} if key in stored.data else {}


def _count(outcomes: Sequence[Outcome]) -> None:
    counts = Counter(outcome.reason for outcome in outcomes)
    for reason in Reason:
        metrics.USERS.labels(reason=reason.value).set(counts[reason])
