"""Access tokens, and how a client revokes its grant."""

from __future__ import annotations

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import CLIENT, NOW, Replica, all_records, ana, invalid_grant, invalid_token
from productive_contract.mapping import State
from productive_gateway.grants.errors import TokenFault


@pytest.mark.attack("N-07")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_client_revokes_its_grant_by_either_token(
    replica: Replica, store: FaultyStore, kind: str
) -> None:
    tokens = await replica.tokens()
    await replica.grants.authenticate(tokens.access_token)
    await replica.grants.revoke(getattr(tokens, kind), client_id=CLIENT)
    assert await replica.refuses(tokens.access_token)
    await invalid_grant(replica.refresh(tokens.refresh_token), "grant_gone")
    writes = store.writes()
    await replica.grants.revoke(getattr(tokens, kind), client_id=CLIENT)
    assert store.writes() == writes


@pytest.mark.attack("N-07")
async def test_client_cannot_revoke_what_is_not_its_own(
    replica: Replica, store: FaultyStore
) -> None:
    tokens = await replica.tokens()
    before = await all_records(store)
    await replica.grants.revoke(tokens.refresh_token, client_id="pmcp_dc_other")
    for text in ("", "unknown", tokens.access_token[:-1], "pmcp_rt_" + tokens.access_token[8:]):
        await replica.grants.revoke(text, client_id=CLIENT)
    assert await all_records(store) == before


@pytest.mark.attack("L-02")
async def test_access_token_expires_after_a_short_leeway(replica: Replica) -> None:
    tokens = await replica.tokens()
    replica.clock.forward(3604)
    await replica.grants.authenticate(tokens.access_token)
    replica.clock.forward(1)
    await invalid_token(replica, tokens.access_token, TokenFault.EXPIRED)


async def test_authentication_judges_token_and_grant_and_not_the_person(replica: Replica) -> None:
    tokens = await replica.tokens()
    for person in (ana(state=State.SUSPENDED), ana(revoked_before=NOW + 1)):
        replica.people.put(person)
        await replica.grants.authenticate(tokens.access_token)
    replica.people.people = None
    live = await replica.grants.authenticate(tokens.access_token)
    assert (live.user_uid, live.auth_time) == (ana().uid, NOW)
