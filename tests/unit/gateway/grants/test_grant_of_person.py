"""The grants of one person: listed and ended by that person themself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.grantfaults import FaultyStore
from harness.grantkit import NOW, RING, Replica, active, ana, pending, records
from harness.oauthkit import audit_log
from productive_gateway.grants.errors import SubjectMismatch
from productive_gateway.grants.grant import Cause, Grant, GrantState, Refusal
from productive_gateway.grants.steps import Disconnection, End, Refuse
from productive_gateway.grants.transitions import decide

BEN = ana(uid="5f0c6f0e-0000-4000-8000-000000000002", email="ben@example.com")
ISSUER, SUBJECT = "https://idp.example", "subject-of-ana"


def decided(replica: Replica, grant: Grant, uid: str) -> object:
    return decide(grant, Disconnection(uid), RING, None, replica.config, now=NOW + 1)


@pytest.mark.attack("S-04")
@pytest.mark.parametrize("grant", [pending(), active()])
def test_person_ends_a_grant_in_every_state(replica: Replica, grant: Grant) -> None:
    step = decided(replica, grant, ana().uid)
    assert isinstance(step, End)
    assert step.cause is Cause.DISCONNECTED
    assert (step.grant.state, step.grant.ended_cause) == (GrantState.GONE, "revoked_by_person")
    assert decided(replica, step.grant, ana().uid) == Refuse(Refusal.GONE)


@pytest.mark.attack("S-02")
@pytest.mark.parametrize("grant", [pending(), active(), replace(active(), state=GrantState.GONE)])
def test_nobody_else_ends_it(replica: Replica, grant: Grant) -> None:
    assert decided(replica, grant, BEN.uid) == Refuse(Refusal.WRONG_PERSON)
    assert decided(replica, grant, "") == Refuse(Refusal.WRONG_PERSON)


@pytest.mark.attack("S-02")
async def test_grant_of_somebody_else_stays(replica: Replica, store: FaultyStore) -> None:
    tokens = await replica.tokens()
    [record] = await records(store)
    writes = store.writes()
    with audit_log() as log:
        assert not await replica.grants.end(record.name, BEN)
        assert not await replica.grants.end("g-" + "a" * 26, ana())
    assert log.events() == []
    assert store.writes() == writes
    assert not await replica.refuses(tokens.access_token)


@pytest.mark.attack("S-04", "R-13")
@pytest.mark.parametrize("fault", [None, "changed", "lost", "away"])
async def test_grant_ends_once_whatever_the_store_does(
    replica: Replica, store: FaultyStore, fault: str | None
) -> None:
    tokens = await replica.tokens()
    other = replica.another()
    [record] = await records(store)
    if fault is not None:
        store.fail("update", fault)  # type: ignore[arg-type]
    with audit_log() as log:
        assert await replica.grants.end(record.name, ana())
        assert not await other.grants.end(record.name, ana())
    assert log.reasons("grant_ended") == ["revoked_by_person"]
    assert await replica.refuses(tokens.access_token)
    assert await other.refuses(tokens.access_token)
    assert await replica.grants.of_person(ana()) == []


async def test_list_is_read_again_while_the_store_fails(
    replica: Replica, store: FaultyStore
) -> None:
    await replica.tokens()
    store.fail("list", "away")
    assert len(await replica.grants.of_person(ana())) == 1


@pytest.mark.attack("M-06")
async def test_account_is_recognised_without_being_bound(
    replica: Replica, store: FaultyStore
) -> None:
    recognised = await replica.grants.recognise(ana(), issuer=ISSUER, subject=SUBJECT)
    assert store.writes() == 0
    await replica.tokens()
    await replica.grants.check_subject(ana(), recognised)
    for issuer, subject in ((ISSUER, "another"), ("https://other.example", SUBJECT)):
        with pytest.raises(SubjectMismatch):
            await replica.grants.recognise(ana(), issuer=issuer, subject=subject)
