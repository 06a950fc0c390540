"""Grants over a real API server, with faults between it and two replicas."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from harness.cluster import Cluster
from harness.faults import Answer, CutAfter, CutBefore, Delay, HalfOpen, Hold, Seen
from harness.grantkit import (
    CLIENT,
    HeldClock,
    HeldKeys,
    HeldPeople,
    Replica,
    ana,
    eventually,
    records,
)
from harness.kube import secret_data, secrets_path
from harness.oauthkit import audit_log
from harness.proxy import RecordingProxy
from harness.quota import limit_secrets
from productive_contract.clock import system_clock
from productive_contract.names import LABEL_STATE, LABEL_USER
from productive_gateway.errors import InvalidToken, Unavailable
from productive_gateway.grants.errors import InvalidGrant, StoreFull, SubjectMismatch
from productive_gateway.grants.record import RecordKind, decode
from productive_gateway.grants.service import Tokens
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_kube.client import KubeClient


@dataclass
class ProxiedReplica:
    """One replica of the gateway's grants, behind a proxy of its own."""

    replica: Replica
    proxy: RecordingProxy


@dataclass
class Pair:
    """Two replicas over one namespace, and the cluster itself."""

    one: ProxiedReplica
    two: ProxiedReplica
    cluster: Cluster

    def path(self, name: str = "") -> str:
        return secrets_path(self.cluster.names.grants, name)

    def stored(self) -> list[str]:
        """Return the names of the stored grants."""
        found = self.cluster.kube.items(self.path(), fieldSelector=f"type={RecordKind.GRANT.value}")
        return [item["metadata"]["name"] for item in found]

    async def generation(self) -> int:
        [record] = await records(self.one.replica.store)
        return decode(record, self.one.replica.keys.ring()).generation


@pytest.fixture
async def pair(cluster: Cluster) -> AsyncIterator[Pair]:
    keys, people = HeldKeys(), HeldPeople(ana())
    async with AsyncExitStack() as stack:

        async def replica() -> ProxiedReplica:
            proxy = cluster.proxy()
            kubeconfig = cluster.kubeconfig("gateway", proxy=proxy)
            api = await stack.enter_async_context(
                await KubeClient.connect(kubeconfig, user_agent="productive-gateway")
            )
            store = KubernetesGrantStore(api, cluster.names.grants)
            return ProxiedReplica(
                Replica.over(store, people=people, keys=keys, clock=SystemClock()), proxy
            )

        yield Pair(await replica(), await replica(), cluster)


class SystemClock(HeldClock):
    """The system's clock, which can be moved forward."""

    def __init__(self) -> None:
        super().__init__(0)

    def __call__(self) -> float:
        return system_clock() + self.now


def put(seen: Seen) -> bool:
    return seen.method == "PUT"


def post_of_a_grant(seen: Seen) -> bool:
    return seen.method == "POST" and b'"g-' in seen.body


def get_of_a_grant(seen: Seen) -> bool:
    return seen.method == "GET" and (seen.name or "").startswith("g-")


def held(seen: Seen) -> bool:
    """Whether a grant was read and its reader does not have the answer yet."""
    return get_of_a_grant(seen) and seen.upstream_status == 200 and seen.status is None


def watch(seen: Seen) -> bool:
    return seen.watch


# --- one change, many replicas


@pytest.mark.attack("F-07")
async def test_code_of_one_replica_is_redeemed_at_another_at_once(pair: Pair) -> None:
    tokens = await pair.two.replica.redeem(await pair.one.replica.code())
    await pair.one.replica.grants.authenticate(tokens.access_token)


async def race(pair: Pair, calls: list[Callable[[Replica], Awaitable[Tokens]]]) -> list[object]:
    """Make the calls in turns at both replicas; all have read the grant before the first writes."""
    read, half = Hold("after"), len(calls) // 2
    for one in (pair.one, pair.two):
        one.proxy.rule(get_of_a_grant, read, times=half)
    replicas = (pair.one.replica, pair.two.replica)
    tasks = [asyncio.ensure_future(call(replicas[n % 2])) for n, call in enumerate(calls)]
    for one in (pair.one, pair.two):
        await one.proxy.wait(held, count=half)
    read.release()
    return await asyncio.gather(*tasks, return_exceptions=True)


def stored_updates(pair: Pair) -> int:
    """Return how many updates of grants the API server accepted."""
    proxies = (pair.one.proxy, pair.two.proxy)
    return sum(seen.upstream_status == 200 for proxy in proxies for seen in proxy.seen(put))


