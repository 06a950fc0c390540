"""Grants over a real API server, with faults between it and two replicas."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from harness.cluster import Cluster
from harness.faults import Answer, CutAfter, CutBefore, Delay, HalfOpen, Seen
from harness.grantkit import (
    CLIENT,
    Desk,
    HeldKeys,
    HeldPeople,
    ana,
    desk,
    eventually,
    records,
    refused,
    running,
)
from harness.kube import secret_data, secrets_path
from harness.proxy import RecordingProxy
from harness.quota import limit_secrets
from productive_contract.clock import system_clock
from productive_contract.names import LABEL_STATE, LABEL_USER
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import InvalidGrant, StoreFull, SubjectMismatch
from productive_gateway.grants.record import decode
from productive_gateway.grants.service import Tokens
from productive_gateway.grants.store import Kind
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_kube.client import KubeClient


@dataclass
class Replica:
    """One replica of the gateway's grants, behind a proxy of its own."""

    front: Desk
    proxy: RecordingProxy


@dataclass
class Site:
    """Two replicas over one namespace, and the namespace itself."""

    one: Replica
    two: Replica
    cluster: Cluster

    def path(self, name: str = "") -> str:
        return secrets_path(self.cluster.names.grants, name)

    def stored(self) -> list[str]:
        """Return the names of the grants that are there."""
        found = self.cluster.kube.items(self.path(), fieldSelector=f"type={Kind.GRANT.value}")
        return [item["metadata"]["name"] for item in found]

    async def generation(self) -> int:
        [record] = await records(self.one.front.store)
        return decode(record, self.one.front.keys.ring()).generation


@pytest.fixture
async def site(cluster: Cluster) -> AsyncIterator[Site]:
    keys, people = HeldKeys(), HeldPeople(ana())
    async with AsyncExitStack() as stack:

        async def replica() -> Replica:
            proxy = cluster.proxy()
            kubeconfig = cluster.kubeconfig("gateway", proxy=proxy)
            api = await stack.enter_async_context(await KubeClient.connect(kubeconfig))
            store = KubernetesGrantStore(api, cluster.names.grants)
            return Replica(desk(store, people=people, keys=keys, clock=Now()), proxy)

        yield Site(await replica(), await replica(), cluster)


