"""Undo handles: short, of one person, for 15 minutes, once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grantfaults import FaultyStore
from harness.grantkit import HeldClock, HeldKeys, ana, new_key
from harness.writeskit import Things, Writer
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.sealing.keys import KeyRing
from productive_gateway.tools.writes.errors import LedgerUnavailable, UndoFault, UndoRefused
from productive_gateway.tools.writes.results import Intent, Written
from productive_gateway.tools.writes.undo import NoUndo, UndoHandle

BO = ana(uid="5f0c6f0e-0000-4000-8000-000000000002", email="bo@example.com")


class Site:
    def __init__(self) -> None:
        self.store = FaultyStore(MemoryGrantStore())
        self.keys, self.clock = HeldKeys(), HeldClock()
        self.one = Writer(self.store, self.keys, clock=self.clock)
        self.two = Writer(self.store, self.keys, clock=self.clock)

    async def kept(self, inverse: bytes = b"delete 1000") -> str:
        handle = await self.one.undos.keep(ana(), inverse)
        assert isinstance(handle, UndoHandle)
        return handle.text


@pytest.fixture
def site() -> Site:
    return Site()


async def fault(site: Site, text: str, person: object = None) -> UndoFault:
    with pytest.raises(UndoRefused) as error:
        await site.two.undos.redeem(person or ana(), text)
    assert error.value.reason == error.value.fault.value
    return error.value.fault


async def test_handle_is_short_and_gives_its_inverse_at_another_replica(site: Site) -> None:
    handle = await site.kept()
    assert len(handle) <= 40
    assert await site.two.undos.redeem(ana(), f" {handle}\n") == b"delete 1000"


async def test_handle_of_a_guarded_call_gives_the_inverse_of_what_it_created(site: Site) -> None:
    report = await site.one.create(Things(), b"a", b"b")
    assert isinstance(report.undo, UndoHandle)
    assert await site.two.undos.redeem(ana(), report.undo.text) == b"delete 1000 1001"


async def test_handle_works_once(site: Site) -> None:
    handle = await site.kept()
    await site.one.undos.redeem(ana(), handle)
    assert await fault(site, handle) is UndoFault.USED


async def test_one_of_parallel_redemptions_gets_the_inverse(site: Site) -> None:
    handle = await site.kept()
    replicas = [site.one, site.two] * 4
    answers = await asyncio.gather(
        *(one.undos.redeem(ana(), handle) for one in replicas), return_exceptions=True
    )
    assert answers.count(b"delete 1000") == 1
    assert sum(isinstance(one, UndoRefused) for one in answers) == 7


async def test_redeeming_costs_one_write_even_if_its_answer_is_lost(site: Site) -> None:
    handle = await site.kept()
    written = site.store.writes()
    site.store.fail("update", "lost")
    assert await site.one.undos.redeem(ana(), handle) == b"delete 1000"
    assert site.store.writes() == written + 1
    assert await fault(site, handle) is UndoFault.USED


async def test_handle_expires_after_fifteen_minutes(site: Site) -> None:
    handle = await site.kept()
    site.clock.forward(899)
    other = await site.kept()
    site.clock.forward(1)
    assert await fault(site, handle) is UndoFault.EXPIRED
    await site.one.undos.redeem(ana(), other)


async def test_handle_of_another_person_is_refused_as_that(site: Site) -> None:
    assert await fault(site, await site.kept(), BO) is UndoFault.ANOTHER_PERSON


async def test_handle_whose_inverse_had_no_room_is_refused_as_that(site: Site) -> None:
    handle = site.one.undos.issue(ana())
    assert await fault(site, handle.text) is UndoFault.DROPPED


async def test_oldest_inverses_give_way_to_new_ones(site: Site) -> None:
    handles = []
    for _ in range(10):
        handles.append(await site.kept(b"x" * 16_000))
        site.clock.forward(1)
    assert await fault(site, handles[0]) is UndoFault.DROPPED
    assert await site.two.undos.redeem(ana(), handles[-1]) == b"x" * 16_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "undo_",
        "undo_abc",
        "1000",
        "undo_" + "A" * 30,
        "undo_" + "é" * 30,
        "undo_ a b",
        "\ud800",
    ],
)
async def test_other_text_is_no_handle_and_costs_nothing(site: Site, text: str) -> None:
    assert await fault(site, text) is UndoFault.UNKNOWN
    assert site.store.calls == []


@given(position=st.integers(0, 34), letter=st.sampled_from("Aa0-_Zz9"))
def test_changed_handle_is_refused(position: int, letter: str) -> None:
    async def main() -> None:
        site = Site()
        handle = await site.kept()
        changed = handle[:position] + letter + handle[position + 1 :]
        if changed != handle:
            assert await fault(site, changed) in {UndoFault.UNKNOWN, UndoFault.ANOTHER_PERSON}

    asyncio.run(main())


async def test_handle_survives_a_rotation_of_the_keys(site: Site) -> None:
    handle = await site.kept()
    old, new = site.keys.ring().keys[0], new_key()
    site.keys.put(KeyRing((new, old), new.kid))
    assert await site.two.undos.redeem(ana(), handle) == b"delete 1000"


async def test_what_was_done_stays_done_when_its_inverse_cannot_be_kept(site: Site) -> None:
    site.store.fail("get", "away", times=9)
    assert await site.one.undos.keep(ana(), b"delete") is NoUndo.NOT_KEPT
    assert await site.one.undos.keep(ana(), None) is NoUndo.NO_INVERSE
    assert await site.one.undos.keep(ana(), b"x" * 16_385) is NoUndo.TOO_LARGE


async def test_inverse_of_a_guarded_call_that_is_too_large_is_not_kept(site: Site) -> None:
    work = replace(Things().work([b"a"]), inverse=lambda _: b"x" * 16_385)
    report = await site.one.guard.run(ana(), [Intent(b"a")], work)
    assert report.results == (Written("1000"),)
    assert report.undo is NoUndo.TOO_LARGE


async def test_undo_is_refused_with_a_wait_while_the_api_server_is_away(site: Site) -> None:
    handle = await site.kept()
    site.store.fail("get", "away", times=3)
    with pytest.raises(LedgerUnavailable):
        await site.one.undos.redeem(ana(), handle)
    assert await site.one.undos.redeem(ana(), handle) == b"delete 1000"
