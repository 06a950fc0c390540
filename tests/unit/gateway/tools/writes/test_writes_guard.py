"""Each thing is created once, whatever happens to calls, answers and replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import HeldClock, HeldKeys, ana, records
from harness.virtualtime import run
from harness.writeskit import Things, Writer, lost
from productive_gateway.grants.record import RecordKind
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.tools.writes.claims import Known, Times
from productive_gateway.tools.writes.errors import LedgerUnavailable
from productive_gateway.tools.writes.results import (
    Found,
    Intent,
    NotWritten,
    Pending,
    Repeated,
    Written,
)
from productive_gateway.tools.writes.undo import NoUndo, UndoHandle

BO = ana(uid="5f0c6f0e-0000-4000-8000-000000000002", email="bo@example.com")


class Site:
    """Two replicas over one store, in virtual time."""

    def __init__(self) -> None:
        self.store = FaultyStore(MemoryGrantStore())
        self.keys = HeldKeys()
        loop = asyncio.get_running_loop()
        self.clock = lambda: 1_795_000_000 + loop.time()
        self.things = Things(clock=self.clock)
        self.one = self.replica()
        self.two = self.replica()

    def replica(self) -> Writer:
        return Writer(self.store, self.keys, clock=self.clock)

    def api_is_away(self, *methods: str) -> None:
        for method in methods or ("get", "create", "update"):
            self.store.fail(method, "away", times=99)


def virtual(scenario: Callable[[Site], Awaitable[None]]) -> Callable[[], None]:
    """Make a test of a scenario that runs in virtual time."""

    async def main() -> None:
        await scenario(Site())

    def test() -> None:
        run(main())

    test.__name__ = scenario.__name__
    return test


@virtual
async def test_call_creates_what_it_intends_with_two_writes_of_the_ledger(site: Site) -> None:
    report = await site.one.create(site.things, b"a", b"b")
    assert report.results == (Written("1000"), Written("1001"))
    assert isinstance(report.undo, UndoHandle)
    assert site.store.writes() == 2
    assert site.things.writes == 1
    assert site.things.looks == []


@virtual
async def test_next_identical_call_gets_the_same_answer_and_writes_nothing(site: Site) -> None:
    first = await site.one.create(site.things, b"a", b"b")
    written = site.store.writes()
    second = await site.two.create(site.things, b"b", b"a")
    assert [one.result for one in second.results] == ["1001", "1000"]
    assert all(isinstance(one, Known) for one in second.results)
    assert second.undo == first.undo
    assert (site.things.writes, site.store.writes()) == (1, written)


@virtual
async def test_answer_is_repeated_for_minutes_only(site: Site) -> None:
    await site.one.create(site.things, b"a")
    await asyncio.sleep(299)
    [known] = (await site.one.create(site.things, b"a")).results
    assert isinstance(known, Known)
    await asyncio.sleep(2)
    assert (await site.one.create(site.things, b"a")).results == (Written("1001"),)


@virtual
async def test_same_intent_of_another_person_is_another_write(site: Site) -> None:
    await site.one.create(site.things, b"a")
    assert (await site.one.create(site.things, b"a", person=BO)).results == (Written("1001"),)


@virtual
async def test_same_entry_twice_in_one_call_is_created_once(site: Site) -> None:
    report = await site.one.create(site.things, b"a", b"b", b"a")
    assert report.results == (Written("1000"), Written("1001"), Repeated(0))


@virtual
async def test_duplicate_is_created_where_it_is_wanted(site: Site) -> None:
    await site.one.create(site.things, b"a")
    report = await site.one.create(site.things, b"a", b"a", allow_duplicate=True)
    assert report.results == (Written("1001"), Written("1002"))


def blocked(things: Things) -> tuple[asyncio.Event, asyncio.Event]:
    """Let the next write wait; return what says that it began, and what lets it go on."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go.wait()

    things.before_write = wait
    return begun, go


