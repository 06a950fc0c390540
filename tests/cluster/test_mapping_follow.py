"""The gateway's mapping, followed from a real Secret with the gateway's rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import pytest

from harness.cluster import Cluster
from harness.gatewayclient import gateway_client
from harness.kube import secret, secret_data, secrets_path
from harness.mount import MappingMount
from harness.proxy import RecordingProxy
from productive_contract.mapping import Mapping, Person, Reason, State, encode
from productive_contract.names import MAPPING_TYPE
from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.watched.mapping import MappingSource

BOUND = 5.0


def published(revision: int, *emails: str) -> dict[str, bytes]:
    people = {
        email: Person(email, f"uid-{email}", "ns/x", 1, State.ACTIVE, Reason.SYNCED, Secret("t"))
        for email in emails
    }
    return encode(Mapping(revision, MappingProxyType(people)))


class Published:
    """The mapping Secret as the administrator's client changes it."""

    def __init__(self, cluster: Cluster) -> None:
        self._kube = cluster.kube
        self._name = cluster.names.mapping
        self._path = secrets_path(cluster.names.release)

    async def create(self, data: dict[str, bytes]) -> None:
        body = secret(self._name, data, kind=MAPPING_TYPE)
        await asyncio.to_thread(self._kube.create, self._path, body)

    async def put(self, data: dict[str, bytes]) -> None:
        body = secret(self._name, data, kind=MAPPING_TYPE)
        await asyncio.to_thread(self._kube.replace, f"{self._path}/{self._name}", body)

    async def delete(self) -> None:
        await asyncio.to_thread(self._kube.delete, f"{self._path}/{self._name}")

    async def data(self) -> dict[str, bytes]:
        return secret_data(await asyncio.to_thread(self._kube.get, f"{self._path}/{self._name}"))


@pytest.fixture
def mapping(cluster: Cluster) -> Published:
    return Published(cluster)


@asynccontextmanager
async def following(
    cluster: Cluster,
    *,
    proxy: RecordingProxy | None = None,
    mount: Path | None = None,
    max_staleness: float = 300,
    window: int = 10,
) -> AsyncIterator[MappingSource]:
    kubeconfig = cluster.kubeconfig("gateway", proxy=proxy)
    async with gateway_client(kubeconfig) as api:
        source = MappingSource(
            api,
            api.namespace,
            cluster.names.mapping,
            mount=mount,
            max_staleness=max_staleness,
            window=window,
        )
        task = asyncio.create_task(source.run())
        try:
            yield source
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def emails(source: MappingSource) -> set[str] | None:
    try:
        return set(source.snapshot().by_email)
    except Unavailable:
        return None


async def eventually(condition: Callable[[], bool], seconds: float = BOUND) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (alarm and health have no event)
            await asyncio.sleep(0.01)


async def serves(source: MappingSource, people: set[str], seconds: float = BOUND) -> None:
    await eventually(lambda: emails(source) == people, seconds)


async def test_an_empty_mapping_of_the_chart_is_503_until_the_operator_published(
    cluster: Cluster, mapping: Published
) -> None:
    await asyncio.to_thread(cluster.make_empty_mapping)
    async with following(cluster) as source:
        await eventually(lambda: source.healthy)
        assert emails(source) is None
        assert source.problem is None
        await mapping.put(published(1, "ana@example.com"))
        await serves(source, {"ana@example.com"})


async def test_a_change_and_a_removal_are_in_use_within_seconds(
    cluster: Cluster, mapping: Published
) -> None:
    await mapping.create(published(1, "ana@example.com", "bo@example.com"))
    async with following(cluster) as source:
        await serves(source, {"ana@example.com", "bo@example.com"})
        await mapping.put(published(2, "bo@example.com"))
        await serves(source, {"bo@example.com"})


async def test_a_compressed_mapping_of_ten_thousand_people_is_followed(
    cluster: Cluster, mapping: Published
) -> None:
    people = {f"p{number}@example.com" for number in range(10_000)}
    data = published(1, *people)
    assert list(data) == ["users.json.gz"]
    await mapping.create(data)
    async with following(cluster) as source:
        await serves(source, people)