@pytest.mark.attack("F-02")
async def test_one_of_twenty_parallel_redemptions_gets_tokens_and_the_grant_ends(
    pair: Pair,
) -> None:
    code = await pair.one.replica.code()
    answers = await race(pair, [lambda replica: replica.redeem(code)] * 20)
    assert sum(isinstance(answer, Tokens) for answer in answers) == 1
    assert sum(isinstance(answer, InvalidGrant) for answer in answers) == 19
    [record] = await records(pair.one.replica.store)
    assert record.labels[LABEL_STATE] == "gone"
    assert stored_updates(pair) == 2


@pytest.mark.attack("J-03")
async def test_thirty_parallel_refreshes_through_conflicts_get_one_successor(
    pair: Pair,
) -> None:
    first = await pair.one.replica.tokens()
    before = stored_updates(pair)
    for one in (pair.one, pair.two):
        one.proxy.rule(put, Answer(409, "Conflict"), times=5)
    answers = await race(pair, [lambda replica: replica.refresh(first.refresh_token)] * 30)
    successors = {answer.refresh_token for answer in answers if isinstance(answer, Tokens)}
    assert all(isinstance(answer, Tokens) for answer in answers)
    [successor] = successors
    assert await pair.generation() == 2
    # All of them compute the same successor: only the writes show that one of them won.
    assert stored_updates(pair) == before + 1
    await pair.two.replica.refresh(successor)


@pytest.mark.attack("J-03")
async def test_refresh_that_writes_after_two_others_does_not_bring_an_old_generation_back(
    pair: Pair,
) -> None:
    first = await pair.one.replica.tokens()
    write = pair.one.proxy.rule(put, Hold("before"))
    late = asyncio.create_task(pair.one.replica.refresh(first.refresh_token))
    await pair.one.proxy.wait(lambda _: bool(write.hits))
    second = await pair.two.replica.refresh(first.refresh_token)
    third = await pair.two.replica.refresh(second.refresh_token)
    write.remove()
    with pytest.raises(InvalidGrant) as refusal:
        await late
    assert refusal.value.reason == "overtaken"
    assert await pair.generation() == 3
    await pair.one.replica.refresh(third.refresh_token)


async def test_sign_in_and_refresh_make_as_few_writes_as_promised(pair: Pair) -> None:
    def writes() -> int:
        return len(pair.one.proxy.seen(lambda seen: seen.method != "GET"))

    first = await pair.one.replica.tokens()
    assert writes() == 3
    await pair.one.replica.refresh(first.refresh_token)
    assert writes() == 4
    await pair.one.replica.tokens()
    assert writes() == 6


# --- answers that are lost


@pytest.mark.attack("R-13")
async def test_creation_whose_answer_is_cut_off_still_gives_the_code(pair: Pair) -> None:
    rule = pair.one.proxy.rule(post_of_a_grant, CutAfter())
    tokens = await pair.two.replica.redeem(await pair.one.replica.code())
    assert [seen.upstream_status for seen in rule.hits] == [201]
    assert len(pair.stored()) == 1
    await pair.one.replica.grants.authenticate(tokens.access_token)


@pytest.mark.attack("R-13")
async def test_redemption_whose_answer_is_cut_off_still_gives_the_tokens(pair: Pair) -> None:
    code = await pair.one.replica.code()
    rule = pair.one.proxy.rule(put, CutAfter())
    # The first look after it fails as well.
    pair.one.proxy.rule(lambda seen: bool(rule.hits) and get_of_a_grant(seen), CutBefore())
    tokens = await pair.one.replica.redeem(code)
    assert [seen.upstream_status for seen in rule.hits] == [200]
    await pair.two.replica.grants.authenticate(tokens.access_token)
    await pair.two.replica.refresh(tokens.refresh_token)


@pytest.mark.attack("R-13")
async def test_refresh_whose_answer_is_cut_off_gives_the_one_successor(pair: Pair) -> None:
    first = await pair.one.replica.tokens()
    rule = pair.one.proxy.rule(put, CutAfter())
    second = await pair.one.replica.refresh(first.refresh_token)
    assert [seen.upstream_status for seen in rule.hits] == [200]
    again = await pair.two.replica.refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert await pair.generation() == 2


# --- a failing API server


@pytest.mark.attack("J-12")
@pytest.mark.parametrize(
    "fault",
    [CutBefore(), Delay(5), Answer(429, "TooManyRequests", retry_after=3), Answer(500)],
    ids=["down", "slow", "429", "500"],
)
async def test_failing_api_server_is_unavailable_and_the_same_token_works_later(
    pair: Pair, fault: CutBefore | Delay | Answer
) -> None:
    first = await pair.one.replica.tokens()
    code = await pair.one.replica.code()
    with pair.one.proxy.outage(fault):
        with pytest.raises(Unavailable) as unavailable:
            await pair.one.replica.refresh(first.refresh_token)
        assert unavailable.value.retry_after == (
            3 if isinstance(fault, Answer) and fault.retry_after else 5
        )
        with pytest.raises(Unavailable):
            await pair.one.replica.redeem(code)
    await pair.one.replica.refresh(first.refresh_token)
    await pair.one.replica.redeem(code)


