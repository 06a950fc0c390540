"""Grants over a store that fails, is slow, conflicts, or loses its answers."""

from __future__ import annotations

import pytest

from harness.grantfaults import FaultyStore, Method
from harness.grantkit import CLIENT, Replica, records
from productive_gateway.errors import Unavailable
from productive_gateway.grants.record import decode
from productive_gateway.grants.retry_budget import RetryLimits

SHORT_TIMEOUTS = RetryLimits(failures_after_write=1, seconds=0.3)


@pytest.mark.attack("R-13")
async def test_creation_whose_answer_is_lost_still_gives_the_code(
    replica: Replica, store: FaultyStore
) -> None:
    store.fail("create", "lost", times=2)  # the binding's and the grant's
    await replica.redeem(await replica.code())
    assert len(await records(store)) == 1


@pytest.mark.attack("R-13")
async def test_redemption_whose_answer_is_lost_still_gives_the_tokens(
    replica: Replica, store: FaultyStore
) -> None:
    code = await replica.code()
    store.fail("update", "lost")
    tokens = await replica.redeem(code)
    await replica.grants.authenticate(tokens.access_token)
    await replica.refresh(tokens.refresh_token)


@pytest.mark.attack("R-13")
async def test_read_after_a_lost_answer_may_fail_too(replica: Replica, store: FaultyStore) -> None:
    code = await replica.code()
    store.fail("update", "lost")
    store.fail("get", "lost", times=1)
    tokens = await replica.redeem(code)
    await replica.grants.authenticate(tokens.access_token)


@pytest.mark.attack("R-13")
async def test_refresh_whose_answer_is_lost_gives_the_one_successor(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    store.fail("update", "lost")
    second = await replica.refresh(first.refresh_token)
    assert (await replica.refresh(first.refresh_token)).refresh_token == second.refresh_token


@pytest.mark.attack("J-12")
@pytest.mark.parametrize("method", ["get", "update"])
async def test_unreachable_store_is_unavailable_and_the_same_token_works_later(
    store: FaultyStore, method: Method
) -> None:
    replica = Replica.over(store, limits=SHORT_TIMEOUTS)
    code = await replica.code()
    store.fail(method, "away", times=6)
    with pytest.raises(Unavailable) as unavailable:
        await replica.redeem(code)
    assert unavailable.value.retry_after == 7
    store.faults.clear()
    first = await replica.redeem(code)
    store.fail(method, "away", times=6)
    with pytest.raises(Unavailable):
        await replica.refresh(first.refresh_token)
    store.faults.clear()
    await replica.refresh(first.refresh_token)


@pytest.mark.attack("J-12")
async def test_slow_store_is_unavailable_and_the_same_token_works_later(
    store: FaultyStore,
) -> None:
    replica = Replica.over(store, limits=SHORT_TIMEOUTS)
    first = await replica.tokens()
    store.fail("get", "slow", times=9)
    with pytest.raises(Unavailable) as unavailable:
        await replica.refresh(first.refresh_token)
    assert unavailable.value.reason == "grants_slow"
    store.faults.clear()
    await replica.refresh(first.refresh_token)


@pytest.mark.attack("R-11")
async def test_passing_failures_are_overcome_with_few_tries(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    store.calls.clear()
    store.fail("get", "away", times=2)
    second = await replica.refresh(first.refresh_token)
    assert store.calls.count("get") == 3
    store.fail("update", "changed", times=5)
    await replica.refresh(second.refresh_token)


@pytest.mark.attack("R-11")
async def test_endless_conflicts_are_unavailable(replica: Replica, store: FaultyStore) -> None:
    first = await replica.tokens()
    store.calls.clear()
    store.fail("update", "changed", times=100)
    with pytest.raises(Unavailable) as unavailable:
        await replica.refresh(first.refresh_token)
    assert unavailable.value.reason == "grants_contended"
    assert store.calls.count("get") == 6
    store.faults.clear()
    await replica.refresh(first.refresh_token)


async def test_revocation_that_cannot_be_stored_is_unavailable(
    store: FaultyStore,
) -> None:
    replica = Replica.over(store, limits=SHORT_TIMEOUTS)
    tokens = await replica.tokens()
    store.fail("update", "away", times=9)
    with pytest.raises(Unavailable):
        await replica.grants.revoke(tokens.refresh_token, client_id=CLIENT)


async def test_revocation_whose_answer_is_lost_counts(replica: Replica, store: FaultyStore) -> None:
    first, second = await replica.tokens(), await replica.tokens()
    store.fail("update", "lost")
    await replica.grants.revoke(first.refresh_token, client_id=CLIENT)
    replica.clock.forward(1201)  # from now on a grant is deleted at its end
    store.fail("delete", "lost")
    await replica.grants.revoke(second.refresh_token, client_id=CLIENT)
    assert [decode(record, replica.keys.ring()).state for record in await records(store)] == [
        "gone"
    ]
