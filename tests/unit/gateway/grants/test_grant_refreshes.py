"""Refreshes: successors, grace, reuse, scopes, and the ends of a grant and of a person."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import (
    CLIENT,
    NOW,
    RESOURCE,
    SCOPES,
    HeldClock,
    Replica,
    all_records,
    ana,
    invalid_grant,
    records,
)
from harness.oauthkit import AuditLog
from productive_contract.mapping import State
from productive_gateway.errors import Unavailable
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.errors import InvalidScope
from productive_gateway.grants.record import decode, encode


async def test_successor_that_is_not_the_stored_one_is_never_answered(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    await replica.refresh(first.refresh_token)
    [record] = await records(store)
    grant = replace(decode(record, replica.keys.ring()), refresh_hash="0" * 64)
    forked = encode(grant, replica.keys.ring(), replacing=record)
    await store.inner.update(forked)
    with pytest.raises(Unavailable) as unavailable:
        await replica.refresh(first.refresh_token)
    assert unavailable.value.reason == "forked"


@pytest.mark.attack("J-01")
async def test_refresh_gives_new_tokens_with_the_same_scopes(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    writes = store.writes()
    replica.clock.forward(1800)
    second = await replica.refresh(first.refresh_token)
    assert store.writes() == writes + 1
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token
    assert (second.scopes, second.expires_in) == (SCOPES, 3600)
    for tokens in (first, second):  # an older access token lives to its own end
        await replica.grants.authenticate(tokens.access_token)


@pytest.mark.attack("J-02")
async def test_repeated_refresh_within_the_grace_gives_the_same_successor(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    second = await replica.refresh(first.refresh_token)
    writes = store.writes()
    replica.clock.forward(119)
    again = await replica.another().refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert again.access_token != second.access_token
    assert store.writes() == writes


@pytest.mark.attack("J-03")
async def test_thirty_parallel_refreshes_over_two_replicas_get_one_successor(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    [before] = await records(store)
    replicas = [replica, replica.another()]
    store.fail("update", "changed", times=5)
    store.hold_until_all_read(30)
    answers = await asyncio.gather(
        *(replicas[n % 2].refresh(first.refresh_token) for n in range(30))
    )
    assert len({tokens.refresh_token for tokens in answers}) == 1
    [record] = await records(store)
    assert decode(record, replica.keys.ring()).generation == 2
    # All of them compute the same successor: only the version shows that one of them wrote.
    assert int(record.version) == int(before.version) + 1


@pytest.mark.attack("J-04")
async def test_token_whose_successor_was_used_ends_the_grant(
    replica: Replica, audited: AuditLog
) -> None:
    first = await replica.tokens()
    second = await replica.refresh(first.refresh_token)
    third = await replica.refresh(second.refresh_token)
    await invalid_grant(replica.refresh(first.refresh_token), "refresh_reuse")
    assert audited.reasons("refresh_reuse") == ["refresh_reuse"]
    await invalid_grant(replica.refresh(third.refresh_token), "grant_gone")
    for tokens in (first, second, third):
        assert await replica.refuses(tokens.access_token)


@pytest.mark.attack("J-05")
async def test_token_presented_after_its_grace_ends_the_grant(replica: Replica) -> None:
    first = await replica.tokens()
    second = await replica.refresh(first.refresh_token)
    replica.clock.forward(151)
    await invalid_grant(replica.refresh(first.refresh_token), "refresh_reuse")
    await invalid_grant(replica.refresh(second.refresh_token), "grant_gone")


@pytest.mark.attack("J-07")
async def test_refresh_token_of_another_client_is_refused_and_changes_nothing(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    before = await all_records(store)
    for client_id in ("pmcp_dc_other", ""):
        await invalid_grant(
            replica.refresh(first.refresh_token, client_id=client_id), "wrong_client"
        )
    assert await all_records(store) == before


@pytest.mark.attack("J-08")
async def test_scopes_can_be_narrowed_for_one_token_and_never_widened(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    before = await all_records(store)
    for scopes in (SCOPES | {"productive:admin"}, frozenset({"x"}), frozenset[str]()):
        with pytest.raises(InvalidScope):
            await replica.refresh(first.refresh_token, scopes=scopes)
    assert await all_records(store) == before
    read = frozenset({"productive:read"})
    narrow = await replica.refresh(first.refresh_token, scopes=read)
    assert narrow.scopes == read
    assert (await replica.grants.authenticate(narrow.access_token)).scopes == read
    wide = await replica.refresh(narrow.refresh_token)
    assert wide.scopes == SCOPES


@pytest.mark.attack("J-10")
async def test_grant_expires_at_its_absolute_end_and_no_token_lives_longer(
    replica: Replica,
) -> None:
    tokens = await replica.tokens()
    for _ in range(6):
        replica.clock.forward(DAY)
        tokens = await replica.refresh(tokens.refresh_token)
    replica.clock.forward(DAY - 600)
    last = await replica.refresh(tokens.refresh_token)
    assert last.expires_in == 600
    replica.clock.forward(600)
    await invalid_grant(replica.refresh(last.refresh_token), "expired")
    # The end is stored: a replica whose clock is behind says the same.
    behind = replica.another(clock=HeldClock(replica.clock() - 30))
    await invalid_grant(behind.refresh(last.refresh_token), "grant_gone")


@pytest.mark.attack("J-10")
async def test_idle_grant_expires(store: FaultyStore) -> None:
    replica = Replica.over(store, config=GrantConfig(RESOURCE, absolute_life=30 * DAY))
    first = await replica.tokens()
    replica.clock.forward(14 * DAY - 1)
    second = await replica.refresh(first.refresh_token)
    replica.clock.forward(14 * DAY)
    await invalid_grant(replica.refresh(second.refresh_token), "expired")


@pytest.mark.attack("J-10")
async def test_replicas_whose_clocks_differ_by_the_skew_give_one_successor(
    replica: Replica,
) -> None:
    first = await replica.tokens()
    second = await replica.refresh(first.refresh_token)
    for skew in (-30, 30):
        other = replica.another(clock=HeldClock(replica.clock() + 120 + skew))
        assert (await other.refresh(first.refresh_token)).refresh_token == second.refresh_token


@pytest.mark.attack("J-11")
async def test_removed_or_revoked_person_is_refused_a_refresh_and_a_suspended_one_is_not(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    before = await all_records(store)
    replica.people.remove(ana())
    await invalid_grant(replica.refresh(first.refresh_token), "person_gone")
    replica.people.put(ana(revoked_before=NOW + 1))
    await invalid_grant(replica.refresh(first.refresh_token), "revoked_before")
    replica.people.people = None
    with pytest.raises(Unavailable):
        await replica.refresh(first.refresh_token)
    assert await all_records(store) == before
    replica.people.people = {}
    for state in (State.SUSPENDED, State.NO_TOKEN):
        replica.people.put(ana(state=state))
        first = await replica.refresh(first.refresh_token)


@pytest.mark.attack("J-11")
async def test_person_absent_from_an_unconfirmed_mapping_keeps_their_tokens(
    replica: Replica, store: FaultyStore
) -> None:
    code, first = await replica.code(), await replica.tokens()
    before = await all_records(store)
    replica.people.remove(ana())
    replica.people.proves_absence = False
    with pytest.raises(Unavailable):
        await replica.refresh(first.refresh_token)
    with pytest.raises(Unavailable):
        await replica.redeem(code)
    assert await all_records(store) == before
    await replica.grants.revoke(first.refresh_token, client_id=CLIENT)
    replica.people.put(ana())
    await replica.redeem(code)
