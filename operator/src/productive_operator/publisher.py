"""Publishes decisions as the mapping Secret, if anything changed, and repairs what others changed.

The Secret is compared and swapped: what was read before the lists must still be there. Called by
`reconciler`.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import replace
from typing import Final

import structlog

from productive_contract.clock import Clock
from productive_contract.mapping import EMPTY, Mapping, MappingError, Person, Reason, decode
from productive_contract.names import MAPPING_KEY, MAPPING_KEY_GZIP, MAPPING_TYPE
from productive_operator import metrics
from productive_operator.resolve import Outcome, leave_out
from productive_operator.revision import next_revision
from productive_operator.round_trip import unreadable
from productive_operator.size_limit import Fitted, fit
from productive_operator.view import ClusterView, StoredMapping

_UNREADABLE: Final = (
    "its entry in the mapping would not be read as it is written; look for unusual characters"
)

_log = structlog.get_logger("publisher")


class MappingUnusable(Exception):
    """The mapping Secret cannot be written; `str()` names what a person has to do."""


class Publisher:
    """Keeps the mapping of one cluster as decided.

    Nothing it remembers decides about anybody: it saves work that would give the same result, and
    keeps revisions rising when the mapping was deleted.
    """

    def __init__(self, cluster: ClusterView, clock: Clock) -> None:
        """Take one cluster.

        Args:
            cluster: what is read and written.
            clock: for revisions.
        """
        self._cluster = cluster
        self._clock = clock
        self._resolved: tuple[Outcome, ...] = ()
        """What was decided last, and what could be published of it."""
        self._fitted: Fitted | None = None
        self._checked: MappingABC[str, Person] = {}
        """Entries that are known to read back as they are written."""
        self._live: Mapping | None = None
        self._live_data: dict[str, bytes] = {}
        """The mapping that is published, decoded and as it is stored."""
        self._left: tuple[str, str] | None = None
        """uid and resourceVersion of the mapping as the last publication left it."""
        self._expected: dict[str, bytes] = {}
        """What is stored when nobody interferes; set before a write begins."""

    def is_expected(self, stored: StoredMapping | None) -> bool:
        """Return whether the mapping Secret is as we left it, or are about to leave it."""
        return stored is not None and stored.data == self._expected and bool(self._expected)

    def is_left(self, stored: StoredMapping) -> bool:
        """Return whether nobody has touched the mapping Secret since the last publication."""
        return _identity(stored) == self._left

    async def publish(
        self, stored: StoredMapping, resolved: tuple[Outcome, ...]
    ) -> tuple[Outcome, ...]:
        """Publish the decision; returns it with the reason of those who had to be left out.

        Args:
            stored: the mapping Secret as it was before the lists.
            resolved: what was decided from the lists.

        Raises:
            Conflict: somebody else changed the mapping meanwhile; begin again.
            ApiError: it could not be written. What was published stays.
            MappingUnusable: only a person can help.
        """
        if stored.type != MAPPING_TYPE:
            raise MappingUnusable(
                f"the mapping Secret has type {stored.type} instead of {MAPPING_TYPE}, which "
                "cannot be changed: delete the Secret, and the operator makes a new one"
            )
        data = _document(stored)
        mapping = self._read(data)
        self._refuse_other_namespace(mapping)
        known = max(found.revision for found in (EMPTY, mapping, self._live) if found)
        revision = next_revision(known, self._clock())
        fitted = self._fit(resolved, revision)
        # A revision that fell, or a document without one, was written by somebody else.
        ours = mapping is not None and 0 < mapping.revision == known
        if mapping is None or not ours or not _same(mapping, fitted.mapping):
            if fitted.mapping.revision != revision:
                fitted = self._fitted = self._fit_now(fitted.outcomes, revision)
            mapping, data = fitted.mapping, fitted.data
            self._expected = data
            stored = await self._write(stored, mapping, data)
        self._live, self._live_data, self._expected = mapping, data, data
        metrics.MAPPING_REVISION.set(mapping.revision)
        metrics.MAPPING_BYTES.set(sum(map(len, data.values())))
        self._left = _identity(await self._without_foreign_keys(stored, data))
        return fitted.outcomes

    def _refuse_other_namespace(self, mapping: Mapping | None) -> None:
        """Publish nothing over people of another namespace: they would all be gone at once."""
        ours = self._cluster.namespace
        if mapping is None or not mapping.people or mapping.namespace in (None, ours):
            return
        raise MappingUnusable(
            f"the mapping holds {len(mapping.people)} people of namespace {mapping.namespace}, and "
            f"this operator is set to {ours}: correct USERS_NAMESPACE (in the chart: "
            "namespaces.users). If the people moved, delete the mapping Secret, and the operator "
            "makes a new one; everybody then signs in again"
        )

    def _fit(self, resolved: tuple[Outcome, ...], revision: int) -> Fitted:
        """Return what can be published; what was fitted last, at its revision, if nothing changed.

        To encode everything, and to find out what fits, takes a good part of a pass.
        """
        if self._fitted is None or resolved != self._resolved:
            readable = self._readable(resolved)
            self._fitted = self._fit_now(readable, revision)
            self._resolved = resolved
        return self._fitted

    def _fit_now(self, outcomes: tuple[Outcome, ...], revision: int) -> Fitted:
        return fit(outcomes, revision, namespace=self._cluster.namespace)

    def _readable(self, resolved: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        """Leave out those whose entries would not be read as they are written."""
        entries = {o.person.email: o.person for o in resolved if o.person is not None}
        unchecked = [p for email, p in entries.items() if self._checked.get(email) != p]
        wrong = unreadable(unchecked)
        self._checked = {email: p for email, p in entries.items() if email not in wrong}
        if not wrong:
            return resolved
        _log.error("mapping.entries_unreadable", count=len(wrong))
        return tuple(
            leave_out(outcome, Reason.INVALID, (_UNREADABLE,))
            if outcome.person is not None and outcome.person.email in wrong
            else outcome
            for outcome in resolved
        )

    def _read(self, data: dict[str, bytes]) -> Mapping | None:
        """Decode what is published; None if it is not a mapping."""
        if self._live is not None and data == self._live_data:
            return self._live
        try:
            mapping = decode(data)
        except MappingError as error:
            # An empty Secret is what the chart, or we ourselves, made.
            if data:
                _log.warning("mapping.malformed", why=str(error))
            return None
        if mapping.faults:
            _log.warning("mapping.faulty", faults=mapping.faults, complete=mapping.complete)
        return mapping

    async def _write(
        self, stored: StoredMapping, mapping: Mapping, data: dict[str, bytes]
    ) -> StoredMapping:
        _refuse_immutable(stored)
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

    async def _without_foreign_keys(
        self, stored: StoredMapping, data: dict[str, bytes]
    ) -> StoredMapping:
        foreign = sorted(stored.data.keys() - data.keys())
        if not foreign:
            return stored
        _refuse_immutable(stored)
        cleaned = await self._cluster.drop_keys(stored, foreign)
        metrics.MAPPING_WRITES.labels(cause="drift").inc()
        _log.warning("mapping.keys_removed", keys=foreign)
        return cleaned


def _identity(stored: StoredMapping) -> tuple[str, str]:
    return stored.uid, stored.resource_version


def _refuse_immutable(stored: StoredMapping) -> None:
    if stored.immutable:
        raise MappingUnusable(
            "the mapping Secret is immutable, which cannot be undone: delete the Secret, and the "
            "operator makes a new one"
        )


def _document(stored: StoredMapping) -> dict[str, bytes]:
    """Return the one key that a reader would take; the compressed form goes first."""
    key = MAPPING_KEY_GZIP if MAPPING_KEY_GZIP in stored.data else MAPPING_KEY
    return {key: stored.data[key]} if key in stored.data else {}


def _same(mapping: Mapping, other: Mapping) -> bool:
    """Return whether two mappings differ in nothing but the revision."""
    return replace(mapping, revision=0) == replace(other, revision=0)
