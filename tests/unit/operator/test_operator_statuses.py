"""Many statuses, and some that cannot be written: nobody waits for somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from harness.operatorkit import MemoryCluster, never
from productive_kube.errors import ApiError, Forbidden, Refused, Unreachable
from productive_operator import metrics
from productive_operator.conditions import Status
from productive_operator.reconciler import Reconciler
from productive_operator.scheduler import Pace, Scheduler
from productive_operator.statuses import (
    AT_LEAST,
    EVENTS_PER_MINUTE,
    IN_FLIGHT,
    RETRY_FROM,
    RETRY_TO,
    UNANSWERED,
)
from productive_operator.users import User

MANY = 3 * AT_LEAST
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
    cluster.scheduler = Scheduler(reconciler.reconcile, reconciler.watches, pace=PACE)
    running = asyncio.create_task(cluster.scheduler.run())
    async with asyncio.timeout(20):
        while cluster.writes.count("publish") < 2:  # noqa: ASYNC110 (a list gives no event)
            await asyncio.sleep(0)
        assert "gone@example.com" not in cluster.people().people
        before = len([write for write in cluster.writes if write.startswith("status ")])
        assert before <= AT_LEAST + IN_FLIGHT
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
        assert len(unwritten(cluster)) == MANY - passes * AT_LEAST


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_500_000.0

    def __call__(self) -> float:
        return self.now


def people(count: int, **spec: object) -> MemoryCluster:
    cluster = MemoryCluster()
    for number in range(count):
        cluster.add(f"p{number}", **spec)
    return cluster


@pytest.mark.parametrize(
    "error",
    [
        Forbidden("apply", status=403),
        Refused("apply", status=422),
        Unreachable("apply", status=500),
        Unreachable("apply", status=0),
    ],
)
async def test_a_status_that_cannot_be_written_is_that_persons_alone(error: ApiError) -> None:
    cluster = people(61)
    cluster.refusing["p7"] = error
    reconciler = Reconciler(cluster, Clock())
    done = await reconciler.reconcile(never)
    assert reconciler.ready
    assert unwritten(cluster) == ["p7"]
    assert done.finished
    assert metrics.REGISTRY.get_sample_value("productive_operator_statuses_failing") == 1


async def test_it_is_tried_again_later_with_growing_pauses_until_it_succeeds() -> None:
    cluster, clock = people(1), Clock()
    cluster.refusing["p0"] = Forbidden("apply", status=403)
    reconciler = Reconciler(cluster, clock)
    tried: list[float] = []
    begun = clock.now
    while clock.now < begun + 3600:
        await reconciler.reconcile(never)
        if cluster.tried.pop("p0", None):
            tried.append(clock.now)
        clock.now += 1
    pauses = [after - before for before, after in pairwise(tried)]
    assert RETRY_FROM / 2 <= pauses[0] <= RETRY_FROM + 1
    assert RETRY_TO / 2 <= pauses[-1] <= RETRY_TO + 1
    del cluster.refusing["p0"]
    clock.now += RETRY_TO
    await reconciler.reconcile(never)
    assert unwritten(cluster) == []
    assert metrics.REGISTRY.get_sample_value("productive_operator_statuses_failing") == 0


async def test_somebody_who_is_gone_is_not_waited_for() -> None:
    cluster = people(2)
    cluster.refusing["p0"] = Forbidden("apply", status=403)
    reconciler = Reconciler(cluster, Clock())
    await reconciler.reconcile(never)
    cluster.remove("p0")
    await reconciler.reconcile(never)
    assert metrics.REGISTRY.get_sample_value("productive_operator_statuses_failing") == 0


async def test_without_answers_the_rest_is_left_to_the_next_pass() -> None:
    cluster = people(10 * IN_FLIGHT)
    cluster.failing["set_status"] = Unreachable("apply", status=0)
    done = await Reconciler(cluster, Clock()).reconcile(never)
    assert not done.finished
    assert len(cluster.tried) <= UNANSWERED + IN_FLIGHT


async def test_events_beyond_a_number_become_a_line_and_a_metric() -> None:
    cluster, clock = people(300), Clock()
    reconciler = Reconciler(cluster, clock)
    await reconciler.reconcile(never)
    for body in cluster.bodies.values():
        body["spec"]["suspend"] = True
    before = metrics.REGISTRY.get_sample_value("productive_operator_events_left_out_total") or 0
    with capture_logs() as logs:
        await reconciler.reconcile(never)
    assert cluster.events == [(name, "Suspended") for name, _ in cluster.events]
    assert len(cluster.events) == EVENTS_PER_MINUTE
    after = metrics.REGISTRY.get_sample_value("productive_operator_events_left_out_total")
    assert after == before + 300 - EVENTS_PER_MINUTE
    [line] = [line for line in logs if line["event"] == "events.left_out"]
    assert line["count"] == 300 - EVENTS_PER_MINUTE
    assert len([line for line in logs if line["event"] == "user.changed"]) <= EVENTS_PER_MINUTE

    # A minute later Events are posted again.
    clock.now += 60
    cluster.events.clear()
    cluster.bodies["p0"]["spec"]["suspend"] = False
    await reconciler.reconcile(never)
    assert cluster.events == [("p0", "Synced")]


async def test_a_secret_of_another_type_is_named_in_the_status() -> None:
    cluster = MemoryCluster()
    cluster.add("ana", token=None)
    cluster.others["ana-productive"] = "Opaque"
    reconciler = Reconciler(cluster, Clock())
    await reconciler.reconcile(never)
    status = cluster.status("ana")
    assert status is not None
    assert status.stalled is not None
    assert "has type Opaque" in status.stalled.message
    cluster.others.clear()
    await reconciler.reconcile(never)
    status = cluster.status("ana")
    assert status is not None
    assert status.stalled is None


async def test_types_that_cannot_be_read_fail_no_pass() -> None:
    cluster = MemoryCluster()
    cluster.add("ana", token=None)
    cluster.failing["other_types"] = Forbidden("get", status=403)
    assert (await Reconciler(cluster, Clock()).reconcile(never)).finished