@pytest.mark.attack("R-11")
async def test_random_failures_at_every_call_lose_no_rotation_and_revoke_nobody(
    pair: Pair,
) -> None:
    chance = random.Random(20261123)
    for replica in (pair.one, pair.two):
        for fault in (
            Answer(500),
            Answer(429, "TooManyRequests", retry_after=1),
            CutBefore(),
            CutAfter(),
        ):
            replica.proxy.rule(lambda _: chance.random() < 0.03, fault, times=None)
    replicas = [pair.one.replica, pair.two.replica]
    tokens: Tokens | None = None
    while tokens is None:
        # A redemption whose trouble lasts ends in a new sign-in; a refresh never does.
        try:
            tokens = await pair.one.replica.tokens()
        except (Unavailable, InvalidGrant):
            continue
    unavailable = 0
    for n in range(60):
        while True:
            try:
                tokens = await replicas[n % 2].refresh(tokens.refresh_token)
                break
            except Unavailable:
                unavailable += 1
    assert unavailable < 10


@pytest.mark.attack("R-10")
async def test_full_namespace_refuses_sign_ins_while_refreshes_go_on(pair: Pair) -> None:
    first = await pair.one.replica.tokens()
    limit_secrets(pair.cluster, 2)
    with pytest.raises(StoreFull):
        await pair.one.replica.code()
    await pair.one.replica.refresh(first.refresh_token)


# --- what administrators do


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


# --- the watch


async def test_warm_path_sends_nothing_to_the_api_server(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await pair.two.proxy.wait(watch)
        await replica.grants.authenticate(tokens.access_token)
        before = len(pair.two.proxy.seen(lambda seen: not seen.watch))
        for _ in range(200):
            await replica.grants.authenticate(tokens.access_token)
        assert len(pair.two.proxy.seen(lambda seen: not seen.watch)) == before


@pytest.mark.attack("R-02")
async def test_revocation_arrives_within_seconds_although_the_watch_is_cut(
    pair: Pair,
) -> None:
    tokens = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await pair.two.proxy.wait(watch)
        pair.two.proxy.cut()
        await pair.one.replica.grants.revoke(tokens.access_token, client_id=CLIENT)
        await eventually(
            lambda: replica.refuses(tokens.access_token), seconds=5, what="the token is refused"
        )


@pytest.mark.attack("R-02")
async def test_half_open_watch_delays_a_revocation_by_fifteen_seconds_at_most(
    pair: Pair,
) -> None:
    tokens = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await pair.two.proxy.wait(watch)
        rule = pair.two.proxy.rule(watch, HalfOpen(), times=None)
        await pair.one.replica.grants.revoke(tokens.access_token, client_id=CLIENT)
        await eventually(
            lambda: replica.refuses(tokens.access_token), seconds=15, what="the token is refused"
        )
        rule.remove()


@pytest.mark.attack("R-02")
async def test_watch_that_is_too_old_lists_again_and_refuses_nobody(pair: Pair) -> None:
    tokens = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await pair.two.proxy.wait(watch)
        rule = pair.two.proxy.rule(watch, Answer(410, "Expired"))
        pair.two.proxy.cut()
        await eventually(lambda: bool(rule.hits), what="the watch was refused")
        for _ in range(50):
            await replica.grants.authenticate(tokens.access_token)
            await asyncio.sleep(0.01)
        later = await pair.one.replica.tokens()
        await replica.grants.authenticate(later.access_token)


@pytest.mark.attack("R-02")
async def test_known_grants_serve_and_nobody_is_refused_while_the_api_server_is_away(
    pair: Pair,
) -> None:
    known = await pair.one.replica.tokens()
    async with pair.two.replica.watching() as replica:
        await replica.grants.authenticate(known.access_token)
        with pair.two.proxy.outage():
            unknown = await pair.one.replica.tokens()
            replica.clock.forward(290)
            await replica.grants.authenticate(known.access_token)
            with pytest.raises(Unavailable):
                await replica.grants.authenticate(unknown.access_token)
            replica.clock.forward(15)
            with pytest.raises(Unavailable):
                await replica.grants.authenticate(known.access_token)
        await eventually(lambda: replica.index.healthy, what="healthy again")
        await replica.grants.authenticate(known.access_token)
        await replica.grants.authenticate(unknown.access_token)


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