@pytest.mark.parametrize("other", ["one", "two"])
def test_identical_call_meanwhile_gets_the_result_of_the_first(other: str) -> None:
    async def main() -> None:
        site = Site()
        begun, go = blocked(site.things)
        first = asyncio.create_task(site.one.create(site.things, b"a"))
        await begun.wait()
        calls = len(site.store.calls)
        replica = site.one if other == "one" else site.two
        second = asyncio.create_task(replica.create(site.things, b"a"))
        await asyncio.sleep(3)
        if other == "one":  # of the same process: the API server is not asked
            assert len(site.store.calls) == calls
        go.set()
        assert (await first).results == (Written("1000"),)
        [known] = (await second).results
        assert isinstance(known, Known)
        assert known.result == "1000"
        assert (await second).undo == (await first).undo
        assert site.things.writes == 1
        assert site.store.writes() == 2
        if other == "one":  # nor afterwards: the first one reads and writes once more
            assert len(site.store.calls) == calls + 2

    run(main())


@pytest.mark.parametrize("other", ["one", "two"])
def test_identical_call_that_has_waited_long_enough_says_when_to_ask_again(other: str) -> None:
    async def main() -> None:
        site = Site()
        begun, go = blocked(site.things)
        first = asyncio.create_task(site.one.create(site.things, b"a"))
        await begun.wait()
        replica = site.one if other == "one" else site.two
        asked = asyncio.get_running_loop().time()
        [pending] = (await replica.create(site.things, b"a")).results
        assert isinstance(pending, Pending)
        assert 1 <= pending.retry_after <= 45
        assert asyncio.get_running_loop().time() - asked == pytest.approx(10, abs=0.1)
        go.set()
        await first
        assert site.things.writes == 1

    run(main())


@virtual
async def test_different_writes_of_one_person_run_in_parallel(site: Site) -> None:
    begun, go = blocked(site.things)
    first = asyncio.create_task(site.one.create(site.things, b"a"))
    await begun.wait()
    site.things.before_write = Things().before_write
    for replica in (site.one, site.two):
        [written] = (await replica.create(site.things, repr(replica).encode())).results
        assert isinstance(written, Written)
    assert not first.done()
    go.set()
    await first


@virtual
async def test_call_creates_its_own_part_before_it_waits_for_the_rest(site: Site) -> None:
    begun, go = blocked(site.things)
    first = asyncio.create_task(site.one.create(site.things, b"a"))
    await begun.wait()
    site.things.before_write = Things().before_write
    second = asyncio.create_task(site.two.create(site.things, b"a", b"b"))
    await asyncio.sleep(1)
    assert site.things.count(b"b") == 1
    go.set()
    await first
    a, b = (await second).results
    assert isinstance(a, Known)
    assert isinstance(b, Written)
    assert site.things.count(b"a") == 1


@virtual
async def test_calls_with_common_parts_do_not_wait_for_each_other_in_a_ring(site: Site) -> None:
    pairs = [(b"a", b"b"), (b"b", b"c"), (b"c", b"a"), (b"b", b"a"), (b"c", b"b"), (b"a", b"c")]
    begun = asyncio.get_running_loop().time()
    await asyncio.gather(
        *(replica.create(site.things, *pair) for pair in pairs for replica in (site.one, site.two))
    )
    assert [site.things.count(one) for one in (b"a", b"b", b"c")] == [1, 1, 1]
    assert asyncio.get_running_loop().time() - begun < 5


@virtual
async def test_refused_entry_can_be_tried_again_at_once(site: Site) -> None:
    error = ValueError("no such service")
    site.things.refuse = lambda content: NotWritten(error) if content == b"a" else None
    report = await site.one.create(site.things, b"a", b"b")
    assert report.results == (NotWritten(error), Written("1000"))
    site.things.refuse = lambda _: None
    again = await site.two.create(site.things, b"a", b"b")
    assert again.results[0] == Written("1001")
    assert isinstance(again.results[1], Known)