class Now:
    """The system's clock, moved."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return system_clock() + self.ahead

    def forward(self, seconds: float) -> None:
        self.ahead += seconds


def put(seen: Seen) -> bool:
    return seen.method == "PUT"


def post_of_a_grant(seen: Seen) -> bool:
    return seen.method == "POST" and b'"g-' in seen.body


def get_of_a_grant(seen: Seen) -> bool:
    return seen.method == "GET" and (seen.name or "").startswith("g-")


def watch(seen: Seen) -> bool:
    return seen.watch


# --- one change, many replicas


@pytest.mark.attack("F-07")
async def test_a_code_of_one_replica_is_redeemed_at_another_at_once(site: Site) -> None:
    tokens = await site.two.front.redeem(await site.one.front.code())
    await site.one.front.grants.authenticate(tokens.access_token)


@pytest.mark.attack("F-02")
async def test_of_twenty_parallel_redemptions_one_gets_tokens_and_the_grant_ends(
    site: Site,
) -> None:
    code = await site.one.front.code()
    fronts = [site.one.front, site.two.front]
    answers = await asyncio.gather(
        *(fronts[n % 2].redeem(code) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(answer, Tokens) for answer in answers) == 1
    assert sum(isinstance(answer, InvalidGrant) for answer in answers) == 19
    [record] = await records(site.one.front.store)
    assert record.labels[LABEL_STATE] == "gone"


@pytest.mark.attack("J-03")
async def test_thirty_parallel_refreshes_through_conflicts_meet_on_one_successor(
    site: Site,
) -> None:
    first = await site.one.front.tokens()
    for replica in (site.one, site.two):
        replica.proxy.rule(put, Answer(409, "Conflict"), times=5)
    fronts = [site.one.front, site.two.front]
    answers = await asyncio.gather(*(fronts[n % 2].refresh(first.refresh_token) for n in range(30)))
    assert len({tokens.refresh_token for tokens in answers}) == 1
    assert await site.generation() == 2
    await site.two.front.refresh(answers[0].refresh_token)


async def test_a_sign_in_and_a_refresh_cost_as_few_writes_as_promised(site: Site) -> None:
    def writes() -> int:
        return len(site.one.proxy.seen(lambda seen: seen.method != "GET"))

    first = await site.one.front.tokens()
    assert writes() == 3
    await site.one.front.refresh(first.refresh_token)
    assert writes() == 4
    await site.one.front.tokens()
    assert writes() == 6


# --- answers that are lost


@pytest.mark.attack("R-13")
async def test_a_creation_whose_answer_is_cut_off_still_gives_the_code(site: Site) -> None:
    rule = site.one.proxy.rule(post_of_a_grant, CutAfter())
    tokens = await site.two.front.redeem(await site.one.front.code())
    assert [seen.upstream_status for seen in rule.hits] == [201]
    assert len(site.stored()) == 1
    await site.one.front.grants.authenticate(tokens.access_token)


@pytest.mark.attack("R-13")
async def test_a_redemption_whose_answer_is_cut_off_still_gives_the_tokens(site: Site) -> None:
    code = await site.one.front.code()
    rule = site.one.proxy.rule(put, CutAfter())
    # The first look after it fails as well.
    site.one.proxy.rule(lambda seen: bool(rule.hits) and get_of_a_grant(seen), CutBefore())
    tokens = await site.one.front.redeem(code)
    assert [seen.upstream_status for seen in rule.hits] == [200]
    await site.two.front.grants.authenticate(tokens.access_token)
    await site.two.front.refresh(tokens.refresh_token)


@pytest.mark.attack("R-13")
async def test_a_refresh_whose_answer_is_cut_off_gives_the_one_successor(site: Site) -> None:
    first = await site.one.front.tokens()
    rule = site.one.proxy.rule(put, CutAfter())
    second = await site.one.front.refresh(first.refresh_token)
    assert [seen.upstream_status for seen in rule.hits] == [200]
    again = await site.two.front.refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert await site.generation() == 2


# --- an API server in trouble


@pytest.mark.attack("J-12")
@pytest.mark.parametrize(
    "fault",
    [CutBefore(), Delay(5), Answer(429, "TooManyRequests", retry_after=3), Answer(500)],
    ids=["down", "slow", "429", "500"],
)
async def test_an_api_server_in_trouble_is_unavailable_and_the_same_token_works_later(
    site: Site, fault: CutBefore | Delay | Answer
) -> None:
    first = await site.one.front.tokens()
    code = await site.one.front.code()
    with site.one.proxy.outage(fault):
        with pytest.raises(Unavailable) as trouble:
            await site.one.front.refresh(first.refresh_token)
        assert trouble.value.retry_after == (
            3 if isinstance(fault, Answer) and fault.retry_after else 5
        )
        with pytest.raises(Unavailable):
            await site.one.front.redeem(code)
    await site.one.front.refresh(first.refresh_token)
    await site.one.front.redeem(code)


@pytest.mark.attack("R-11")
async def test_random_trouble_at_every_call_loses_no_rotation_and_revokes_nobody(
    site: Site,
) -> None:
    chance = random.Random(20261123)
    for replica in (site.one, site.two):
        for fault in (
            Answer(500),
            Answer(429, "TooManyRequests", retry_after=1),
            CutBefore(),
            CutAfter(),
        ):
            replica.proxy.rule(lambda _: chance.random() < 0.03, fault, times=None)
    fronts = [site.one.front, site.two.front]
    tokens: Tokens | None = None
    while tokens is None:
        # A redemption whose trouble lasts ends in a new sign-in; a refresh never does.
        try:
            tokens = await site.one.front.tokens()
        except (Unavailable, InvalidGrant):
            continue
    unavailable = 0
    for n in range(60):
        while True:
            try:
                tokens = await fronts[n % 2].refresh(tokens.refresh_token)
                break
            except Unavailable:
                unavailable += 1
    assert unavailable < 10


@pytest.mark.attack("R-10")
async def test_a_full_namespace_takes_no_sign_in_but_refreshes_go_on(site: Site) -> None:
    first = await site.one.front.tokens()
    limit_secrets(site.cluster, 2)
    with pytest.raises(StoreFull):
        await site.one.front.code()
    await site.one.front.refresh(first.refresh_token)


# --- what administrators do


async def test_a_grant_shows_in_kubectl_whose_it_is_and_no_secret(site: Site) -> None:
    tokens = await site.one.front.tokens()
    [name] = site.stored()
    found = site.cluster.kube.get(site.path(name))
    assert found["metadata"]["labels"][LABEL_USER] == "ana"
    assert found["metadata"]["labels"][LABEL_STATE] == "active"
    data = secret_data(found)
    assert data["client-name"] == b"Assistant"
    assert data["client-host"] == b"assistant.example"
    stored = b"\n".join(data.values())
    for text in (tokens.access_token, tokens.refresh_token):
        assert text.rpartition(".")[2].encode() not in stored


async def test_a_grant_deleted_by_an_administrator_is_refused_within_seconds(site: Site) -> None:
    tokens = await site.one.front.tokens()
    async with running(site.two.front) as front:
        await front.grants.authenticate(tokens.access_token)
        [name] = site.stored()
        site.cluster.kube.delete(site.path(name))
        await eventually(
            lambda: refused(front, tokens.access_token), seconds=5, what="the token is refused"
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
async def test_an_edited_grant_counts_as_revoked(site: Site, change: dict[str, object]) -> None:
    tokens = await site.one.front.tokens()
    async with running(site.two.front) as front:
        await front.grants.authenticate(tokens.access_token)
        [name] = site.stored()
        site.cluster.kube.merge(site.path(name), change)
        await eventually(
            lambda: refused(front, tokens.access_token), seconds=5, what="the token is refused"
        )
        with pytest.raises(InvalidGrant) as refusal:
            await front.refresh(tokens.refresh_token)
        assert refusal.value.reason == "record_tampered"


@pytest.mark.attack("J-14")
async def test_a_deleted_grant_restored_from_a_backup_stays_refused(site: Site) -> None:
    tokens = await site.one.front.tokens()
    [name] = site.stored()
    backup = site.cluster.kube.get(site.path(name))
    site.cluster.kube.delete(site.path(name))
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        backup["metadata"].pop(field, None)
    site.cluster.kube.create(site.path(), backup)
    assert await refused(site.two.front, tokens.access_token)
    with pytest.raises(InvalidGrant):
        await site.two.front.refresh(tokens.refresh_token)


@pytest.mark.attack("J-14")
async def test_after_a_rollback_in_place_the_newer_token_is_refused_without_loops(
    site: Site,
) -> None:
    first = await site.one.front.tokens()
    [name] = site.stored()
    backup = site.cluster.kube.get(site.path(name))
    second = await site.one.front.refresh(first.refresh_token)
    del backup["metadata"]["resourceVersion"]
    site.cluster.kube.replace(site.path(name), backup)
    for _ in range(3):
        with pytest.raises(InvalidGrant):
            await site.two.front.refresh(second.refresh_token)


async def test_a_subject_binding_holds_until_an_administrator_deletes_it(site: Site) -> None:
    await site.one.front.code()
    with pytest.raises(SubjectMismatch):
        await site.two.front.code(subject="another account")
    site.cluster.kube.delete(site.path(f"subject-{ana().uid}"))
    await site.two.front.code(subject="another account")


# --- the watch


async def test_the_warm_path_sends_nothing_to_the_api_server(site: Site) -> None:
    tokens = await site.one.front.tokens()
    async with running(site.two.front) as front:
        await site.two.proxy.wait(watch)
        await front.grants.authenticate(tokens.access_token)
        before = len(site.two.proxy.seen(lambda seen: not seen.watch))
        for _ in range(200):
            await front.grants.authenticate(tokens.access_token)
        assert len(site.two.proxy.seen(lambda seen: not seen.watch)) == before


@pytest.mark.attack("R-02")
async def test_a_cut_watch_goes_on_and_a_revocation_still_arrives_within_seconds(
    site: Site,
) -> None:
    tokens = await site.one.front.tokens()
    async with running(site.two.front) as front:
        await site.two.proxy.wait(watch)
        site.two.proxy.cut()
        await site.one.front.grants.revoke(tokens.access_token, client_id=CLIENT)
        await eventually(
            lambda: refused(front, tokens.access_token), seconds=5, what="the token is refused"
        )


@pytest.mark.attack("R-02")
async def test_a_half_open_watch_delays_a_revocation_by_fifteen_seconds_at_most(
    site: Site,
) -> None:
    tokens = await site.one.front.tokens()
    async with running(site.two.front) as front:
        await site.two.proxy.wait(watch)
        rule = site.two.proxy.rule(watch, HalfOpen(), times=None)
        await site.one.front.grants.revoke(tokens.access_token, client_id=CLIENT)
        await eventually(
            lambda: refused(front, tokens.access_token), seconds=15, what="the token is refused"
        )
        rule.remove()


@pytest.mark.attack("R-02")
async def test_a_watch_that_is_too_old_lists_again_and_refuses_nobody(site: Site) -> None:
    tokens = await site.one.front.tokens()
    async with running(site.two.front) as front:
        await site.two.proxy.wait(watch)
        rule = site.two.proxy.rule(watch, Answer(410, "Expired"))
        site.two.proxy.cut()
        await eventually(lambda: bool(rule.hits), what="the watch was refused")
        for _ in range(50):
            await front.grants.authenticate(tokens.access_token)
            await asyncio.sleep(0.01)
        later = await site.one.front.tokens()
        await front.grants.authenticate(later.access_token)


@pytest.mark.attack("R-02")
async def test_with_the_api_server_away_known_grants_serve_and_nobody_is_refused(
    site: Site,
) -> None:
    known = await site.one.front.tokens()
    async with running(site.two.front) as front:
        await front.grants.authenticate(known.access_token)
        with site.two.proxy.outage():
            unknown = await site.one.front.tokens()
            front.clock.forward(290)
            await front.grants.authenticate(known.access_token)
            with pytest.raises(Unavailable):
                await front.grants.authenticate(unknown.access_token)
            front.clock.forward(15)
            with pytest.raises(Unavailable):
                await front.grants.authenticate(known.access_token)
        await eventually(lambda: front.grants.healthy, what="healthy again")
        await front.grants.authenticate(known.access_token)
        await front.grants.authenticate(unknown.access_token)


async def test_a_missing_right_is_our_trouble(site: Site) -> None:
    await site.one.front.code()
    site.one.proxy.rule(get_of_a_grant, Answer(403, "Forbidden"), times=None)
    tokens = await site.two.front.tokens()
    with pytest.raises(Unavailable) as trouble:
        await site.one.front.refresh(tokens.refresh_token)
    assert trouble.value.reason == "grants_forbidden"


async def test_a_secret_of_another_type_under_a_grants_name_is_no_grant(site: Site) -> None:
    tokens = await site.one.front.tokens()
    [name] = site.stored()
    found = site.cluster.kube.get(site.path(name))
    site.cluster.kube.delete(site.path(name))
    site.cluster.kube.create(
        site.path(), {"kind": "Secret", "metadata": {"name": name}, "data": found["data"]}
    )
    assert await refused(site.two.front, tokens.access_token)
