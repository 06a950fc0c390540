"""What a sweep removes, put into a cluster's store of grants, and sweeps that a test asks for."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from harness.deployment import Deployment
from harness.forkserver import CAP, IDLE
from harness.grantkit import HeldClock, HeldKeys, sign_in
from harness.kube import secret_data, secrets_path
from harness.processes import eventually
from productive_contract.clock import system_clock, system_entropy
from productive_contract.mapping import Person, decode
from productive_contract.names import KEY_RING_KEY, LABEL_ABSENT_SINCE
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.grant import Grant, GrantState
from productive_gateway.grants.ledger import PersonLedgers, ledger_name
from productive_gateway.grants.record import Record, RecordKind, encode, person_labels
from productive_gateway.grants.store import GrantStore
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_gateway.grants.subject import subject_name
from productive_gateway.grants.sweeper import Sweeper
from productive_gateway.grants.transitions import issue
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.sealing.keys import parse_ring
from productive_kube.client import KubeClient

SWEPT_WITHIN = 120.0
T = TypeVar("T")


@dataclass(frozen=True)
class Leftovers:
    """What the next sweep has to do, by the names of the objects."""

    expired: str
    """A grant that was never redeemed, a week ago."""
    over_cap: str
    """The oldest of a person who has one too many."""
    orphan: str
    """A grant of somebody who has been absent for two days."""
    ledger: str
    """Of somebody who wrote nothing for two days."""
    bindings: tuple[str, str]
    """Of somebody who has become absent, and of the one who has been for two days."""
    kept: tuple[str, ...]
    """Grants that stay as they are."""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.expired, self.over_cap, self.orphan, self.ledger, *self.bindings, *self.kept)


class Sweeps:
    """The store of a deployment, as a gateway sees it."""

    def __init__(self, site: Deployment) -> None:
        self.site = site
        self._ring = parse_ring(self._data(site.cluster.names.key_ring)[KEY_RING_KEY])
        self._config = GrantConfig(site.mcp_url, per_person=CAP)

    def ask(self, number: int) -> None:
        """Let a gateway sweep, and wait until it has.

        Raises:
            AssertionError: it has not in time.
        """
        gateway = self.site.gateways[number]
        eventually(lambda: IDLE in gateway.output(), seconds=SWEPT_WITHIN, what="the sweeper waits")
        done = gateway.output().count(IDLE) + 1
        gateway.signal(signal.SIGUSR1)
        eventually(
            lambda: gateway.output().count(IDLE) >= done or not gateway.running,
            seconds=SWEPT_WITHIN,
            what="a sweep",
        )

    def leave(self, email: str) -> Leftovers:
        """Put into the store what a sweep removes.

        Args:
            email: of a person who has no grants.
        """
        person = self._snapshot().by_email[email]
        return self._run(lambda store: self._leave(store, person))

    def later(self, seconds: float) -> int:
        """Sweep as a gateway would so many seconds from now; return how much was removed."""
        clock = HeldClock(system_clock() + seconds)
        people = _People(self._snapshot())

        async def sweep(store: GrantStore) -> int:
            keys = HeldKeys(self._ring)
            return await Sweeper(
                store, people, keys, self._config, clock=clock, pause=_no_pause
            ).sweep()

        return self._run(sweep)

    async def _leave(self, store: GrantStore, person: Person) -> Leftovers:
        gone, lost = (replace(person, uid=str(uuid.uuid4())) for _ in range(2))
        expired = self._grant(person, age=8 * DAY, state=GrantState.PENDING)
        living = [self._grant(person, age=100 - n) for n in range(CAP + 1)]
        orphan = self._grant(lost, age=100)
        await self._ledger(store, gone)
        bindings = [_binding(gone, None), _binding(lost, system_clock() - 2 * DAY)]
        for record in bindings:
            await store.create(record)
        for grant in (expired, orphan, *living):
            await self._create(store, grant)
        return Leftovers(
            expired.name,
            living[0].name,
            orphan.name,
            ledger_name(gone.uid),
            (bindings[0].name, bindings[1].name),
            tuple(grant.name for grant in living[1:]),
        )

    def _grant(self, person: Person, *, age: float, state: GrantState = GrantState.ACTIVE) -> Grant:
        made = system_clock() - age
        grant = issue(
            replace(sign_in(system_clock), person=person, auth_time=made),
            self._config,
            subject="0" * 64,
            code_hash="0" * 64,
            epoch=self._ring.epoch,
            now=made,
            entropy=system_entropy,
        )
        return replace(grant, state=state, rotated_at=made, generation=1)

    async def _create(self, store: GrantStore, grant: Grant) -> None:
        pending = replace(grant, state=GrantState.PENDING)
        stored = await store.create(encode(pending, self._ring))
        if grant.state is not GrantState.PENDING:
            await store.update(encode(grant, self._ring, replacing=stored))

    async def _ledger(self, store: GrantStore, person: Person) -> None:
        long_ago = HeldClock(system_clock() - 2 * DAY)
        ledgers = PersonLedgers(store, HeldKeys(self._ring), clock=long_ago)
        await ledgers.swap(person, lambda _: (b"[]", None))

    def _snapshot(self) -> Snapshot:
        return Snapshot.of(decode(self._data(self.site.cluster.names.mapping)))

    def _data(self, name: str) -> dict[str, bytes]:
        cluster = self.site.cluster
        return secret_data(cluster.kube.get(secrets_path(cluster.names.release, name)))

    def _run(self, work: Callable[[GrantStore], Awaitable[T]]) -> T:
        cluster = self.site.cluster

        async def run() -> T:
            path = cluster.kubeconfig()
            async with await KubeClient.connect(path, user_agent="productive-tests") as client:
                return await work(KubernetesGrantStore(client, cluster.names.grants))

        return asyncio.run(run())


@dataclass(frozen=True)
class _People:
    """The people of one moment."""

    view: Snapshot

    def snapshot(self) -> Snapshot:
        return self.view


def _binding(person: Person, absent_since: float | None) -> Record:
    labels = person_labels(person.uid, person.user)
    if absent_since is not None:
        moment = datetime.fromtimestamp(absent_since, UTC)
        labels |= {LABEL_ABSENT_SINCE: moment.strftime("%Y%m%dT%H%M%SZ")}
    return Record(RecordKind.SUBJECT, subject_name(person.uid), labels, {"digest": b"0" * 64})


async def _no_pause(_: float) -> None:
    await asyncio.sleep(0)