@virtual
async def test_call_of_which_everything_is_refused_has_no_undo(site: Site) -> None:
    site.things.refuse = lambda _: NotWritten(ValueError())
    assert (await site.one.create(site.things, b"a")).undo is NoUndo.NO_INVERSE


# --- lost answers


@virtual
async def test_lost_answer_leads_to_a_look_that_finds_what_was_created(site: Site) -> None:
    def lost_after_creation(content: bytes) -> object:
        site.things.create(content)
        return lost(content)

    site.things.refuse = lost_after_creation
    report = await site.one.create(site.things, b"a")
    assert report.results == (Written("1000"),)
    assert isinstance(report.undo, UndoHandle)
    [since] = site.things.looks
    assert 10 <= site.clock() - since <= 20


@virtual
async def test_outcome_that_a_look_does_not_show_stays_open_until_its_deadline(site: Site) -> None:
    site.things.refuse = lost
    [pending] = (await site.one.create(site.things, b"a")).results
    assert isinstance(pending, Pending)
    assert isinstance(pending.error, TimeoutError)
    assert pending.retry_after == 45
    site.things.refuse = lambda _: None
    [still] = (await site.two.create(site.things, b"a")).results  # 10 s later
    assert isinstance(still, Pending)
    assert still.retry_after == 35
    site.things.create(b"a")  # Productive was slow
    await asyncio.sleep(still.retry_after)
    assert (await site.two.create(site.things, b"a")).results == (Found("1000"),)
    assert site.things.count(b"a") == 1


@virtual
async def test_after_the_deadline_what_a_look_does_not_show_is_written(site: Site) -> None:
    site.things.refuse = lost
    await site.one.create(site.things, b"a")
    began = site.clock()
    site.things.refuse = lambda _: None
    await asyncio.sleep(46)
    assert (await site.two.create(site.things, b"a")).results == (Written("1000"),)
    assert site.things.looks[-1] == pytest.approx(began - 15, abs=1)


@virtual
async def test_look_that_fails_after_a_lost_answer_leaves_the_outcome_open(site: Site) -> None:
    async def fail() -> None:
        raise ConnectionError

    site.things.refuse, site.things.before_look = lost, fail
    [pending] = (await site.one.create(site.things, b"a")).results
    assert isinstance(pending, Pending)


@virtual
async def test_look_that_fails_before_a_write_writes_nothing_and_can_be_repeated(
    site: Site,
) -> None:
    async def fail() -> None:
        raise ConnectionError

    site.things.refuse = lost
    await site.one.create(site.things, b"a")
    await asyncio.sleep(46)
    site.things.refuse, site.things.before_look = (lambda _: None), fail
    with pytest.raises(ConnectionError):
        await site.two.create(site.things, b"a", b"b")
    assert site.things.created == []
    site.things.before_look = Things().before_look
    report = await site.two.create(site.things, b"a", b"b")
    assert report.results == (Written("1000"), Written("1001"))
    assert len(site.things.looks) == 3


@virtual
async def test_write_that_raises_counts_as_lost(site: Site) -> None:
    async def fail() -> None:
        raise ConnectionError

    site.things.after_write = fail
    with pytest.raises(ConnectionError):
        await site.one.create(site.things, b"a")
    site.things.after_write = Things().after_write
    [pending] = (await site.one.create(site.things, b"a")).results
    assert isinstance(pending, Pending)
    await asyncio.sleep(pending.retry_after)
    assert (await site.one.create(site.things, b"a")).results == (Found("1000"),)


# --- the API server


@virtual
async def test_nothing_is_created_while_the_api_server_is_away(site: Site) -> None:
    site.api_is_away()
    with pytest.raises(LedgerUnavailable) as error:
        await site.one.create(site.things, b"a")
    assert error.value.retry_after == 7
    assert "Try again in 7 seconds" in str(error.value)
    assert site.things.writes == 0


