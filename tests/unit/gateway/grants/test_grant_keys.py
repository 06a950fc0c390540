"""Grants when keys rotate, epochs rise, and records are edited."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import (
    NOW,
    HeldKeys,
    Replica,
    ana,
    invalid_grant,
    invalid_token,
    new_key,
    records,
)
from harness.oauthkit import AuditLog
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import TokenFault
from productive_gateway.sealing.keys import KeyRing


@pytest.mark.attack("R-08")
async def test_raised_epoch_ends_everything_made_before_it(replica: Replica) -> None:
    code, first = await replica.code(), await replica.tokens()
    # What was found about a token that was good must not be remembered.
    await replica.grants.authenticate(first.access_token)
    replica.keys.put(replace(replica.keys.ring(), epoch=1))
    await invalid_token(replica, first.access_token, TokenFault.OLD_EPOCH)
    await invalid_grant(replica.refresh(first.refresh_token), "old_epoch")
    await invalid_grant(replica.redeem(code), "old_epoch")
    second = await replica.tokens()
    await replica.grants.authenticate(second.access_token)


@pytest.mark.attack("R-08")
async def test_sign_ins_before_a_revocation_get_no_tokens_and_later_ones_do(
    replica: Replica,
) -> None:
    first = await replica.tokens()
    replica.people.put(ana(revoked_before=NOW + 10))
    await invalid_grant(replica.refresh(first.refresh_token), "revoked_before")
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
    await invalid_grant(replica.refresh(tokens.refresh_token), "malformed")
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
    await invalid_token(replica, first.access_token, TokenFault.GRANT_FOREIGN)
    await invalid_grant(replica.refresh(first.refresh_token), "key_retired")
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
    await invalid_grant(other.refresh(tokens.refresh_token), "record_tampered")
    await invalid_token(other, tokens.access_token, TokenFault.GRANT_TAMPERED)
    assert audited.events().count("record_tampered") == 2
