"""One pass: read, decide, publish the mapping, write the statuses that differ.

Every pass decides about everybody. A full pass lists everything; a partial one lists the names
that may have changed, and takes the rest from the last view. That view is only as good as the
events were, so it is used while there is no doubt: after a failure, when somebody else wrote the
mapping, while a watch is in doubt, and whenever the scheduler asks for it, everything is listed.

The order is what makes two operators at once safe, without leader election. The mapping is read
before the lists, and published only if it is still the one that was read: an operator that
publishes after us has listed after us, or is refused. Removals are published before any status is
written, and what is wrong with a status is no reason to call the mapping late. Called by
`scheduler`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from productive_contract.clock import Clock
from productive_contract.mapping import Reason
from productive_kube.errors import ApiError
from productive_operator import metrics
from productive_operator.changes import EVERYTHING, Changes
from productive_operator.conditions import Status
from productive_operator.listing import View, list_again, list_everything
from productive_operator.publisher import Publisher
from productive_operator.resolve import Outcome, resolve
from productive_operator.statuses import Overtaken, StatusWriter
from productive_operator.users import User
from productive_operator.view import ClusterView, StoredMapping
from productive_operator.watches import Watches

_log = structlog.get_logger("reconciler")


@dataclass(frozen=True, slots=True)
class Pass:
    """What the scheduler needs to know of a pass."""

    people: int
    """ProductiveUsers that there are."""
    finished: bool
    """Whether no status was left to the next pass; if not, that should follow soon."""
    full: bool = True
    """Whether everything was listed."""


class Reconciler:
    """Makes passes over one cluster."""

    def __init__(
        self,
        cluster: ClusterView,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take one cluster.

        Args:
            cluster: what is read and written.
            clock: for revisions and conditions.
            monotonic: seconds from any origin.
        """
        self._cluster = cluster
        self._clock = clock
        self._monotonic = monotonic
        self.watches = Watches(monotonic)
        """What is known of the watches, by comparing what they reported with the lists."""
        self._publisher = Publisher(cluster, clock)
        self._statuses = StatusWriter(cluster, clock)
        self._secrets: frozenset[str] = frozenset()
        """Versions of the token Secrets, as the last pass listed them."""
        self._view: View | None = None
        """What the last pass decided from; None after a pass that left any doubt."""
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether the mapping was as decided at least once since the start."""
        return self._ready

    async def reconcile(self, overtaken: Overtaken, changes: Changes = EVERYTHING) -> Pass:
        """Make one pass.

        Args:
            overtaken: asked between statuses; the rest of them is left to the next pass.
            changes: where to look, if the last view can be relied on.

        Raises:
            Conflict: somebody else changed the mapping meanwhile; begin again.
            ApiError: something could not be read, or the mapping not written. What was published
                stays.
            MappingUnusable: only a person can help.
        """
        # Whatever fails from here on, the next pass lists everything.
        view, self._view = self._view, None
        stored = await self._cluster.mapping() or await self._cluster.make_mapping()
        if view is not None:
            view = await self._again(view, changes, stored)
        full = view is None
        if view is None:
            view = await self._everything()
        self._secrets = frozenset(secret.version for secret in view.secrets.values())
        resolved = resolve((item.user for item in view.users.values()), view.secrets.values())
        outcomes = await self._publisher.publish(stored, resolved)
        metrics.LAST_SUCCESS.set(self._clock())
        self._ready = True
        _count(outcomes)
        current = {item.user.uid: item.status for item in view.users.values()}
        written = await self._statuses.write(
            await self._with_other_types(outcomes), current, overtaken
        )
        if not written.postponed and not written.failed:
            self._view = view.updated(written.users)
        return Pass(len(view.users), not written.postponed, full)

    def is_expected(self, stored: StoredMapping | None) -> bool:
        """Return whether the mapping Secret is as we left it, or are about to leave it."""
        return self._publisher.is_expected(stored)

    def is_settled(self, user: User, status: Status | None) -> bool:
        """Return whether a ProductiveUser is as the last pass left it, or is about to leave it."""
        return self._statuses.is_settled(user, status)

    def has_listed(self, version: str) -> bool:
        """Return whether the last pass saw a token Secret in just this version."""
        return version in self._secrets

    async def _again(self, last: View, changes: Changes, stored: StoredMapping) -> View | None:
        """List what may have changed; None if everything has to be listed."""
        if changes.everything or self.watches.doubtful:
            return None
        if not self._publisher.is_left(stored):
            # The operator that wrote it may have seen what no event has told us yet.
            return None
        return await list_again(self._cluster, last, changes)

    async def _everything(self) -> View:
        began = self._monotonic()
        view = await list_everything(self._cluster)
        # Only full lists prove anything: most of a partial view is as old as the last of these.
        versions = frozenset(secret.version for secret in view.secrets.values())
        self.watches.secrets.compare(versions, began)
        # Generations, not versions: statuses are our own writes.
        generations = frozenset((u.user.uid, u.user.generation) for u in view.users.values())
        self.watches.users.compare(generations, began)
        return view

    async def _with_other_types(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Find out which of the missing Secrets exist with another type."""
        if all(outcome.reason is not Reason.TOKEN_SECRET_NOT_FOUND for outcome in outcomes):
            return outcomes
        try:
            types = await self._cluster.other_types()
        except ApiError as error:
            # It only makes a message more precise.
            _log.info("secret_types.unknown", why=str(error))
            return outcomes
        return [
            replace(outcome, other_type=types.get(outcome.user.secret_name))
            if outcome.reason is Reason.TOKEN_SECRET_NOT_FOUND
            else outcome
            for outcome in outcomes
        ]


def _count(outcomes: Sequence[Outcome]) -> None:
    counts = Counter(outcome.reason for outcome in outcomes)
    for reason in Reason:
        metrics.USERS.labels(reason=reason.value).set(counts[reason])
