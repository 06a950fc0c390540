"""How soon a change is known, whatever happens to the connection or to the store."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest
from structlog.testing import capture_logs

from harness.build import programs
from harness.cluster import Cluster
from harness.faults import Answer, CutBefore, HalfOpen, Page
from harness.gatewayclient import gateway_client
from harness.kube import secret, secrets_path
from harness.plane import running_plane
from harness.proxy import RecordingProxy
from productive_kube.client import Listed
from productive_kube.collection import Change, Collection, by_name, secret_data
from productive_kube.reflector import WINDOW_SECONDS, Reflector

HEALTHY_SECONDS = 5.0
"""Bound while watches are healthy."""
HALF_OPEN_SECONDS = 15.0
"""Bound when the connection is half-open."""
FUTURE = "999999999999"
SHORT = 2
"""Seconds of a window, for tests that wait for the end of some."""

Data = dict[str, bytes]
Objects = dict[str, Data]


class Followed:
    """A sink that holds Secrets by name, with a way to wait for what it holds."""

    def __init__(self) -> None:
        self.objects: Objects | None = None
        self.lists = 0
        self.falls: list[bool] = []
        self._changed = asyncio.Event()

    def replace(self, listed: Listed[tuple[str, Data]], *, fell: bool) -> None:
        self.objects = dict(listed.items)
        self.lists += 1
        self.falls.append(fell)
        self._changed.set()

    def apply(self, change: Change[tuple[str, Data]]) -> None:
        assert self.objects is not None
        assert change.item is not None
        name, data = change.item
        if change.deleted:
            self.objects.pop(name, None)
        else:
            self.objects[name] = data
        self._changed.set()

    async def holds(self, objects: Objects, seconds: float = HEALTHY_SECONDS) -> None:
        async with asyncio.timeout(seconds):
            while self.objects != objects:
                self._changed.clear()
                await self._changed.wait()


def named(found: dict[str, Any]) -> tuple[str, Data]:
    return found["metadata"]["name"], secret_data(found)


class Place:
    """Where Secrets are written and followed: one by name, or all of a namespace."""

    def __init__(self, cluster: Cluster, *, single: bool) -> None:
        names = cluster.names
        self.cluster = cluster
        self.name = names.mapping
        self.path = secrets_path(names.release if single else names.grants)
        self.query = by_name(names.mapping) if single else ()

    async def create(self, data: Data) -> None:
        await asyncio.to_thread(self.cluster.kube.create, self.path, secret(self.name, data))

    async def put(self, data: Data) -> None:
        body = secret(self.name, data)
        await asyncio.to_thread(self.cluster.kube.replace, f"{self.path}/{self.name}", body)

    async def delete(self) -> None:
        await asyncio.to_thread(self.cluster.kube.delete, f"{self.path}/{self.name}")

    @asynccontextmanager
    async def followed(
        self, proxy: RecordingProxy, window: int = WINDOW_SECONDS
    ) -> AsyncIterator[tuple[Followed, Reflector[tuple[str, Data]]]]:
        """Follow through a proxy, under the gateway's rights."""
        followed = Followed()
        async with gateway_client(self.cluster.kubeconfig("gateway", proxy=proxy)) as api:
            source = Collection(api, self.path, named, self.query)
            reflector = Reflector(source, followed, label="test", window=window)
            task = asyncio.create_task(reflector.run())
            try:
                yield followed, reflector
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(params=[True, False], ids=["one", "collection"])
def place(cluster: Cluster, request: pytest.FixtureRequest) -> Place:
    return Place(cluster, single=request.param)


@pytest.fixture
def one(cluster: Cluster) -> Place:
    """Return the place of one Secret, for tests that take long."""
    return Place(cluster, single=True)


@asynccontextmanager
async def following(
    place: Place, proxy: RecordingProxy, window: int = WINDOW_SECONDS
) -> AsyncIterator[tuple[Followed, Reflector[tuple[str, Data]]]]:
    """Follow one Secret, from its list into its first window."""
    await place.create({"a": b"1"})
    async with place.followed(proxy, window) as (followed, reflector):
        await followed.holds({place.name: {"a": b"1"}})
        await proxy.wait(lambda seen: seen.watch and seen.status == 200)
        yield followed, reflector


