"""Codes: which redemptions get tokens, and what a replay ends."""

from __future__ import annotations

import asyncio

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import Replica, all_records, ana, invalid_grant, records
from harness.oauthkit import AuditLog
from productive_contract.mapping import State
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.errors import InvalidGrant
from productive_gateway.grants.service import Tokens


@pytest.mark.attack("F-01")
async def test_code_used_twice_ends_the_grant_and_its_tokens(
    replica: Replica, audited: AuditLog
) -> None:
    code = await replica.code()
    tokens = await replica.redeem(code)
    await invalid_grant(replica.redeem(code), "code_replay")
    assert audited.reasons("code_replay") == ["code_replay"]
    assert await replica.refuses(tokens.access_token)
    await invalid_grant(replica.refresh(tokens.refresh_token), "grant_gone")
    await invalid_grant(replica.redeem(code), "grant_gone")


@pytest.mark.attack("F-02")
async def test_one_of_twenty_parallel_redemptions_gets_tokens_and_the_grant_ends(
    replica: Replica, store: FaultyStore, audited: AuditLog
) -> None:
    code = await replica.code()
    replicas = [replica, replica.another()]
    store.hold_until_all_read(20)
    answers = await asyncio.gather(
        *(replicas[n % 2].redeem(code) for n in range(20)), return_exceptions=True
    )
    tokens = [answer for answer in answers if isinstance(answer, Tokens)]
    assert len(tokens) == 1
    assert sum(isinstance(answer, InvalidGrant) for answer in answers) == 19
    assert audited.reasons("code_replay") == ["code_replay"]
    replica.clock.forward(10)  # no watch runs here: until then a replica goes by what it wrote
    for one in replicas:
        assert await one.refuses(tokens[0].access_token)


@pytest.mark.attack("F-03")
async def test_replay_with_a_wrong_verifier_does_not_end_the_grant(
    replica: Replica, store: FaultyStore
) -> None:
    code = await replica.code()
    tokens = await replica.redeem(code)
    before = await all_records(store)
    await invalid_grant(replica.redeem(code, verifier="w" * 64), "wrong_verifier")
    assert await all_records(store) == before
    await replica.grants.authenticate(tokens.access_token)


@pytest.mark.attack("F-04")
async def test_wrong_verifiers_write_nothing_and_the_right_one_still_works(
    replica: Replica, store: FaultyStore
) -> None:
    code = await replica.code()
    writes = store.writes()
    for n in range(100):
        await invalid_grant(replica.redeem(code, verifier=f"{n:064}"), "wrong_verifier")
    assert store.writes() == writes
    await replica.redeem(code)


@pytest.mark.attack("F-05")
async def test_code_of_another_client_is_refused_and_stays_valid(
    replica: Replica, store: FaultyStore
) -> None:
    code = await replica.code()
    before = await all_records(store)
    await invalid_grant(replica.redeem(code, client_id="pmcp_dc_other"), "wrong_client")
    assert await all_records(store) == before
    await replica.redeem(code)


@pytest.mark.attack("F-06")
async def test_expired_code_is_refused(replica: Replica) -> None:
    code = await replica.code()
    replica.clock.forward(300)
    await invalid_grant(replica.redeem(code), "code_expired")


@pytest.mark.attack("F-07")
async def test_code_of_one_replica_is_redeemed_at_another_at_once(replica: Replica) -> None:
    await replica.another().redeem(await replica.code())


@pytest.mark.attack("F-08")
@pytest.mark.attack("J-15")
async def test_garbage_causes_no_call_to_the_store(replica: Replica, store: FaultyStore) -> None:
    code = await replica.code()
    tokens = await replica.redeem(await replica.code())
    access, refresh = tokens.access_token, tokens.refresh_token
    store.calls.clear()
    flipped = code[:-1] + ("A" if code[-1] != "A" else "B")
    for text in (flipped, code[:40], code + "A" * 10_000, "pmcp_ac_" + refresh[8:], access, ""):
        await invalid_grant(replica.redeem(text), "malformed")
    flipped = refresh[:-1] + ("A" if refresh[-1] != "A" else "B")
    for text in (flipped, refresh[:40], "pmcp_rt_" + access[8:], access, code, ""):
        await invalid_grant(replica.refresh(text), "malformed")
    for text in (refresh, code, access[:-1], "", "ey.a.b", "ä"):
        assert await replica.refuses(text)
    assert store.calls == []


@pytest.mark.attack("F-11")
async def test_person_removed_before_the_redemption_gets_no_tokens(replica: Replica) -> None:
    code = await replica.code()
    replica.people.remove(ana())
    await invalid_grant(replica.redeem(code), "person_gone")


@pytest.mark.attack("F-11")
async def test_person_suspended_before_the_redemption_gets_tokens(replica: Replica) -> None:
    code = await replica.code()
    replica.people.put(ana(state=State.SUSPENDED))
    await replica.redeem(code)


@pytest.mark.attack("F-12")
async def test_code_of_a_deleted_grant_is_refused(replica: Replica, store: FaultyStore) -> None:
    code = await replica.code()
    for record in await records(store):
        await store.inner.delete(record)
    await invalid_grant(replica.redeem(code), "grant_gone")


@pytest.mark.rule("R4")
@pytest.mark.attack("H-03")
async def test_tokens_of_another_deployment_with_the_same_keys_are_refused(
    replica: Replica,
) -> None:
    other = Replica.over(
        replica.store,
        people=replica.people,
        keys=replica.keys,
        clock=replica.clock,
        config=GrantConfig("https://b.example.test/mcp"),
    )
    tokens = await replica.tokens()
    assert await other.refuses(tokens.access_token)
    await invalid_grant(other.refresh(tokens.refresh_token), "malformed")


@pytest.mark.attack("P-06")
@pytest.mark.parametrize("challenge", ["", "none", "=", "plain"])
async def test_a_verifier_proves_nothing_to_a_stored_grant_without_a_challenge(
    replica: Replica, store: FaultyStore, audited: AuditLog, challenge: str
) -> None:
    code = await replica.code(challenge=challenge)
    before = await all_records(store)
    for verifier in ("v" * 43, "v" * 64):
        await invalid_grant(replica.redeem(code, verifier=verifier), "wrong_verifier")
    assert await all_records(store) == before
    assert audited.events() == []