@pytest.mark.attack("M-13")
async def test_malformed_deleted_and_restored_with_an_older_revision(
    cluster: Cluster, mapping: Published
) -> None:
    await mapping.create(published(5, "old@example.com"))
    backup = await mapping.data()
    async with following(cluster) as source:
        await serves(source, {"old@example.com"})
        await mapping.put(published(100, "ana@example.com"))
        await serves(source, {"ana@example.com"})
        for bad in (
            {"users.json": b"{"},
            {"users.json.gz": b"\x1f\x8b\x08half"},
            {"users.json": b'{"version":1,"revision":-1,"users":{}}'},
            {},
        ):
            told = source.problem
            await mapping.put(bad)
            await eventually(lambda told=told: source.problem not in (None, told))  # type: ignore[misc]
            assert emails(source) == {"ana@example.com"}
        await mapping.delete()
        await eventually(lambda: "does not exist" in (source.problem or ""))
        assert emails(source) == {"ana@example.com"}
        await mapping.create(backup)
        await serves(source, {"old@example.com"})
        assert source.problem is None


@pytest.mark.attack("M-13")
async def test_made_anew_by_an_operator_with_a_slow_clock_it_is_followed(
    cluster: Cluster, mapping: Published
) -> None:
    await mapping.create(published(1_795_478_400_123, "ana@example.com"))
    async with following(cluster) as source:
        await serves(source, {"ana@example.com"})
        await mapping.delete()
        await asyncio.to_thread(cluster.make_empty_mapping)
        await eventually(lambda: "empty" in (source.problem or ""))
        assert emails(source) == {"ana@example.com"}
        await mapping.put(published(1))
        await serves(source, set())


async def test_a_start_without_the_api_takes_the_mount_and_the_object_when_it_is_back(
    cluster: Cluster, mapping: Published, tmp_path: Path
) -> None:
    mount = MappingMount(tmp_path / "m")
    mount.write(published(100, "mounted@example.com"))
    await mapping.create(published(7, "ana@example.com"))
    proxy = cluster.proxy()
    with proxy.outage():
        async with following(cluster, proxy=proxy, mount=mount.folder) as source:
            assert emails(source) == {"mounted@example.com"}
            await proxy.wait(lambda _: True, count=2)
            mount.write(published(101))
            await serves(source, set())


@pytest.mark.attack("M-13", "R-02")
async def test_an_outage_is_bridged_by_the_mount_upwards_and_ended_by_the_object(
    cluster: Cluster, mapping: Published, tmp_path: Path
) -> None:
    mount = MappingMount(tmp_path / "m")
    mount.write(published(50, "stale@example.com"))
    await mapping.create(published(7, "ana@example.com"))
    proxy = cluster.proxy()
    async with following(cluster, proxy=proxy, mount=mount.folder, window=1) as source:
        await serves(source, {"ana@example.com"})
        with proxy.outage():
            await eventually(lambda: not source.healthy, 10)
            assert emails(source) == {"ana@example.com"}, "a mount from before overruled"
            mount.write(published(51, "bo@example.com"))
            await serves(source, {"bo@example.com"})
        await serves(source, {"ana@example.com"}, 10)


@pytest.mark.attack("R-02")
async def test_an_outage_longer_than_max_staleness_is_503_and_nothing_is_lost(
    cluster: Cluster, mapping: Published, tmp_path: Path
) -> None:
    mount = MappingMount(tmp_path / "m")
    mount.write(published(1, "ana@example.com"))
    await mapping.create(published(1, "ana@example.com"))
    proxy = cluster.proxy()
    options = {"max_staleness": 3.0, "window": 1}
    async with following(cluster, proxy=proxy, mount=mount.folder, **options) as source:  # type: ignore[arg-type]
        await eventually(lambda: source.healthy)
        await serves(source, {"ana@example.com"})
        with proxy.outage():
            assert emails(source) == {"ana@example.com"}
            await eventually(lambda: emails(source) is None, 10)
        await serves(source, {"ana@example.com"}, 10)
