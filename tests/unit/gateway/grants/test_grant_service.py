"""Grants as the endpoints use them, over the store in memory."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import pytest

from harness.grantkit import (
    CLIENT,
    NOW,
    RESOURCE,
    SCOPES,
    Desk,
    FaultyStore,
    HeldClock,
    HeldKeys,
    ana,
    desk,
    new_key,
    records,
)
from productive_contract.mapping import State
from productive_gateway.errors import InvalidToken, Unavailable
from productive_gateway.grants import patience
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.errors import (
    AlreadyCompleted,
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    StoreFull,
    SubjectMismatch,
)
from productive_gateway.grants.record import decode, encode
from productive_gateway.grants.service import Tokens
from productive_gateway.grants.store import Kind
from productive_gateway.grants.store_memory import MemoryGrantStore
from productive_gateway.observability import audit
from productive_gateway.sealing.keys import KeyRing


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryGrantStore())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after a moment: what is tested is how, not when."""
    monkeypatch.setattr(patience, "TROUBLES_AFTER_WRITE", 1)


@pytest.fixture
def front(store: FaultyStore) -> Desk:
    return desk(store)


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Every audit line as event and reason."""
    lines: list[tuple[str, str | None]] = []

    class Log:
        def info(self, event: str, **facts: object) -> None:
            lines.append((event, facts.get("reason") and str(facts["reason"])))

    monkeypatch.setattr(audit, "_log", Log())
    return lines


async def snapshot(store: FaultyStore) -> list[object]:
    return [*await records(store, Kind.GRANT), *await records(store, Kind.SUBJECT)]


async def refused(call: object, reason: str) -> None:
    with pytest.raises(InvalidGrant) as error:
        await call  # type: ignore[misc]
    assert error.value.reason == reason
    assert "Connect again" in str(error.value)


async def test_a_sign_in_gives_tokens_that_authenticate(front: Desk) -> None:
    tokens = await front.tokens()
    assert tokens.expires_in == 3600
    assert tokens.scopes == SCOPES
    live = await front.grants.authenticate(tokens.access_token)
    assert live.user_uid == ana().uid
    assert live.scopes == SCOPES
    assert live.auth_time == NOW
    assert len(live.client) == 20


async def test_the_first_sign_in_writes_thrice_and_a_later_one_twice(
    front: Desk, store: FaultyStore
) -> None:
    await front.tokens()
    assert store.writes() == 3
    await front.tokens()
    assert store.writes() == 5


async def test_tokens_do_not_show_in_their_repr(front: Desk) -> None:
    tokens = await front.tokens()
    assert tokens.access_token not in repr(tokens)
    assert tokens.refresh_token not in repr(tokens)


# --- codes


@pytest.mark.attack("F-01")
async def test_a_code_used_twice_ends_the_grant_and_its_tokens(
    front: Desk, audited: list[tuple[str, str | None]]
) -> None:
    code = await front.code()
    tokens = await front.redeem(code)
    await refused(front.redeem(code), "code_replay")
    assert ("code_replay", "code_replay") in audited
    with pytest.raises(InvalidToken):
        await front.grants.authenticate(tokens.access_token)
    await refused(front.refresh(tokens.refresh_token), "grant_gone")
    await refused(front.redeem(code), "grant_gone")


@pytest.mark.attack("F-02")
async def test_of_twenty_parallel_redemptions_one_gets_tokens_and_the_grant_ends(
    front: Desk,
) -> None:
    code = await front.code()
    replicas = [front, front.replica()]
    answers = await asyncio.gather(
        *(replicas[n % 2].redeem(code) for n in range(20)), return_exceptions=True
    )
    tokens = [answer for answer in answers if isinstance(answer, Tokens)]
    assert len(tokens) == 1
    assert sum(isinstance(answer, InvalidGrant) for answer in answers) == 19
    front.clock.forward(10)  # no watch runs here: until then a replica goes by what it wrote
    for replica in replicas:
        with pytest.raises(InvalidToken):
            await replica.grants.authenticate(tokens[0].access_token)


@pytest.mark.attack("F-03")
async def test_a_replay_with_a_wrong_verifier_does_not_end_the_grant(
    front: Desk, store: FaultyStore
) -> None:
    code = await front.code()
    tokens = await front.redeem(code)
    before = await snapshot(store)
    await refused(front.redeem(code, verifier="w" * 64), "wrong_verifier")
    assert await snapshot(store) == before
    await front.grants.authenticate(tokens.access_token)


@pytest.mark.attack("F-04")
async def test_wrong_verifiers_write_nothing_and_the_right_one_still_works(
    front: Desk, store: FaultyStore
) -> None:
    code = await front.code()
    writes = store.writes()
    for n in range(100):
        await refused(front.redeem(code, verifier=f"{n:064}"), "wrong_verifier")
    assert store.writes() == writes
    await front.redeem(code)


@pytest.mark.attack("F-05")
async def test_a_code_of_one_client_is_nothing_for_another(front: Desk, store: FaultyStore) -> None:
    code = await front.code()
    before = await snapshot(store)
    await refused(front.redeem(code, client_id="pmcp_dc_other"), "wrong_client")
    assert await snapshot(store) == before
    await front.redeem(code)


@pytest.mark.attack("F-06")
async def test_an_expired_code_is_refused(front: Desk) -> None:
    code = await front.code()
    front.clock.forward(300)
    await refused(front.redeem(code), "code_expired")


@pytest.mark.attack("F-07")
async def test_a_code_of_one_replica_is_redeemed_at_another_at_once(front: Desk) -> None:
    await front.replica().redeem(await front.code())


@pytest.mark.attack("F-08")
@pytest.mark.attack("J-15")
async def test_garbage_costs_no_call_to_the_store(front: Desk, store: FaultyStore) -> None:
    code = await front.code()
    tokens = await front.redeem(await front.code())
    access, refresh = tokens.access_token, tokens.refresh_token
    store.calls.clear()
    flipped = code[:-1] + ("A" if code[-1] != "A" else "B")
    for text in (flipped, code[:40], code + "A" * 10_000, "pmcp_ac_" + refresh[8:], access, ""):
        await refused(front.redeem(text), "malformed")
    flipped = refresh[:-1] + ("A" if refresh[-1] != "A" else "B")
    for text in (flipped, refresh[:40], "pmcp_rt_" + access[8:], access, code, ""):
        await refused(front.refresh(text), "malformed")
    for text in (refresh, code, access[:-1], "", "ey.a.b", "ä"):
        with pytest.raises(InvalidToken):
            await front.grants.authenticate(text)
    assert store.calls == []


@pytest.mark.attack("F-11")
async def test_a_person_removed_before_the_redemption_gets_nothing(front: Desk) -> None:
    code = await front.code()
    front.people.remove(ana())
    await refused(front.redeem(code), "person_gone")


@pytest.mark.attack("F-11")
async def test_a_person_suspended_before_the_redemption_gets_tokens(front: Desk) -> None:
    code = await front.code()
    front.people.put(ana(state=State.SUSPENDED))
    await front.redeem(code)


@pytest.mark.attack("F-12")
async def test_a_grant_deleted_before_the_redemption_is_gone(
    front: Desk, store: FaultyStore
) -> None:
    code = await front.code()
    for record in await records(store):
        await store.inner.delete(record)
    await refused(front.redeem(code), "grant_gone")


@pytest.mark.attack("H-01")
async def test_another_resource_is_an_invalid_target_and_consumes_nothing(
    front: Desk, store: FaultyStore
) -> None:
    code = await front.code()
    before = await snapshot(store)
    with pytest.raises(InvalidTarget):
        await front.redeem(code, resource=RESOURCE + "/")
    assert await snapshot(store) == before
    await front.redeem(code, resource=RESOURCE.replace("https://mcp", "HTTPS://MCP"))


@pytest.mark.attack("H-02")
async def test_an_omitted_resource_is_the_canonical_one(front: Desk) -> None:
    tokens = await front.redeem(await front.code(), resource=None)
    await front.grants.authenticate(tokens.access_token)


@pytest.mark.attack("H-03")
async def test_tokens_of_another_deployment_with_the_same_keys_are_refused(front: Desk) -> None:
    other = desk(
        front.store,
        people=front.people,
        keys=front.keys,
        clock=front.clock,
        config=GrantConfig("https://b.example.test/mcp"),
    )
    tokens = await front.tokens()
    with pytest.raises(InvalidToken):
        await other.grants.authenticate(tokens.access_token)
    await refused(other.refresh(tokens.refresh_token), "malformed")


# --- beginning


async def test_a_transaction_makes_one_grant(front: Desk, store: FaultyStore) -> None:
    transaction = secrets.token_bytes(16)
    code = await front.code(transaction=transaction)
    with pytest.raises(AlreadyCompleted):
        await front.replica().code(transaction=transaction)
    tokens = await front.redeem(code)
    await front.grants.revoke(tokens.access_token, client_id=CLIENT)
    with pytest.raises(AlreadyCompleted):
        await front.code(transaction=transaction)
    assert len(await records(store)) == 1


@pytest.mark.attack("M-10")
async def test_another_account_of_the_provider_with_the_same_address_is_refused(
    front: Desk, store: FaultyStore
) -> None:
    await front.code()
    for changes in ({"subject": "another"}, {"subject_issuer": "https://other.example"}):
        with pytest.raises(SubjectMismatch):
            await front.code(**changes)
    assert len(await records(store)) == 1
    # The ProductiveUser made anew is another person to us: nothing is bound yet.
    await front.code(person=ana(uid="5f0c6f0e-0000-4000-8000-000000000002"), subject="another")
    # An administrator who replaced the account deletes the binding.
    for binding in await records(store, Kind.SUBJECT):
        await store.inner.delete(binding)
    await front.code(subject="another")


async def test_parallel_first_sign_ins_agree_on_one_binding(
    front: Desk, store: FaultyStore
) -> None:
    replicas = [front, front.replica()]
    await asyncio.gather(*(replicas[n % 2].code() for n in range(10)))
    assert len(await records(store, Kind.SUBJECT)) == 1
    assert len(await records(store)) == 10


async def test_of_two_parallel_first_subjects_one_is_bound(front: Desk) -> None:
    answers = await asyncio.gather(
        *(front.code(subject=f"subject-{n}") for n in range(5)), return_exceptions=True
    )
    assert sum(isinstance(answer, str) for answer in answers) == 1
    assert sum(isinstance(answer, SubjectMismatch) for answer in answers) == 4


@pytest.mark.attack("R-10")
async def test_a_full_store_takes_no_sign_in_but_existing_grants_work_on() -> None:
    front = desk(MemoryGrantStore(capacity=2))
    tokens = await front.tokens()
    with pytest.raises(StoreFull) as full:
        await front.code()
    assert full.value.retry_after == 60
    await front.refresh(tokens.refresh_token)


@pytest.mark.attack("R-13")
async def test_a_lost_answer_to_the_creation_still_gives_the_code(
    front: Desk, store: FaultyStore
) -> None:
    store.fail("create", "lost", times=2)  # the binding's and the grant's
    await front.redeem(await front.code())
    assert len(await records(store)) == 1


@pytest.mark.attack("R-13")
async def test_a_lost_answer_to_the_redemption_still_gives_the_tokens(
    front: Desk, store: FaultyStore
) -> None:
    code = await front.code()
    store.fail("update", "lost")
    tokens = await front.redeem(code)
    await front.grants.authenticate(tokens.access_token)
    await front.refresh(tokens.refresh_token)


@pytest.mark.attack("R-13")
async def test_the_reading_after_a_lost_answer_may_fail_a_few_times_too(
    front: Desk, store: FaultyStore
) -> None:
    code = await front.code()
    store.fail("update", "lost")
    store.fail("get", "lost", times=1)
    tokens = await front.redeem(code)
    await front.grants.authenticate(tokens.access_token)


@pytest.mark.attack("R-13")
async def test_a_lost_answer_to_a_refresh_gives_the_one_successor(
    front: Desk, store: FaultyStore
) -> None:
    first = await front.tokens()
    store.fail("update", "lost")
    second = await front.refresh(first.refresh_token)
    assert (await front.refresh(first.refresh_token)).refresh_token == second.refresh_token


# --- refreshing


async def test_replicas_that_disagree_on_the_successor_answer_nobody(
    front: Desk, store: FaultyStore
) -> None:
    first = await front.tokens()
    await front.refresh(first.refresh_token)
    [record] = await records(store)
    grant = replace(decode(record, front.keys.ring()), refresh_hash="0" * 64)
    forked = encode(grant, front.keys.ring(), uid=record.uid, version=record.version)
    await store.inner.update(forked)
    with pytest.raises(Unavailable) as trouble:
        await front.refresh(first.refresh_token)
    assert trouble.value.reason == "forked"


@pytest.mark.attack("J-01")
async def test_a_refresh_gives_new_tokens_with_the_same_scopes(
    front: Desk, store: FaultyStore
) -> None:
    first = await front.tokens()
    writes = store.writes()
    front.clock.forward(1800)
    second = await front.refresh(first.refresh_token, resource=RESOURCE)
    assert store.writes() == writes + 1
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token
    assert (second.scopes, second.expires_in) == (SCOPES, 3600)
    for tokens in (first, second):  # an older access token lives to its own end
        await front.grants.authenticate(tokens.access_token)


@pytest.mark.attack("J-02")
async def test_within_the_grace_a_repeated_refresh_gives_the_same_successor(
    front: Desk, store: FaultyStore
) -> None:
    first = await front.tokens()
    second = await front.refresh(first.refresh_token)
    writes = store.writes()
    front.clock.forward(119)
    again = await front.replica().refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert again.access_token != second.access_token
    assert store.writes() == writes


@pytest.mark.attack("J-03")
async def test_thirty_parallel_refreshes_over_two_replicas_meet_on_one_successor(
    front: Desk, store: FaultyStore
) -> None:
    first = await front.tokens()
    replicas = [front, front.replica()]
    store.fail("update", "conflict", times=5)
    answers = await asyncio.gather(
        *(replicas[n % 2].refresh(first.refresh_token) for n in range(30))
    )
    assert len({tokens.refresh_token for tokens in answers}) == 1
    [record] = await records(store)
    assert decode(record, front.keys.ring()).generation == 2


@pytest.mark.attack("J-04")
async def test_a_token_whose_successor_was_used_ends_the_grant(
    front: Desk, audited: list[tuple[str, str | None]]
) -> None:
    first = await front.tokens()
    second = await front.refresh(first.refresh_token)
    third = await front.refresh(second.refresh_token)
    await refused(front.refresh(first.refresh_token), "refresh_reuse")
    assert ("refresh_reuse", "refresh_reuse") in audited
    await refused(front.refresh(third.refresh_token), "grant_gone")
    for tokens in (first, second, third):
        with pytest.raises(InvalidToken):
            await front.grants.authenticate(tokens.access_token)


@pytest.mark.attack("J-05")
async def test_a_token_after_its_grace_ends_the_grant(front: Desk) -> None:
    first = await front.tokens()
    second = await front.refresh(first.refresh_token)
    front.clock.forward(151)
    await refused(front.refresh(first.refresh_token), "refresh_reuse")
    await refused(front.refresh(second.refresh_token), "grant_gone")


@pytest.mark.attack("J-07")
async def test_a_refresh_token_is_nothing_for_another_client(
    front: Desk, store: FaultyStore
) -> None:
    first = await front.tokens()
    before = await snapshot(store)
    for client_id in ("pmcp_dc_other", ""):
        await refused(front.refresh(first.refresh_token, client_id=client_id), "wrong_client")
    assert await snapshot(store) == before


@pytest.mark.attack("J-08")
async def test_scopes_can_be_narrowed_for_one_token_and_never_widened(
    front: Desk, store: FaultyStore
) -> None:
    first = await front.tokens()
    before = await snapshot(store)
    for scopes in (SCOPES | {"productive:admin"}, frozenset({"x"}), frozenset[str]()):
        with pytest.raises(InvalidScope):
            await front.refresh(first.refresh_token, scopes=scopes)
    assert await snapshot(store) == before
    read = frozenset({"productive:read"})
    narrow = await front.refresh(first.refresh_token, scopes=read)
    assert narrow.scopes == read
    assert (await front.grants.authenticate(narrow.access_token)).scopes == read
    wide = await front.refresh(narrow.refresh_token)
    assert wide.scopes == SCOPES


@pytest.mark.attack("J-09")
async def test_another_resource_is_refused_before_anything_is_rotated(
    front: Desk, store: FaultyStore
) -> None:
    first = await front.tokens()
    before = await snapshot(store)
    for resource in ("https://other.example/mcp", "", "%"):
        with pytest.raises(InvalidTarget):
            await front.refresh(first.refresh_token, resource=resource)
    assert await snapshot(store) == before
    await front.refresh(first.refresh_token)


@pytest.mark.attack("J-10")
async def test_a_grant_ends_at_its_absolute_end_and_no_token_lives_longer(front: Desk) -> None:
    tokens = await front.tokens()
    for _ in range(6):
        front.clock.forward(DAY)
        tokens = await front.refresh(tokens.refresh_token)
    front.clock.forward(DAY - 600)
    last = await front.refresh(tokens.refresh_token)
    assert last.expires_in == 600
    front.clock.forward(600)
    await refused(front.refresh(last.refresh_token), "expired")
    # The end is stored: a replica whose clock is behind says the same.
    behind = front.replica(clock=HeldClock(front.clock() - 30))
    await refused(behind.refresh(last.refresh_token), "grant_gone")


@pytest.mark.attack("J-10")
async def test_a_grant_ends_when_it_was_idle_for_too_long(store: FaultyStore) -> None:
    front = desk(store, config=GrantConfig(RESOURCE, absolute_life=30 * DAY))
    first = await front.tokens()
    front.clock.forward(14 * DAY - 1)
    second = await front.refresh(first.refresh_token)
    front.clock.forward(14 * DAY)
    await refused(front.refresh(second.refresh_token), "expired")


@pytest.mark.attack("J-10")
async def test_clocks_that_differ_by_the_skew_still_meet_on_one_successor(front: Desk) -> None:
    first = await front.tokens()
    second = await front.refresh(first.refresh_token)
    for skew in (-30, 30):
        other = front.replica(clock=HeldClock(front.clock() + 120 + skew))
        assert (await other.refresh(first.refresh_token)).refresh_token == second.refresh_token


@pytest.mark.attack("J-11")
async def test_who_is_removed_or_revoked_is_refused_and_who_is_suspended_is_not(
    front: Desk, store: FaultyStore
) -> None:
    first = await front.tokens()
    before = await snapshot(store)
    front.people.remove(ana())
    await refused(front.refresh(first.refresh_token), "person_gone")
    front.people.put(ana(revoked_before=NOW + 1))
    await refused(front.refresh(first.refresh_token), "revoked_before")
    front.people.people = None
    with pytest.raises(Unavailable):
        await front.refresh(first.refresh_token)
    assert await snapshot(store) == before
    front.people.people = {}
    for state in (State.SUSPENDED, State.NO_TOKEN):
        front.people.put(ana(state=state))
        first = await front.refresh(first.refresh_token)


@pytest.mark.usefixtures("impatient")
@pytest.mark.attack("J-12")
@pytest.mark.parametrize("method", ["get", "update"])
async def test_a_store_that_is_away_is_unavailable_and_the_same_token_works_later(
    front: Desk, store: FaultyStore, method: str
) -> None:
    code = await front.code()
    store.fail(method, "away", times=6)  # type: ignore[arg-type]
    with pytest.raises(Unavailable) as trouble:
        await front.redeem(code)
    assert trouble.value.retry_after == 7
    store.faults.clear()
    first = await front.redeem(code)
    store.fail(method, "away", times=6)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await front.refresh(first.refresh_token)
    store.faults.clear()
    await front.refresh(first.refresh_token)


@pytest.mark.attack("J-12")
async def test_a_slow_store_is_unavailable_and_the_same_token_works_later(
    front: Desk, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "BUDGET", 0.3)
    first = await front.tokens()
    store.fail("get", "slow", times=9)
    with pytest.raises(Unavailable) as trouble:
        await front.refresh(first.refresh_token)
    assert trouble.value.reason == "grants_slow"
    store.faults.clear()
    await front.refresh(first.refresh_token)


@pytest.mark.attack("R-11")
async def test_passing_trouble_is_overcome_with_few_tries(front: Desk, store: FaultyStore) -> None:
    first = await front.tokens()
    store.calls.clear()
    store.fail("get", "away", times=2)
    second = await front.refresh(first.refresh_token)
    assert store.calls.count("get") == 3
    store.fail("update", "conflict", times=5)
    await front.refresh(second.refresh_token)


@pytest.mark.attack("R-11")
async def test_endless_conflicts_are_our_trouble(front: Desk, store: FaultyStore) -> None:
    first = await front.tokens()
    store.calls.clear()
    store.fail("update", "conflict", times=100)
    with pytest.raises(Unavailable) as trouble:
        await front.refresh(first.refresh_token)
    assert trouble.value.reason == "grants_contended"
    assert store.calls.count("get") == 6
    store.faults.clear()
    await front.refresh(first.refresh_token)


# --- keys, epochs, tampering


@pytest.mark.attack("R-08")
async def test_a_raised_epoch_ends_everything_made_before_it(front: Desk) -> None:
    code, first = await front.code(), await front.tokens()
    front.keys.put(replace(front.keys.ring(), epoch=1))
    with pytest.raises(InvalidToken) as dead:
        await front.grants.authenticate(first.access_token)
    assert dead.value.reason == "old_epoch"
    await refused(front.refresh(first.refresh_token), "old_epoch")
    await refused(front.redeem(code), "old_epoch")
    second = await front.tokens()
    await front.grants.authenticate(second.access_token)


@pytest.mark.attack("R-08")
async def test_sign_ins_before_a_revocation_are_refused_and_later_ones_are_not(
    front: Desk,
) -> None:
    first = await front.tokens()
    front.people.put(ana(revoked_before=NOW + 10))
    await refused(front.refresh(first.refresh_token), "revoked_before")
    front.clock.forward(10)
    assert await front.refresh((await front.tokens()).refresh_token)


@pytest.mark.attack("R-07")
async def test_a_rotation_in_three_phases_over_mixed_replicas_loses_nobody(front: Desk) -> None:
    old = front.keys.ring()
    key = new_key()
    phases = [old, replace(old, keys=(*old.keys, key)), KeyRing((*old.keys, key), key.kid)]
    tokens = await front.tokens()
    for ahead, behind in [(1, 0), (1, 1), (2, 1), (2, 2)]:
        replicas = [front.replica(keys=HeldKeys(phases[n])) for n in (ahead, behind)]
        for replica, other in (replicas, replicas[::-1]):
            before = tokens.refresh_token
            tokens = await replica.refresh(before)
            assert (await other.refresh(before)).refresh_token == tokens.refresh_token
            await other.grants.authenticate(tokens.access_token)
            await replica.redeem(await other.code())
    # What was not used since the promotion holds the old key; all else lives without it.
    retired = front.replica(keys=HeldKeys(KeyRing((key,), key.kid)))
    await retired.refresh(tokens.refresh_token)


@pytest.mark.attack("R-07")
@pytest.mark.attack("R-15")
async def test_a_replica_behind_reads_the_ring_anew_before_it_judges(front: Desk) -> None:
    newer = new_key()
    behind = HeldKeys(front.keys.ring())
    front.keys.put(KeyRing((*front.keys.ring().keys, newer), newer.kid))
    tokens = await front.tokens()
    behind.stored = None
    replica = front.replica(keys=behind)
    for call in (
        replica.grants.authenticate(tokens.access_token),
        replica.refresh(tokens.refresh_token),
    ):
        with pytest.raises(Unavailable):
            await call
    behind.stored = front.keys.ring()
    await replica.grants.authenticate(tokens.access_token)
    await replica.refresh(tokens.refresh_token)


@pytest.mark.attack("R-07")
@pytest.mark.attack("R-15")
async def test_a_retired_key_is_refused_and_is_no_tampering(
    front: Desk, audited: list[tuple[str, str | None]]
) -> None:
    tokens = await front.tokens()
    key = new_key()
    front.keys.put(KeyRing((key,), key.kid))
    with pytest.raises(InvalidToken):
        await front.grants.authenticate(tokens.access_token)
    await refused(front.refresh(tokens.refresh_token), "malformed")
    assert "record_tampered" not in [event for event, _ in audited]


@pytest.mark.attack("R-15")
async def test_a_record_under_a_retired_key_is_refused_and_is_no_tampering(
    front: Desk, audited: list[tuple[str, str | None]]
) -> None:
    first = await front.tokens()
    old = front.keys.ring()
    key = new_key()
    front.keys.put(KeyRing((*old.keys, key), key.kid))
    second = await front.refresh(first.refresh_token)
    # The record is under the new key now; this replica can read the tokens but not the record.
    front.keys.put(old)
    with pytest.raises(InvalidToken) as refusal:
        await front.grants.authenticate(first.access_token)
    assert refusal.value.reason == "grant_foreign"
    await refused(front.refresh(first.refresh_token), "key_retired")
    assert "record_tampered" not in [event for event, _ in audited]
    front.keys.put(KeyRing((*old.keys, key), key.kid))
    await front.grants.authenticate(second.access_token)


@pytest.mark.attack("R-09")
async def test_an_edited_record_counts_as_revoked_and_is_audited(
    front: Desk, store: FaultyStore, audited: list[tuple[str, str | None]]
) -> None:
    tokens = await front.tokens()
    [record] = await records(store)
    longer = {**record.data, "absolute-end": b"9999999999.0"}
    await store.inner.update(replace(record, data=longer))
    replica = front.replica()
    await refused(replica.refresh(tokens.refresh_token), "record_tampered")
    with pytest.raises(InvalidToken) as refusal:
        await replica.grants.authenticate(tokens.access_token)
    assert refusal.value.reason == "grant_tampered"
    assert [event for event, _ in audited].count("record_tampered") == 2


# --- ending


@pytest.mark.attack("N-07")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_a_client_ends_its_grant_by_either_token(
    front: Desk, store: FaultyStore, kind: str
) -> None:
    tokens = await front.tokens()
    await front.grants.revoke(getattr(tokens, kind), client_id=CLIENT)
    with pytest.raises(InvalidToken):
        await front.grants.authenticate(tokens.access_token)
    await refused(front.refresh(tokens.refresh_token), "grant_gone")
    writes = store.writes()
    await front.grants.revoke(getattr(tokens, kind), client_id=CLIENT)
    assert store.writes() == writes


@pytest.mark.attack("N-07")
async def test_what_is_not_the_clients_own_is_not_revoked(front: Desk, store: FaultyStore) -> None:
    tokens = await front.tokens()
    before = await snapshot(store)
    await front.grants.revoke(tokens.refresh_token, client_id="pmcp_dc_other")
    for text in ("", "unknown", tokens.access_token[:-1], "pmcp_rt_" + tokens.access_token[8:]):
        await front.grants.revoke(text, client_id=CLIENT)
    assert await snapshot(store) == before


@pytest.mark.usefixtures("impatient")
async def test_a_revocation_that_cannot_be_stored_is_our_trouble(
    front: Desk, store: FaultyStore
) -> None:
    tokens = await front.tokens()
    store.fail("update", "away", times=9)
    with pytest.raises(Unavailable):
        await front.grants.revoke(tokens.refresh_token, client_id=CLIENT)


async def test_a_lost_answer_to_a_revocation_counts(front: Desk, store: FaultyStore) -> None:
    first, second = await front.tokens(), await front.tokens()
    store.fail("update", "lost")
    await front.grants.revoke(first.refresh_token, client_id=CLIENT)
    front.clock.forward(1201)  # from now on a grant is deleted at its end
    store.fail("delete", "lost")
    await front.grants.revoke(second.refresh_token, client_id=CLIENT)
    assert [decode(record, front.keys.ring()).state for record in await records(store)] == ["gone"]


# --- access tokens


async def test_an_access_token_ends_at_its_end_with_a_little_leeway(front: Desk) -> None:
    tokens = await front.tokens()
    front.clock.forward(3604)
    await front.grants.authenticate(tokens.access_token)
    front.clock.forward(1)
    with pytest.raises(InvalidToken) as over:
        await front.grants.authenticate(tokens.access_token)
    assert over.value.reason == "expired"


async def test_a_person_who_is_gone_is_refused_and_a_missing_mapping_is_our_trouble(
    front: Desk,
) -> None:
    tokens = await front.tokens()
    front.people.put(ana(state=State.SUSPENDED))
    assert await front.refresh(tokens.refresh_token)
    front.people.remove(ana())
    await refused(front.refresh(tokens.refresh_token), "person_gone")
    front.people.people = None
    with pytest.raises(Unavailable):
        await front.refresh(tokens.refresh_token)
