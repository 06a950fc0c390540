"""Many statuses to write: nobody who is removed or suspended meanwhile waits for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from harness.operatorkit import MemoryCluster
from productive_operator.conditions import Status
from productive_operator.reconciler import STATUSES_AT_LEAST, STATUSES_IN_FLIGHT, Reconciler
from productive_operator.scheduler import Pace, Scheduler
from productive_operator.users import User

MANY = 3 * STATUSES_AT_LEAST
PACE = Pace(quiet=0.001, longest_wait=0.01)


class Overtaken(MemoryCluster):
    """A cluster in which somebody is removed while the first status is written."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler: Scheduler | None = None
        for number in range(MANY):
            self.add(f"p{number}")
        self.add("gone")

    async def set_status(self, user: User, status: Status) -> None:
        if self.scheduler is not None and "gone" in self.bodies:
            self.remove("gone")
            self.scheduler.enqueue("user")
        # As long as a request: whoever was woken has its turn.
        await asyncio.sleep(0)
        await super().set_status(user, status)


def unwritten(cluster: MemoryCluster) -> Collection[str]:
    return [name for name in cluster.bodies if cluster.status(name) is None]


async def test_a_removal_is_published_before_the_rest_of_the_statuses() -> None:
    cluster = Overtaken()
    reconciler = Reconciler(cluster, lambda: 1.0)
    cluster.scheduler = Scheduler(reconciler.reconcile, pace=PACE)
    running = asyncio.create_task(cluster.scheduler.run())
    async with asyncio.timeout(20):
        while cluster.writes.count("publish") < 2:  # noqa: ASYNC110 (a list gives no event)
            await asyncio.sleep(0)
        assert "gone@example.com" not in cluster.people().people
        before = len([write for write in cluster.writes if write.startswith("status ")])
        assert before <= STATUSES_AT_LEAST + STATUSES_IN_FLIGHT
        while unwritten(cluster):  # noqa: ASYNC110
            await asyncio.sleep(0)
    running.cancel()
    statuses = [write for write in cluster.writes if write.startswith("status p")]
    assert len(statuses) == len(set(statuses)), "no status is written twice"


async def test_changes_without_an_end_do_not_starve_the_statuses() -> None:
    cluster = MemoryCluster()
    for number in range(MANY):
        cluster.add(f"p{number}")
    reconciler = Reconciler(cluster, lambda: 1.0)
    for passes in range(1, 4):
        await reconciler.reconcile(lambda: True)
        assert len(unwritten(cluster)) == MANY - passes * STATUSES_AT_LEAST
