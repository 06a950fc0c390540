"""Sign-ins: what they store, how subjects are bound, and what a full store refuses."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import CLIENT, NOW, SCOPES, Replica, ana, records
from productive_gateway.grants.errors import AlreadyCompleted, StoreFull, SubjectMismatch
from productive_gateway.grants.record import RecordKind
from productive_gateway.grants.store_memory import MemoryGrantStore


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
    # A ProductiveUser that was deleted and created again is another person: nothing is bound yet.
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
