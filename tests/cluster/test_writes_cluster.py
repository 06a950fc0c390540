"""Guarded writes over a real API server, with faults between it and two replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from harness.cluster import Cluster
from harness.faults import Answer, CutAfter, CutBefore, Hold, Predicate, Seen, Trap
from harness.grantkit import HeldKeys, ana
from harness.grantpair import SystemClock, proxied_store
from harness.kube import secret_data, secrets_path
from harness.proxy import RecordingProxy
from harness.quota import limit_secrets
from harness.writeskit import Things, Writer, at_once
from productive_contract.names import LABEL_USER, LABEL_USER_UID, LEDGER_TYPE
from productive_gateway.grants.ledger import ledger_name
from productive_gateway.grants.retry_budget import RetryLimits
from productive_gateway.tools.writes.claims import Known
from productive_gateway.tools.writes.errors import LedgerUnavailable, UndoRefused
from productive_gateway.tools.writes.results import Found, Report, Written
from productive_gateway.tools.writes.undo import NoUndo, UndoHandle

LEASE = 46.0
"""Seconds after which nobody writes any more."""


@dataclass
class Replica:
    """One replica, behind a proxy of its own."""

    writer: Writer
    proxy: RecordingProxy

    def writes(self) -> list[Seen]:
        return self.proxy.seen(lambda seen: seen.method in {"POST", "PUT", "PATCH", "DELETE"})


@dataclass
class Pair:
    """Two replicas over one namespace and one Productive."""

    one: Replica
    two: Replica
    cluster: Cluster
    clock: SystemClock
    things: Things = field(default_factory=Things)


@pytest.fixture
async def pair(cluster: Cluster) -> AsyncIterator[Pair]:
    keys, clock = HeldKeys(), SystemClock()
    async with AsyncExitStack() as stack:

        async def replica() -> Replica:
            store, proxy = await stack.enter_async_context(proxied_store(cluster))
            return Replica(Writer(store, keys, clock=clock, limits=RetryLimits()), proxy)

        yield Pair(await replica(), await replica(), cluster, clock, Things(clock=clock))


def claims(seen: Seen) -> bool:
    """Whether this is the first write of a call of somebody without a ledger."""
    return seen.method == "POST"


def finishes(seen: Seen) -> bool:
    return seen.method == "PUT"


async def test_ledger_is_a_secret_that_names_its_person_and_shows_nothing_else(
    pair: Pair,
) -> None:
    await pair.one.writer.create(pair.things, b"wireframes")
    path = secrets_path(pair.cluster.names.grants, ledger_name(ana().uid))
    stored = pair.cluster.kube.get(path)
    assert stored["type"] == LEDGER_TYPE
    labels = stored["metadata"]["labels"]
    assert (labels[LABEL_USER_UID], labels[LABEL_USER]) == (ana().uid, "ana")
    assert b"wireframes" not in b"".join(secret_data(stored).values())


async def test_call_makes_two_writes_and_its_repetition_none(pair: Pair) -> None:
    for _ in range(2):
        before = len(pair.one.writes())
        await pair.one.writer.create(pair.things, b"%d" % before)
        assert len(pair.one.writes()) == before + 2
    await pair.two.writer.create(pair.things, b"0")
    assert pair.two.writes() == []
    assert len(pair.things.created) == 2


@pytest.mark.parametrize("held", ["nothing", "a ledger"])
async def test_of_identical_calls_that_read_the_same_ledger_one_writes(
    pair: Pair, held: str
) -> None:
    if held == "a ledger":
        await pair.one.writer.create(pair.things, b"before")
    read = Hold("after")
    replicas = (pair.one, pair.two)
    for replica in replicas:
        replica.proxy.rule(lambda seen: seen.method == "GET", read)
    calls = [
        asyncio.create_task(replica.writer.create(pair.things, b"a", b"b")) for replica in replicas
    ]
    for replica in replicas:
        await replica.proxy.wait(
            lambda seen: seen.method == "GET" and seen.upstream_status and seen.status is None
        )
    read.release()
    reports = await asyncio.gather(*calls)
    kinds = sorted(type(report.results[0]).__name__ for report in reports)
    assert kinds == ["Known", "Written"]
    assert [pair.things.count(one) for one in (b"a", b"b")] == [1, 1]
    ids = {tuple(getattr(one, "result", "") for one in report.results) for report in reports}
    assert len(ids) == 1
    assert len({report.undo for report in reports}) == 1


async def test_twenty_identical_and_different_calls_at_once_write_each_thing_once(
    pair: Pair,
) -> None:
    replicas = (pair.one, pair.two)
    contents = [b"%d" % (n % 5) for n in range(20)]
    reports = await asyncio.gather(
        *(replicas[n % 2].writer.create(pair.things, one) for n, one in enumerate(contents))
    )
    assert all(isinstance(report.results[0], Written | Known) for report in reports)
    assert [pair.things.count(b"%d" % n) for n in range(5)] == [1] * 5


# --- replicas that die


class Dead(Exception):
    """The replica was killed here."""


async def killed_at(pair: Pair, request: Predicate, moment: str) -> None:
    """Let the first replica die when it sends a request, or when that was committed."""
    trap = Trap("before" if moment == "unsent" else "after")
    rule = pair.one.proxy.rule(request, trap)
    call = asyncio.create_task(pair.one.writer.create(pair.things, b"a"))
    await asyncio.to_thread(trap.reached.wait, 20)
    call.cancel()
    rule.remove()
    await asyncio.gather(call, return_exceptions=True)


async def killed_in_productive(pair: Pair, moment: str) -> None:
    """Let the first replica die before or after Productive creates what it sent."""

    async def die() -> None:
        raise asyncio.CancelledError

    if moment == "unsent":
        pair.things.before_write = die
    else:
        pair.things.after_write = die
    call = asyncio.create_task(pair.one.writer.create(pair.things, b"a"))
    await asyncio.gather(call, return_exceptions=True)
    pair.things.before_write = pair.things.after_write = at_once


@pytest.mark.parametrize("moment", ["unsent", "committed"])
@pytest.mark.parametrize("request_", ["claim", "creation", "finish"])
async def test_whatever_request_a_replica_dies_at_the_next_call_leads_to_one_creation(
    pair: Pair, request_: str, moment: str
) -> None:
    if request_ == "creation":
        await killed_in_productive(pair, moment)
    else:
        await killed_at(pair, claims if request_ == "claim" else finishes, moment)
    created = request_ == "finish" or (request_, moment) == ("creation", "committed")
    assert pair.things.count(b"a") == created

    pair.clock.forward(LEASE)
    report = await pair.two.writer.create(pair.things, b"a")
    expected: type = Written
    if created:
        expected = Known if (request_, moment) == ("finish", "committed") else Found
    assert isinstance(report.results[0], expected)
    assert pair.things.count(b"a") == 1
    assert isinstance(report.undo, UndoHandle)
    # What nobody can have begun is written without a look.
    claimed = (request_, moment) not in {("claim", "unsent"), ("finish", "committed")}
    assert len(pair.things.looks) == claimed


async def test_call_within_the_deadline_of_a_dead_replica_is_told_to_wait(pair: Pair) -> None:
    await killed_in_productive(pair, "committed")
    pair.clock.forward(30)
    [pending] = (await pair.two.writer.create(pair.things, b"a")).results
    assert pending.retry_after <= 15
    assert pair.two.writes() == []
    assert pair.things.count(b"a") == 1


# --- an API server that is away


async def test_nothing_is_created_without_the_api_server_and_everything_when_it_is_back(
    pair: Pair,
) -> None:
    with pair.one.proxy.outage():
        with pytest.raises(LedgerUnavailable):
            await pair.one.writer.create(pair.things, b"a")
        assert await pair.one.writer.undos.keep(ana(), b"inverse") is NoUndo.NOT_KEPT
    assert pair.things.writes == 0
    assert (await pair.one.writer.create(pair.things, b"a")).results == (Written("1000"),)


@pytest.mark.parametrize("request_", [claims, finishes])
@pytest.mark.parametrize("fault", [CutBefore(), CutAfter(), Answer(503, "ServiceUnavailable")])
async def test_lost_answer_of_the_api_server_changes_nothing_for_the_caller(
    pair: Pair, request_: Predicate, fault: CutBefore | CutAfter | Answer
) -> None:
    pair.one.proxy.rule(request_, fault)
    report = await pair.one.writer.create(pair.things, b"a")
    assert report.results == (Written("1000"),)
    assert pair.things.looks == []
    assert isinstance(report.undo, UndoHandle)
    inverse = await pair.two.writer.undos.redeem(ana(), report.undo.text)
    assert inverse == b"delete 1000"


async def test_api_server_that_goes_away_during_the_creation_delays_only_repetitions(
    pair: Pair,
) -> None:
    outage = AsyncExitStack()

    async def away() -> None:
        outage.enter_context(pair.one.proxy.outage())

    pair.things.after_write = away
    async with outage:
        report = await pair.one.writer.create(pair.things, b"a")
    pair.things.after_write = at_once
    assert report == Report((Written("1000"),), NoUndo.NOT_KEPT)
    pair.clock.forward(LEASE)
    assert (await pair.two.writer.create(pair.things, b"a")).results == (Found("1000"),)


async def test_full_namespace_refuses_the_first_creation_of_a_person(pair: Pair) -> None:
    limit_secrets(pair.cluster, 0)
    with pytest.raises(LedgerUnavailable) as error:
        await pair.one.writer.create(pair.things, b"a")
    assert error.value.retry_after == 60
    assert pair.things.writes == 0


# --- single use


async def test_undo_handle_is_redeemed_once_by_two_replicas(pair: Pair) -> None:
    report = await pair.one.writer.create(pair.things, b"a")
    assert isinstance(report.undo, UndoHandle)
    text = report.undo.text
    before = len(pair.one.writes()) + len(pair.two.writes())
    answers = await asyncio.gather(
        *(one.writer.undos.redeem(ana(), text) for one in (pair.one, pair.two)),
        return_exceptions=True,
    )
    assert sum(answer == b"delete 1000" for answer in answers) == 1
    assert sum(isinstance(answer, UndoRefused) for answer in answers) == 1
    accepted = [
        seen for one in (pair.one, pair.two) for seen in one.writes() if seen.upstream_status == 200
    ]
    assert len(accepted) == before  # one more update, and the first of them was a creation (201)