async def test_every_change_is_told_within_a_moment(place: Place) -> None:
    async with following(place, place.cluster.proxy()) as (followed, reflector):
        await place.put({"a": b"2"})
        await followed.holds({place.name: {"a": b"2"}})
        await place.delete()
        await followed.holds({})
        await place.create({})
        await followed.holds({place.name: {}})
        assert reflector.healthy
        assert followed.lists == 1


async def test_windows_follow_each_other_without_another_list(one: Place) -> None:
    proxy = one.cluster.proxy()
    async with following(one, proxy) as (followed, reflector):
        await proxy.wait(lambda seen: seen.watch and seen.status == 200, count=2)
        assert reflector.age <= WINDOW_SECONDS + 1
        await one.put({"a": b"2"})
        await followed.holds({one.name: {"a": b"2"}})
        assert reflector.healthy
        assert followed.lists == 1


@pytest.mark.attack("R-02")
async def test_a_cut_connection_costs_less_than_the_healthy_bound(place: Place) -> None:
    proxy = place.cluster.proxy()
    async with following(place, proxy) as (followed, _):
        await asyncio.to_thread(proxy.cut)
        await place.put({"a": b"2"})
        await followed.holds({place.name: {"a": b"2"}})


@pytest.mark.attack("R-02")
async def test_a_half_open_connection_is_noticed_within_fifteen_seconds(one: Place) -> None:
    proxy = one.cluster.proxy()
    async with following(one, proxy) as (followed, reflector):
        # All connections that exist now fall silent; new ones work.
        rule = proxy.rule(lambda seen: seen.watch, HalfOpen())
        began = time.monotonic()
        await one.put({"a": b"2"})
        await followed.holds({one.name: {"a": b"2"}}, HALF_OPEN_SECONDS)
        assert time.monotonic() - began > 1, "the connection was not half-open"
        assert rule.hits
        assert reflector.healthy


@pytest.mark.attack("R-02")
async def test_a_watch_that_is_answered_gone_begins_with_a_new_list(place: Place) -> None:
    proxy = place.cluster.proxy()
    async with following(place, proxy) as (followed, _):
        since = len(proxy.requests)
        proxy.rule(lambda seen: seen.watch, Answer(410, "Expired"))
        await asyncio.to_thread(proxy.cut)
        await place.put({"a": b"2"})
        await followed.holds({place.name: {"a": b"2"}})
        await proxy.wait(lambda seen: seen.watch and seen.status == 200, since=since)
        assert len([s for s in proxy.requests[since:] if not s.watch]) >= 2


@pytest.mark.attack("R-02")
async def test_an_outage_makes_it_unhealthy_and_its_end_is_noticed_at_once(one: Place) -> None:
    proxy = one.cluster.proxy()
    async with following(one, proxy, SHORT) as (followed, reflector):
        with proxy.outage(CutBefore()):
            await one.put({"a": b"2"})
            async with asyncio.timeout(SHORT + HEALTHY_SECONDS):
                while reflector.healthy:  # noqa: ASYNC110 (time alone ends health)
                    await asyncio.sleep(0.05)
        await followed.holds({one.name: {"a": b"2"}}, 2 * HEALTHY_SECONDS)
        assert reflector.healthy


@pytest.mark.attack("R-02")
async def test_what_answers_watches_at_once_and_empty_delays_changes_by_seconds_only(
    one: Place,
) -> None:
    """A proxy that does not know watches must not freeze what is known, and look healthy."""
    proxy = one.cluster.proxy()
    proxy.rule(lambda seen: seen.watch, Page(200, ""), times=None)
    await one.create({"a": b"1"})
    with capture_logs() as logs:
        async with one.followed(proxy) as (followed, reflector):
            await followed.holds({one.name: {"a": b"1"}})
            await proxy.wait(lambda seen: seen.watch, count=7, seconds=30)
            await one.put({"a": b"2"})
            await followed.holds({one.name: {"a": b"2"}}, HEALTHY_SECONDS + 1)
            assert reflector.healthy
            assert len(proxy.requests) < 25, "it is asked in a loop"
    assert [line["event"] for line in logs] == ["watch.lost"]


