"""One pass: read everything, decide, publish the mapping, write the statuses that differ.

The order is what makes two operators at once safe, without leader election. The mapping is read
before the lists, and published only if it is still the one that was read: whoever publishes after
us has listed after us, or is refused. Removals are published before any status is written, and what
is wrong with a status is no reason to call the mapping late. Called by `scheduler`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from productive_contract.clock import Clock
from productive_contract.mapping import Reason
from productive_kube.errors import ApiError
from productive_operator import metrics
from productive_operator.conditions import Status
from productive_operator.publisher import Publisher
from productive_operator.resolve import Outcome, resolve
from productive_operator.statuses import Overtaken, StatusWriter
from productive_operator.users import TokenSecret, User
from productive_operator.view import ClusterView, ListedUser, StoredMapping
from productive_operator.watches import Watches

_log = structlog.get_logger("reconciler")


@dataclass(frozen=True, slots=True)
class Pass:
    """What the scheduler needs to know of a pass."""

    people: int
    """ProductiveUsers that were listed."""
    finished: bool
    """Whether no status was left to the next pass; if not, that should follow soon."""


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
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether the mapping was as decided at least once since the start."""
        return self._ready

    async def reconcile(self, overtaken: Overtaken) -> Pass:
        """Make one pass.

        Args:
            overtaken: asked between statuses; the rest of them is left to the next pass.

        Raises:
            Conflict: somebody else changed the mapping meanwhile; begin again.
            ApiError: something could not be read, or the mapping not written. What was published
                stays.
            MappingUnusable: only a person can help.
        """
        stored = await self._cluster.mapping() or await self._cluster.make_mapping()
        listed, secrets = await self._lists()
        resolved = resolve((item.user for item in listed), secrets)
        outcomes = await self._publisher.publish(stored, resolved)
        metrics.LAST_SUCCESS.set(self._clock())
        self._ready = True
        _count(outcomes)
        current = {item.user.uid: item.status for item in listed}
        finished = await self._statuses.write(
            await self._with_other_types(outcomes), current, overtaken
        )
        return Pass(len(listed), finished)

    def is_expected(self, stored: StoredMapping | None) -> bool:
        """Return whether the mapping Secret is as we left it, or are about to leave it."""
        return self._publisher.is_expected(stored)

    def is_settled(self, user: User, status: Status | None) -> bool:
        """Return whether a ProductiveUser is as the last pass left it, or is about to leave it."""
        return self._statuses.is_settled(user, status)

    def has_listed(self, version: str) -> bool:
        """Return whether the last pass saw a token Secret in just this version."""
        return version in self._secrets

    async def _lists(self) -> tuple[list[ListedUser], list[TokenSecret]]:
        """Read both lists at once: one is decoded while the API server prepares the other."""
        began = self._monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                users = group.create_task(self._cluster.users())
                secrets = group.create_task(self._cluster.secrets())
        except ExceptionGroup as failures:
            # The first decides; it cancelled the other list.
            raise failures.exceptions[0] from None
        self._secrets = frozenset(secret.version for secret in secrets.result())
        self.watches.secrets.compare(self._secrets, began)
        # Generations, not versions: statuses are our own writes.
        generations = frozenset((u.user.uid, u.user.generation) for u in users.result())
        self.watches.users.compare(generations, began)
        return users.result(), secrets.result()

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