@virtual
async def test_what_was_written_is_reported_when_the_api_server_goes_away_meanwhile(
    site: Site,
) -> None:
    async def away() -> None:
        site.api_is_away()

    site.things.after_write = away
    report = await site.one.create(site.things, b"a")
    assert report.results == (Written("1000"),)
    assert report.undo is NoUndo.NOT_KEPT
    site.store.faults.clear()
    await asyncio.sleep(46)
    assert (await site.two.create(site.things, b"a")).results == (Found("1000"),)


@pytest.mark.parametrize("method", ["create", "update"])
def test_lost_answer_of_the_api_server_is_no_other_call(method: str) -> None:
    async def main() -> None:
        site = Site()
        if method == "update":
            await site.one.create(site.things, b"zero")
        site.store.fail(method, "lost")
        report = await site.one.create(site.things, b"a")
        assert isinstance(report.results[0], Written)
        assert site.things.looks == []

    run(main())


@virtual
async def test_waiting_for_another_replica_writes_nothing_at_the_api_server(site: Site) -> None:
    begun, go = blocked(site.things)
    first = asyncio.create_task(site.one.create(site.things, b"a"))
    await begun.wait()
    written = site.store.writes()
    await site.two.create(site.things, b"a")
    assert site.store.writes() == written
    go.set()
    await first


@virtual
async def test_what_was_written_is_reported_when_waiting_for_the_rest_fails(site: Site) -> None:
    begun, go = blocked(site.things)
    first = asyncio.create_task(site.one.create(site.things, b"a"))
    await begun.wait()
    site.things.before_write = Things().before_write
    second = asyncio.create_task(site.two.create(site.things, b"a", b"b"))
    await asyncio.sleep(0.5)
    assert site.things.count(b"b") == 1
    site.store.fail("get", "away", times=99)
    a, b = (await second).results
    assert isinstance(a, Pending)
    assert b == Written("1000")
    site.store.faults.clear()
    go.set()
    await first


@virtual
async def test_look_answers_only_for_what_it_was_asked_about(site: Site) -> None:
    error = ValueError("no such service")
    site.things.refuse = lambda content: lost(content) if content == b"a" else NotWritten(error)
    work = site.things.work([b"a", b"b"])

    async def look(_: object, __: float) -> dict[int, str]:
        return {0: "1", 1: "2"}

    intents = [Intent(b"a"), Intent(b"b")]
    report = await site.one.guard.run(ana(), intents, replace(work, look=look))
    assert report.results == (Written("1"), NotWritten(error))


# --- size


@virtual
async def test_ledger_stays_small_and_forgets_old_results_first(site: Site) -> None:
    for batch in range(40):
        await site.one.create(site.things, *(b"%d/%d" % (batch, n) for n in range(50)))
        await asyncio.sleep(1)
    [record] = await records(site.store, RecordKind.LEDGER)
    assert sum(map(len, record.data.values())) < 90_000
    [newest] = (await site.two.create(site.things, b"39/0")).results
    assert isinstance(newest, Known)
    [oldest] = (await site.two.create(site.things, b"0/0")).results
    assert isinstance(oldest, Written)


@virtual
async def test_writes_of_unknown_outcome_are_never_forgotten_for_room(site: Site) -> None:
    site.things.refuse = lost
    batches = [[b"%d/%d" % (batch, n) for n in range(50)] for batch in range(10)]
    for batch in batches:
        await site.one.create(site.things, *batch)
    with pytest.raises(LedgerUnavailable):
        await site.one.create(site.things, *(b"x%d" % n for n in range(500)))
    [still] = (await site.two.create(site.things, b"0/0")).results
    assert isinstance(still, Pending)


def test_lease_is_longer_than_a_call_and_shorter_than_it_is_remembered() -> None:
    times = Times()
    assert 25 + 10 < times.lease < times.remembered


async def test_held_clock_is_enough_for_a_guard() -> None:
    writer = Writer(MemoryGrantStore(), HeldKeys(), clock=HeldClock())
    report = await writer.create(Things(), b"a")
    assert isinstance(report.results[0], Written)
