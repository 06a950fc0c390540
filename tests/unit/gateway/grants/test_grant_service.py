"""Grants as the endpoints use them, over the store in memory."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Iterator
from dataclasses import replace

import pytest

from harness.grantfaults import FaultyStore, Method
from harness.grantkit import (
    CLIENT,
    NOW,
    RESOURCE,
    SCOPES,
    HeldClock,
    HeldKeys,
    Replica,
    ana,
    new_key,
    records,
)
from harness.oauthkit import AuditLog, audit_log
from productive_contract.mapping import State
from productive_gateway.errors import InvalidToken, Unavailable
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.errors import (
    AlreadyCompleted,
    InvalidGrant,
    InvalidScope,
    StoreFull,
    SubjectMismatch,
    TokenFault,
)
from productive_gateway.grants.record import RecordKind, decode, encode
from productive_gateway.grants.retry_budget import RetryLimits
from productive_gateway.grants.service import Tokens
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.sealing.keys import KeyRing

SHORT_TIMEOUTS = RetryLimits(failures_after_write=1, seconds=0.3)


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryGrantStore())


@pytest.fixture
def replica(store: FaultyStore) -> Replica:
    return Replica.over(store)


@pytest.fixture
def audited() -> Iterator[AuditLog]:
    with audit_log() as log:
        yield log


async def snapshot(store: FaultyStore) -> list[object]:
    return [*await records(store, RecordKind.GRANT), *await records(store, RecordKind.SUBJECT)]


async def refused(call: Awaitable[object], reason: str) -> None:
    with pytest.raises(InvalidGrant) as error:
        await call
    assert error.value.reason == reason
    assert "Connect again" in str(error.value)


async def invalid(replica: Replica, access_token: str, fault: TokenFault) -> None:
    with pytest.raises(InvalidToken) as error:
        await replica.grants.authenticate(access_token)
    assert error.value.reason == fault.value


async def test_sign_in_gives_tokens_that_authenticate(replica: Replica) -> None:
    tokens = await replica.tokens()
    assert tokens.expires_in == 3600
    assert tokens.scopes == SCOPES
    live = await replica.grants.authenticate(tokens.access_token)
    assert live.user_uid == ana().uid
    assert live.scopes == SCOPES
    assert live.auth_time == NOW
    assert len(live.client) == 20


async def test_first_sign_in_makes_three_writes_and_a_later_one_two(
    replica: Replica, store: FaultyStore
) -> None:
    await replica.tokens()
    assert store.writes() == 3
    await replica.tokens()
    assert store.writes() == 5


async def test_repr_shows_no_token(replica: Replica) -> None:
    tokens = await replica.tokens()
    assert tokens.access_token not in repr(tokens)
    assert tokens.refresh_token not in repr(tokens)


# --- codes


@pytest.mark.attack("F-01")
async def test_code_used_twice_ends_the_grant_and_its_tokens(
    replica: Replica, audited: AuditLog
) -> None:
    code = await replica.code()
    tokens = await replica.redeem(code)
    await refused(replica.redeem(code), "code_replay")
    assert audited.reasons("code_replay") == ["code_replay"]
    assert await replica.refuses(tokens.access_token)
    await refused(replica.refresh(tokens.refresh_token), "grant_gone")
    await refused(replica.redeem(code), "grant_gone")


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
    before = await snapshot(store)
    await refused(replica.redeem(code, verifier="w" * 64), "wrong_verifier")
    assert await snapshot(store) == before
    await replica.grants.authenticate(tokens.access_token)


@pytest.mark.attack("F-04")
async def test_wrong_verifiers_write_nothing_and_the_right_one_still_works(
    replica: Replica, store: FaultyStore
) -> None:
    code = await replica.code()
    writes = store.writes()
    for n in range(100):
        await refused(replica.redeem(code, verifier=f"{n:064}"), "wrong_verifier")
    assert store.writes() == writes
    await replica.redeem(code)


@pytest.mark.attack("F-05")
async def test_code_of_another_client_is_refused_and_stays_valid(
    replica: Replica, store: FaultyStore
) -> None:
    code = await replica.code()
    before = await snapshot(store)
    await refused(replica.redeem(code, client_id="pmcp_dc_other"), "wrong_client")
    assert await snapshot(store) == before
    await replica.redeem(code)


@pytest.mark.attack("F-06")
async def test_expired_code_is_refused(replica: Replica) -> None:
    code = await replica.code()
    replica.clock.forward(300)
    await refused(replica.redeem(code), "code_expired")


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
        await refused(replica.redeem(text), "malformed")
    flipped = refresh[:-1] + ("A" if refresh[-1] != "A" else "B")
    for text in (flipped, refresh[:40], "pmcp_rt_" + access[8:], access, code, ""):
        await refused(replica.refresh(text), "malformed")
    for text in (refresh, code, access[:-1], "", "ey.a.b", "ä"):
        assert await replica.refuses(text)
    assert store.calls == []


@pytest.mark.attack("F-11")
async def test_person_removed_before_the_redemption_gets_no_tokens(replica: Replica) -> None:
    code = await replica.code()
    replica.people.remove(ana())
    await refused(replica.redeem(code), "person_gone")


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
    await refused(replica.redeem(code), "grant_gone")


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
    await refused(other.refresh(tokens.refresh_token), "malformed")


# --- beginning


async def test_transaction_makes_one_grant(replica: Replica, store: FaultyStore) -> None:
    transaction = secrets.token_bytes(16)
    code = await replica.code(transaction=transaction)
    with pytest.raises(AlreadyCompleted):
        await replica.another().code(transaction=transaction)
    tokens = await replica.redeem(code)
    await replica.grants.revoke(tokens.access_token, client_id=CLIENT)
    with pytest.raises(AlreadyCompleted):
        await replica.code(transaction=transaction)
    assert len(await records(store)) == 1


@pytest.mark.attack("M-10")
async def test_another_account_of_the_provider_with_the_same_address_is_refused(
    replica: Replica, store: FaultyStore
) -> None:
    await replica.code()
    for changes in ({"subject": "another"}, {"subject_issuer": "https://other.example"}):
        with pytest.raises(SubjectMismatch):
            await replica.code(**changes)
    assert len(await records(store)) == 1
    # The ProductiveUser made anew is another person to us: nothing is bound yet.
    await replica.code(person=ana(uid="5f0c6f0e-0000-4000-8000-000000000002"), subject="another")
    # An administrator who replaced the account deletes the binding.
    for binding in await records(store, RecordKind.SUBJECT):
        await store.inner.delete(binding)
    await replica.code(subject="another")


async def test_parallel_first_sign_ins_agree_on_one_binding(
    replica: Replica, store: FaultyStore
) -> None:
    replicas = [replica, replica.another()]
    await asyncio.gather(*(replicas[n % 2].code() for n in range(10)))
    assert len(await records(store, RecordKind.SUBJECT)) == 1
    assert len(await records(store)) == 10


async def test_one_of_several_parallel_first_subjects_is_bound(replica: Replica) -> None:
    answers = await asyncio.gather(
        *(replica.code(subject=f"subject-{n}") for n in range(5)), return_exceptions=True
    )
    assert sum(isinstance(answer, str) for answer in answers) == 1
    assert sum(isinstance(answer, SubjectMismatch) for answer in answers) == 4


@pytest.mark.attack("R-10")
async def test_full_store_refuses_sign_ins_while_existing_grants_keep_working() -> None:
    replica = Replica.over(MemoryGrantStore(capacity=2))
    tokens = await replica.tokens()
    with pytest.raises(StoreFull) as full:
        await replica.code()
    assert full.value.retry_after == 60
    await replica.refresh(tokens.refresh_token)


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


# --- refreshing


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
    await refused(replica.refresh(first.refresh_token), "refresh_reuse")
    assert audited.reasons("refresh_reuse") == ["refresh_reuse"]
    await refused(replica.refresh(third.refresh_token), "grant_gone")
    for tokens in (first, second, third):
        assert await replica.refuses(tokens.access_token)


@pytest.mark.attack("J-05")
async def test_token_presented_after_its_grace_ends_the_grant(replica: Replica) -> None:
    first = await replica.tokens()
    second = await replica.refresh(first.refresh_token)
    replica.clock.forward(151)
    await refused(replica.refresh(first.refresh_token), "refresh_reuse")
    await refused(replica.refresh(second.refresh_token), "grant_gone")


@pytest.mark.attack("J-07")
async def test_refresh_token_of_another_client_is_refused_and_changes_nothing(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    before = await snapshot(store)
    for client_id in ("pmcp_dc_other", ""):
        await refused(replica.refresh(first.refresh_token, client_id=client_id), "wrong_client")
    assert await snapshot(store) == before


@pytest.mark.attack("J-08")
async def test_scopes_can_be_narrowed_for_one_token_and_never_widened(
    replica: Replica, store: FaultyStore
) -> None:
    first = await replica.tokens()
    before = await snapshot(store)
    for scopes in (SCOPES | {"productive:admin"}, frozenset({"x"}), frozenset[str]()):
        with pytest.raises(InvalidScope):
            await replica.refresh(first.refresh_token, scopes=scopes)
    assert await snapshot(store) == before
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
    await refused(replica.refresh(last.refresh_token), "expired")
    # The end is stored: a replica whose clock is behind says the same.
    behind = replica.another(clock=HeldClock(replica.clock() - 30))
    await refused(behind.refresh(last.refresh_token), "grant_gone")


@pytest.mark.attack("J-10")
async def test_idle_grant_expires(store: FaultyStore) -> None:
    replica = Replica.over(store, config=GrantConfig(RESOURCE, absolute_life=30 * DAY))
    first = await replica.tokens()
    replica.clock.forward(14 * DAY - 1)
    second = await replica.refresh(first.refresh_token)
    replica.clock.forward(14 * DAY)
    await refused(replica.refresh(second.refresh_token), "expired")


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
    before = await snapshot(store)
    replica.people.remove(ana())
    await refused(replica.refresh(first.refresh_token), "person_gone")
    replica.people.put(ana(revoked_before=NOW + 1))
    await refused(replica.refresh(first.refresh_token), "revoked_before")
    replica.people.people = None
    with pytest.raises(Unavailable):
        await replica.refresh(first.refresh_token)
    assert await snapshot(store) == before
    replica.people.people = {}
    for state in (State.SUSPENDED, State.NO_TOKEN):
        replica.people.put(ana(state=state))
        first = await replica.refresh(first.refresh_token)


@pytest.mark.attack("J-11")
async def test_person_absent_from_an_unconfirmed_mapping_keeps_their_tokens(
    replica: Replica, store: FaultyStore
) -> None:
    code, first = await replica.code(), await replica.tokens()
    before = await snapshot(store)
    replica.people.remove(ana())
    replica.people.proves_absence = False
    with pytest.raises(Unavailable):
        await replica.refresh(first.refresh_token)
    with pytest.raises(Unavailable):
        await replica.redeem(code)
    assert await snapshot(store) == before
    await replica.grants.revoke(first.refresh_token, client_id=CLIENT)
    replica.people.put(ana())
    await replica.redeem(code)


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


# --- keys, epochs, tampering


@pytest.mark.attack("R-08")
async def test_raised_epoch_ends_everything_made_before_it(replica: Replica) -> None:
    code, first = await replica.code(), await replica.tokens()
    # What was found about a token that was good must not be remembered.
    await replica.grants.authenticate(first.access_token)
    replica.keys.put(replace(replica.keys.ring(), epoch=1))
    await invalid(replica, first.access_token, TokenFault.OLD_EPOCH)
    await refused(replica.refresh(first.refresh_token), "old_epoch")
    await refused(replica.redeem(code), "old_epoch")
    second = await replica.tokens()
    await replica.grants.authenticate(second.access_token)


@pytest.mark.attack("R-08")
async def test_sign_ins_before_a_revocation_get_no_tokens_and_later_ones_do(
    replica: Replica,
) -> None:
    first = await replica.tokens()
    replica.people.put(ana(revoked_before=NOW + 10))
    await refused(replica.refresh(first.refresh_token), "revoked_before")
    replica.clock.forward(10)
    await replica.refresh((await replica.tokens()).refresh_token)


@pytest.mark.attack("R-07")
async def test_key_rotation_in_three_phases_over_mixed_replicas_keeps_all_tokens(
    replica: Replica,
) -> None:
    old = replica.keys.ring()
    key = new_key()
    phases = [old, replace(old, keys=(*old.keys, key)), KeyRing((*old.keys, key), key.kid)]
    tokens = await replica.tokens()
    for ahead, behind in [(1, 0), (1, 1), (2, 1), (2, 2)]:
        replicas = [replica.another(keys=HeldKeys(phases[n])) for n in (ahead, behind)]
        for one, other in (replicas, replicas[::-1]):
            before = tokens.refresh_token
            tokens = await one.refresh(before)
            assert (await other.refresh(before)).refresh_token == tokens.refresh_token
            await other.grants.authenticate(tokens.access_token)
            await one.redeem(await other.code())
    # What was not used since the promotion holds the old key; all else lives without it.
    retired = replica.another(keys=HeldKeys(KeyRing((key,), key.kid)))
    await retired.refresh(tokens.refresh_token)


@pytest.mark.attack("R-07")
@pytest.mark.attack("R-15")
async def test_replica_with_an_old_ring_reads_it_again_before_it_decides(replica: Replica) -> None:
    newer = new_key()
    behind = HeldKeys(replica.keys.ring())
    replica.keys.put(KeyRing((*replica.keys.ring().keys, newer), newer.kid))
    tokens = await replica.tokens()
    behind.stored = None
    late = replica.another(keys=behind)
    for call in (
        late.grants.authenticate(tokens.access_token),
        late.refresh(tokens.refresh_token),
    ):
        with pytest.raises(Unavailable):
            await call
    behind.stored = replica.keys.ring()
    await late.grants.authenticate(tokens.access_token)
    await late.refresh(tokens.refresh_token)


@pytest.mark.attack("R-07")
@pytest.mark.attack("R-15")
async def test_tokens_of_a_retired_key_are_refused_and_not_reported_as_tampering(
    replica: Replica, audited: AuditLog
) -> None:
    tokens = await replica.tokens()
    key = new_key()
    replica.keys.put(KeyRing((key,), key.kid))
    assert await replica.refuses(tokens.access_token)
    await refused(replica.refresh(tokens.refresh_token), "malformed")
    assert "record_tampered" not in audited.events()


@pytest.mark.attack("R-15")
async def test_record_under_a_retired_key_is_refused_and_not_reported_as_tampering(
    replica: Replica, audited: AuditLog
) -> None:
    first = await replica.tokens()
    old = replica.keys.ring()
    key = new_key()
    replica.keys.put(KeyRing((*old.keys, key), key.kid))
    second = await replica.refresh(first.refresh_token)
    # The record is under the new key now; this replica can read the tokens but not the record.
    replica.keys.put(old)
    await invalid(replica, first.access_token, TokenFault.GRANT_FOREIGN)
    await refused(replica.refresh(first.refresh_token), "key_retired")
    assert "record_tampered" not in audited.events()
    replica.keys.put(KeyRing((*old.keys, key), key.kid))
    await replica.grants.authenticate(second.access_token)


@pytest.mark.attack("R-09")
async def test_edited_record_counts_as_revoked_and_is_audited(
    replica: Replica, store: FaultyStore, audited: AuditLog
) -> None:
    tokens = await replica.tokens()
    [record] = await records(store)
    longer = {**record.data, "absolute-end": b"9999999999.0"}
    await store.inner.update(replace(record, data=longer))
    other = replica.another()
    await refused(other.refresh(tokens.refresh_token), "record_tampered")
    await invalid(other, tokens.access_token, TokenFault.GRANT_TAMPERED)
    assert audited.events().count("record_tampered") == 2


# --- ending


@pytest.mark.attack("N-07")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_client_revokes_its_grant_by_either_token(
    replica: Replica, store: FaultyStore, kind: str
) -> None:
    tokens = await replica.tokens()
    await replica.grants.authenticate(tokens.access_token)
    await replica.grants.revoke(getattr(tokens, kind), client_id=CLIENT)
    assert await replica.refuses(tokens.access_token)
    await refused(replica.refresh(tokens.refresh_token), "grant_gone")
    writes = store.writes()
    await replica.grants.revoke(getattr(tokens, kind), client_id=CLIENT)
    assert store.writes() == writes


@pytest.mark.attack("N-07")
async def test_client_cannot_revoke_what_is_not_its_own(
    replica: Replica, store: FaultyStore
) -> None:
    tokens = await replica.tokens()
    before = await snapshot(store)
    await replica.grants.revoke(tokens.refresh_token, client_id="pmcp_dc_other")
    for text in ("", "unknown", tokens.access_token[:-1], "pmcp_rt_" + tokens.access_token[8:]):
        await replica.grants.revoke(text, client_id=CLIENT)
    assert await snapshot(store) == before


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


# --- access tokens


@pytest.mark.attack("L-02")
async def test_access_token_expires_after_a_short_leeway(replica: Replica) -> None:
    tokens = await replica.tokens()
    replica.clock.forward(3604)
    await replica.grants.authenticate(tokens.access_token)
    replica.clock.forward(1)
    await invalid(replica, tokens.access_token, TokenFault.EXPIRED)


async def test_authentication_judges_token_and_grant_and_not_the_person(replica: Replica) -> None:
    tokens = await replica.tokens()
    for person in (ana(state=State.SUSPENDED), ana(revoked_before=NOW + 1)):
        replica.people.put(person)
        await replica.grants.authenticate(tokens.access_token)
    replica.people.people = None
    live = await replica.grants.authenticate(tokens.access_token)
    assert (live.user_uid, live.auth_time) == (ana().uid, NOW)


@pytest.mark.attack("P-06")
@pytest.mark.parametrize("challenge", ["", "none", "=", "plain"])
async def test_a_verifier_proves_nothing_to_a_stored_grant_without_a_challenge(
    replica: Replica, store: FaultyStore, audited: AuditLog, challenge: str
) -> None:
    code = await replica.code(challenge=challenge)
    before = await snapshot(store)
    for verifier in ("v" * 43, "v" * 64):
        await refused(replica.redeem(code, verifier=verifier), "wrong_verifier")
    assert await snapshot(store) == before
    assert audited.events() == []
