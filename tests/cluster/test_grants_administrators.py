"""Grants over a real API server: what administrators see and do."""

from __future__ import annotations

import asyncio

import pytest

from harness.faults import Answer, Hold
from harness.grantkit import CLIENT, ana, eventually
from harness.grantpair import Pair, get_of_a_grant
from harness.kube import secret_data
from harness.oauthkit import audit_log
from productive_contract.names import LABEL_STATE, LABEL_USER
from productive_gateway.errors import InvalidToken, Unavailable
from productive_gateway.grants.errors import InvalidGrant, SubjectMismatch


async def test_grant_shows_in_kubectl_whose_it_is_and_no_secret(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    [name] = pair.stored()
    found = pair.cluster.kube.get(pair.path(name))
    assert found["metadata"]["labels"][LABEL_USER] == "ana"
    assert found["metadata"]["labels"][LABEL_STATE] == "active"
    data = secret_data(found)
    assert data["client-name"] == b"Assistant"
    assert data["client-host"] == b"assistant.example"
    stored = b"\n".join(data.values())
    for text in (tokens.access_token, tokens.refresh_token):
        assert text.rpartition(".")[2].encode() not in stored


async def test_grant_deleted_by_an_administrator_is_refused_within_seconds(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await replica.grants.authenticate(tokens.access_token)
        [name] = pair.stored()
        pair.cluster.kube.delete(pair.path(name))
        await eventually(
            lambda: replica.refuses(tokens.access_token), seconds=5, what="the token is refused"
        )


@pytest.mark.attack("R-09")
@pytest.mark.parametrize(
    "change",
    [
        {"data": {"absolute-end": "OTk5OTk5OTk5OS4w"}},
        {"data": {"user-uid": "c29tZWJvZHkgZWxzZQ=="}},
        {"data": {"mac": None}},
        {"data": None},
        {"metadata": {"labels": {"productive-mcp.dev/user-uid": "somebody-else"}}},
    ],
    ids=["longer", "of another person", "no MAC", "empty", "label"],
)
async def test_edited_grant_counts_as_revoked(pair: Pair, change: dict[str, object]) -> None:
    tokens = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await replica.grants.authenticate(tokens.access_token)
        [name] = pair.stored()
        pair.cluster.kube.merge(pair.path(name), change)
        await eventually(
            lambda: replica.refuses(tokens.access_token), seconds=5, what="the token is refused"
        )
        with pytest.raises(InvalidGrant) as refusal:
            await replica.refresh(tokens.refresh_token)
        assert refusal.value.reason == "record_tampered"


@pytest.mark.attack("J-14")
async def test_deleted_grant_restored_from_a_backup_stays_refused(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    [name] = pair.stored()
    backup = pair.cluster.kube.get(pair.path(name))
    pair.cluster.kube.delete(pair.path(name))
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        backup["metadata"].pop(field, None)
    pair.cluster.kube.create(pair.path(), backup)
    assert await pair.two.replica.refuses(tokens.access_token)
    with pytest.raises(InvalidGrant):
        await pair.two.replica.refresh(tokens.refresh_token)


@pytest.mark.attack("J-14")
async def test_newer_token_is_refused_without_loops_after_a_rollback_in_place(
    pair: Pair,
) -> None:
    first = await pair.one.replica.tokens()
    [name] = pair.stored()
    backup = pair.cluster.kube.get(pair.path(name))
    second = await pair.one.replica.refresh(first.refresh_token)
    del backup["metadata"]["resourceVersion"]
    pair.cluster.kube.replace(pair.path(name), backup)
    for _ in range(3):
        with pytest.raises(InvalidGrant):
            await pair.two.replica.refresh(second.refresh_token)


async def test_grant_that_a_finalizer_keeps_from_deletion_is_gone(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    [name] = pair.stored()
    held = {"metadata": {"finalizers": ["example.com/backup"]}}
    pair.cluster.kube.merge(pair.path(name), held)
    async with pair.two.replica.watching() as replica:
        await replica.grants.authenticate(tokens.access_token)
        pair.cluster.kube.delete(pair.path(name))
        assert pair.stored() == [name]
        await eventually(
            lambda: replica.refuses(tokens.access_token), seconds=5, what="the token is refused"
        )
    # Neither a replica that only lists nor one that only reads takes it for a living grant.
    async with pair.one.replica.another().watching() as late:
        assert await late.refuses(tokens.access_token)
    assert await pair.one.replica.another().refuses(tokens.access_token)
    with pytest.raises(InvalidGrant) as refusal:
        await pair.two.replica.refresh(tokens.refresh_token)
    assert refusal.value.reason == "grant_gone"


async def test_write_keeps_what_others_attached_to_a_grant(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    [name] = pair.stored()
    other = pair.cluster.kube.create(pair.path(), {"kind": "Secret", "metadata": {"name": "other"}})
    owner = {
        "apiVersion": "v1",
        "kind": "Secret",
        "name": "other",
        "uid": other["metadata"]["uid"],
    }
    attached = {
        "annotations": {"example.com/note": "kept"},
        "finalizers": ["example.com/backup"],
        "ownerReferences": [owner],
    }
    pair.cluster.kube.merge(
        pair.path(name), {"metadata": attached | {"labels": {"example.com/team": "a"}}}
    )
    tokens = await pair.two.replica.refresh(tokens.refresh_token)
    found = pair.cluster.kube.get(pair.path(name))["metadata"]
    assert {field: found.get(field) for field in attached} == attached
    assert found["labels"]["example.com/team"] == "a"
    await pair.one.replica.grants.revoke(tokens.access_token, client_id=CLIENT)
    found = pair.cluster.kube.get(pair.path(name))["metadata"]
    assert {field: found.get(field) for field in attached} == attached
    assert found["labels"]["example.com/team"] == "a"
    assert found["labels"][LABEL_STATE] == "gone"
    assert await pair.two.replica.another().refuses(tokens.access_token)


async def test_subject_binding_holds_until_an_administrator_deletes_it(pair: Pair) -> None:
    await pair.one.replica.code()
    with pytest.raises(SubjectMismatch):
        await pair.two.replica.code(subject="another account")
    pair.cluster.kube.delete(pair.path(f"subject-{ana().uid}"))
    await pair.two.replica.code(subject="another account")


async def test_missing_right_is_unavailable(pair: Pair) -> None:
    await pair.one.replica.code()
    pair.one.proxy.rule(get_of_a_grant, Answer(403, "Forbidden"), times=None)
    tokens = await pair.two.replica.tokens()
    with pytest.raises(Unavailable) as unavailable:
        await pair.one.replica.refresh(tokens.refresh_token)
    assert unavailable.value.reason == "grants_forbidden"


async def test_secret_of_another_type_under_the_name_of_a_grant_is_not_a_grant(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    [name] = pair.stored()
    found = pair.cluster.kube.get(pair.path(name))
    pair.cluster.kube.delete(pair.path(name))
    pair.cluster.kube.create(
        pair.path(), {"kind": "Secret", "metadata": {"name": name}, "data": found["data"]}
    )
    assert await pair.two.replica.refuses(tokens.access_token)


async def test_grant_that_somebody_made_immutable_ends_at_its_refresh(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    [name] = pair.stored()
    pair.cluster.kube.merge(pair.path(name), {"immutable": True})
    await pair.one.replica.grants.authenticate(tokens.access_token)
    with audit_log() as audited, pytest.raises(InvalidGrant) as caught:
        await pair.one.replica.grants.refresh(tokens.refresh_token, client_id=CLIENT, scopes=None)
    assert caught.value.reason == "immutable"
    assert pair.stored() == []
    assert audited.reasons("grant_ended") == ["immutable"]
    assert "grant.immutable" in audited.events()
    with pytest.raises(InvalidToken):
        await pair.one.replica.grants.authenticate(tokens.access_token)


async def test_grant_that_somebody_made_immutable_can_be_revoked(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    [name] = pair.stored()
    pair.cluster.kube.merge(pair.path(name), {"immutable": True})
    await pair.one.replica.grants.revoke(tokens.refresh_token, client_id=CLIENT)
    assert pair.stored() == []


async def test_immutable_secret_is_not_deleted_when_it_was_replaced_meanwhile(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    [name] = pair.stored()
    kube = pair.cluster.kube
    kube.merge(pair.path(name), {"immutable": True})
    held = Hold()
    pair.one.proxy.rule(lambda seen: seen.method == "DELETE", held)
    refreshing = asyncio.create_task(
        pair.one.replica.grants.refresh(tokens.refresh_token, client_id=CLIENT, scopes=None)
    )
    await pair.one.proxy.wait(lambda seen: seen.method == "DELETE")
    other = kube.get(pair.path(name)) | {"immutable": False}
    kube.delete(pair.path(name))
    metadata = {"name": name, "labels": other["metadata"]["labels"]}
    kube.create(pair.path(), other | {"metadata": metadata})
    held.release()
    with pytest.raises((InvalidGrant, Unavailable)):
        await refreshing
    assert pair.stored() == [name]