@pytest.mark.attack("R-11")
async def test_a_404_or_a_page_in_place_of_a_list_deletes_nothing(place: Place) -> None:
    proxy = place.cluster.proxy()
    async with following(place, proxy) as (followed, _):
        for page in (Page(404), Page(200), Page(200, "{}"), Page(200, '{"items":[]}')):
            rule = proxy.rule(lambda seen: not seen.watch, page)
            await asyncio.to_thread(proxy.cut)
            await proxy.wait(lambda _, rule=rule: bool(rule.hits))  # type: ignore[misc]
        lists = followed.lists
        await place.put({"a": b"2"})
        await followed.holds({place.name: {"a": b"2"}}, 2 * HEALTHY_SECONDS)
        assert followed.lists == lists + 1, "a page was taken for a list"


def listed_at(version: str) -> Page:
    return Page(200, json.dumps({"metadata": {"resourceVersion": version}, "items": []}))


@pytest.mark.attack("R-12")
async def test_a_version_from_the_future_as_after_a_restore_is_left_for_a_new_list(
    place: Place,
) -> None:
    """The real API server waits in silence for such a version, and ends the window in order."""
    proxy = place.cluster.proxy()
    await place.create({"a": b"1"})
    proxy.rule(lambda _: True, listed_at(FUTURE))
    async with place.followed(proxy, SHORT) as (followed, reflector):
        await followed.holds({})
        confirmed = reflector.confirmed
        await place.put({"a": b"2"})
        await proxy.wait(_begins_at(FUTURE))
        assert reflector.confirmed == confirmed
        await followed.holds({place.name: {"a": b"2"}}, SHORT + HEALTHY_SECONDS)
        assert followed.falls == [False, True]


def _begins_at(version: str) -> Any:
    return lambda seen: seen.watch and seen.query["resourceVersion"] == version


@pytest.mark.parametrize("version", ["", "seven", "9" * 40])
async def test_a_version_that_is_no_number_is_no_answer(place: Place, version: str) -> None:
    proxy = place.cluster.proxy()
    await place.create({"a": b"1"})
    rule = proxy.rule(lambda _: True, listed_at(version))
    async with place.followed(proxy) as (followed, _):
        await followed.holds({place.name: {"a": b"1"}})
        assert rule.hits
        assert followed.lists == 1


@pytest.mark.usefixtures("strict_tls")
async def test_it_follows_a_server_whose_certificates_have_no_key_identifiers(
    place: Place,
) -> None:
    async with following(place, place.cluster.proxy(key_identifiers=False)) as (followed, _):
        await place.put({"a": b"2"})
        await followed.holds({place.name: {"a": b"2"}})


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """Return one that the ledger does not know: before its roles are read it refuses everything."""
    with running_plane(programs()) as plane, closing(Cluster(plane)) as cluster:
        yield cluster


@pytest.mark.attack("R-12")
async def test_a_restored_store_is_followed_whatever_its_versions(own_cluster: Cluster) -> None:
    plane = own_cluster.plane
    places = [Place(own_cluster, single=single) for single in (True, False)]
    proxy = own_cluster.proxy()
    for place in places:
        await place.create({"a": b"1"})
    # What is granted later would be unknown after the restore.
    own_cluster.account("gateway")
    await asyncio.to_thread(plane.back_up)
    async with places[0].followed(proxy, SHORT) as one, places[1].followed(proxy, SHORT) as all_:
        for place, (followed, _) in zip(places, (one, all_), strict=True):
            for number in range(150):
                await place.put({"a": str(number).encode()})
            await followed.holds({place.name: {"a": b"149"}})
        await asyncio.to_thread(plane.restore)
        for place, (followed, reflector) in zip(places, (one, all_), strict=True):
            await followed.holds({place.name: {"a": b"1"}}, 2 * HALF_OPEN_SECONDS)
            assert followed.falls[-1]
            await place.put({"a": b"after"})
            await followed.holds({place.name: {"a": b"after"}})
            assert reflector.healthy
