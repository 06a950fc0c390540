"""Single passes on a real API server: compare-and-swap, pages, and what the rights allow."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import pairwise

import httpx
import pytest

from harness.cluster import Cluster
from harness.faults import CutAfter, Hold, Seen
from harness.kube import Object, secret, secrets_path
from harness.operatorkit import never
from harness.operatorsite import WRITES, OperatorSite, follow_mapping
from productive_contract.mapping import Mapping, State, decode, encode
from productive_contract.names import MAPPING_KEY
from productive_kube.errors import Conflict, Unreachable
from productive_operator.changes import user_named
from productive_operator.view import StoredMapping

IN_FLIGHT = 32


@pytest.fixture
def site(cluster: Cluster) -> Iterator[OperatorSite]:
    mine = OperatorSite(cluster)
    yield mine
    mine.close()


async def test_the_mapping_is_made_without_data_and_never_loses_any(site: OperatorSite) -> None:
    """Two operators may both find none: the slower one makes it after the other published."""
    async with site.objects() as cluster:
        assert await cluster.mapping() is None
        made = await cluster.make_mapping()
        assert (made.type, made.data) == ("productive-mcp.dev/mapping", {})
        published = await cluster.publish(made, encode(Mapping(1, {})))
        again = await cluster.make_mapping()
        assert again == published


async def test_a_stale_publication_is_refused(site: OperatorSite) -> None:
    async with site.objects() as cluster:
        stored = await cluster.make_mapping()
        newer = await cluster.publish(stored, {MAPPING_KEY: b"newer"})
        with pytest.raises(Conflict):
            await cluster.publish(stored, {MAPPING_KEY: b"stale"})
        with pytest.raises(Conflict):
            await cluster.drop_keys(stored, [MAPPING_KEY])
        assert await cluster.mapping() == newer


async def test_a_publication_does_not_bring_a_deleted_mapping_back(site: OperatorSite) -> None:
    async with site.objects() as cluster:
        stored = await cluster.make_mapping()
        site.kube.delete(site.mapping_path)
        with pytest.raises(Conflict):
            await cluster.publish(stored, {MAPPING_KEY: b"stale"})
        assert await cluster.mapping() is None


async def test_the_same_publication_again_writes_nothing(site: OperatorSite) -> None:
    async with site.objects() as cluster:
        stored = await cluster.publish(await cluster.make_mapping(), {MAPPING_KEY: b"x"})
        assert await cluster.publish(stored, {MAPPING_KEY: b"x"}) == stored


async def test_the_other_form_of_the_document_takes_the_place_of_the_first(
    site: OperatorSite,
) -> None:
    async with site.objects() as cluster:
        stored = await cluster.publish(await cluster.make_mapping(), {MAPPING_KEY: b"x"})
        packed = await cluster.publish(stored, {"users.json.gz": b"y"})
        assert packed.data == {"users.json.gz": b"y"}


async def test_no_other_secret_can_be_made(site: OperatorSite) -> None:
    operator = site.cluster.client("operator")
    body = secret("other", {})
    path = secrets_path(site.names.release, "other")
    query = {"fieldManager": "x", "force": "true"}
    apply = "application/apply-patch+yaml"
    refused = operator.ask("PATCH", path, body, query=query, content_type=apply)
    assert refused.status_code == httpx.codes.FORBIDDEN


async def test_a_pass_recovers_from_a_lost_answer_to_its_write(site: OperatorSite) -> None:
    site.add("ana")
    proxy = site.cluster.proxy()
    proxy.rule(lambda seen: seen.method == "PATCH" and _writes_data(seen), CutAfter())
    async with site.reconciler(proxy) as reconciler:
        with pytest.raises(Unreachable):
            await reconciler.reconcile(never)
        written = site.mapping()
        await reconciler.reconcile(never)
    assert site.people() == {"ana@example.com"}
    assert site.mapping() == written


async def test_a_name_is_listed_alone_and_a_list_without_it_says_that_it_is_gone(
    site: OperatorSite,
) -> None:
    site.add("ana")
    site.add("bob", token=None)
    site.set_token("bob", kind="Opaque", token="token")
    async with site.objects() as cluster:
        users = {listed.user.name: listed for listed in await cluster.users()}
        assert await cluster.user("ana") == users["ana"]
        assert await cluster.secret("ana-productive") in await cluster.secrets()
        assert await cluster.user("nobody") is None
        assert await cluster.secret("nobody") is None
        assert await cluster.secret("bob-productive") is None


async def test_a_partial_pass_lists_the_names_of_a_change_and_nothing_else(
    site: OperatorSite,
) -> None:
    for name in ("ana", "bob", "cleo"):
        site.add(name)
    proxy = site.cluster.proxy()
    async with site.reconciler(proxy) as reconciler:
        await reconciler.reconcile(never)
        begun = len(proxy.requests)
        site.change("ana", suspend=True)
        site.remove("bob")
        changes = user_named("ana") | user_named("bob")
        assert not (await reconciler.reconcile(never, changes)).full
        reads = [s for s in proxy.requests[begun:] if s.method == "GET"]
        assert sorted((str(s.resource), s.name) for s in reads) == [
            ("productiveusers", "ana"),
            ("productiveusers", "bob"),
            ("secrets", "ana-productive"),
            ("secrets", "bob-productive"),
            ("secrets", site.names.mapping),
        ]
        found = site.mapping()
        assert found is not None
        assert {email: person.state for email, person in found.people.items()} == {
            "ana@example.com": State.SUSPENDED,
            "cleo@example.com": State.ACTIVE,
        }
        begun = len(proxy.requests)
        await reconciler.reconcile(never)
        assert [s for s in proxy.requests[begun:] if s.method in WRITES] == []


async def test_a_foreign_write_to_the_mapping_makes_the_next_pass_a_full_one(
    site: OperatorSite,
) -> None:
    site.add("ana")
    async with site.reconciler() as reconciler:
        await reconciler.reconcile(never)
        assert not (await reconciler.reconcile(never, user_named("ana"))).full
        site.kube.merge(site.mapping_path, {"metadata": {"labels": {"touched": "yes"}}})
        assert (await reconciler.reconcile(never, user_named("ana"))).full
        assert not (await reconciler.reconcile(never, user_named("ana"))).full


@pytest.mark.attack("R-14")
async def test_a_partial_pass_never_brings_somebody_back_whom_another_operator_removed(
    site: OperatorSite,
) -> None:
    """The slow operator has listed its one name, and has not heard of the removal."""
    for name in ("ana", "bob"):
        site.add(name)
    proxy = site.cluster.proxy()
    async with site.reconciler(proxy) as slow, site.reconciler() as fast:
        await slow.reconcile(never)
        await fast.reconcile(never)
        held = Hold(at="after")
        proxy.rule(lambda seen: seen.name == "bob-productive", held)
        site.change("bob", suspend=True)
        passing = asyncio.create_task(slow.reconcile(never, user_named("bob")))
        await proxy.wait(lambda seen: seen.name == "bob-productive" and bool(seen.upstream_status))
        site.remove("ana")
        await fast.reconcile(never)
        held.release()
        with pytest.raises(Conflict):
            await passing
        assert site.people() == {"bob@example.com"}
        assert (await slow.reconcile(never, user_named("bob"))).full
    assert site.people() == {"bob@example.com"}


async def test_the_watch_reports_each_change_of_the_mapping(site: OperatorSite) -> None:
    told: asyncio.Queue[StoredMapping | None] = asyncio.Queue()
    async with site.objects() as cluster, asyncio.timeout(10):
        following = asyncio.create_task(follow_mapping(cluster, told.put_nowait))
        assert await told.get() is None
        made = await cluster.make_mapping()
        assert await told.get() == made
        changed = await cluster.publish(made, {MAPPING_KEY: b"x"})
        assert await told.get() == changed
        site.kube.delete(site.mapping_path)
        assert await told.get() is None
        following.cancel()


@pytest.mark.attack("R-14")
async def test_a_person_removed_meanwhile_never_reappears(site: OperatorSite) -> None:
    """The slow operator has listed the person; the fast one publishes without."""
    site.add("ana")
    site.add("bob")
    async with site.reconciler() as fast:
        await fast.reconcile(never)
        proxy = site.cluster.proxy()
        held = Hold(at="after")
        proxy.rule(_lists_secrets, held)
        async with site.reconciler(proxy) as slow:
            site.set_token("bob", token="another")
            passing = asyncio.create_task(slow.reconcile(never))
            await proxy.wait(_listed, count=2)
            site.remove("ana")
            await fast.reconcile(never)
            assert site.people() == {"bob@example.com"}
            held.release()
            with pytest.raises(Conflict):
                await passing
            assert site.people() == {"bob@example.com"}
            await slow.reconcile(never)
    assert site.people() == {"bob@example.com"}


@pytest.mark.attack("R-14")
async def test_the_first_publication_is_compared_too(site: OperatorSite) -> None:
    """Without a mapping, a slow operator must not overwrite what another published first."""
    site.add("ana")
    proxy = site.cluster.proxy()
    held = Hold(at="after")
    proxy.rule(_lists_secrets, held)
    async with site.reconciler() as fast, site.reconciler(proxy) as slow:
        passing = asyncio.create_task(slow.reconcile(never))
        await proxy.wait(_listed, count=2)
        site.remove("ana")
        await fast.reconcile(never)
        held.release()
        with pytest.raises(Conflict):
            await passing
    assert site.people() == set()


@pytest.mark.attack("R-14")
async def test_two_operators_at_once_converge(
    site: OperatorSite,
) -> None:
    history: list[StoredMapping | None] = []
    for number in range(8):
        site.add(f"p{number}")
    async with site.objects() as cluster:
        recorder = asyncio.create_task(follow_mapping(cluster, history.append))
        first, second = site.start(), site.start()
        for operator in (first, second):
            await asyncio.to_thread(operator.until_ready)
        for number in range(0, 8, 2):
            await asyncio.to_thread(site.remove, f"p{number}")
            await asyncio.to_thread(site.add, f"q{number}")
        kept = [f"p{n}" for n in range(1, 8, 2)] + [f"q{n}" for n in range(0, 8, 2)]
        await asyncio.to_thread(site.until_people, *kept)
        recorder.cancel()
    published = [decode(s.data) for s in history if s and s.data]
    revisions = [mapping.revision for mapping in published]
    assert revisions == sorted(set(revisions))
    gone: set[str] = set()
    for before, after in pairwise(published):
        gone |= before.people.keys() - after.people.keys()
        assert not gone & after.people.keys()


# A body above 1 MiB is sent as one piece of memory, which it is anyway.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_of_more_people_than_fit_the_youngest_are_left_out(site: OperatorSite) -> None:
    await _make_many(site, 1_300)
    async with site.reconciler() as reconciler:
        await reconciler.reconcile(never)
    kept = site.people()
    assert 900 < len(kept) < 1_300
    listed = sorted(site.kube.items(site.path()), key=_age)
    assert {body["spec"]["email"] for body in listed[: len(kept)]} == kept
    conditions = [body["status"]["conditions"][0] for body in listed]
    reasons = [condition["reason"] for condition in conditions]
    assert set(reasons[: len(kept)]) == {"Synced"}
    assert set(reasons[len(kept) :]) == {"MappingFull"}
    assert "Delete those that are no longer needed" in conditions[-1]["message"]


async def _make_many(site: OperatorSite, count: int) -> None:
    """Make people with tokens that do not compress."""
    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    free = asyncio.Semaphore(IN_FLIGHT)

    async def make(number: int) -> None:
        token = "".join(random.Random(number).choices(letters, k=1000))
        async with free:
            await asyncio.to_thread(site.add, f"p{number}", token=token)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(make(number))


def _age(body: Object) -> tuple[str, str]:
    return body["metadata"]["creationTimestamp"], body["metadata"]["uid"]


def _writes_data(seen: Seen) -> bool:
    return b'"data"' in seen.body


def _listed(seen: Seen) -> bool:
    lists = _lists_secrets(seen) or (seen.resource == "productiveusers" and not seen.watch)
    return lists and seen.upstream_status == httpx.codes.OK


def _lists_secrets(seen: Seen) -> bool:
    return seen.resource == "secrets" and seen.name is None
