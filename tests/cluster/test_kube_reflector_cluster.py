"""How soon a change of the Secret is known, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from harness.cluster import Cluster
from harness.faults import Answer, CutBefore, HalfOpen
from harness.kube import secret, secrets_path
from harness.proxy import RecordingProxy
from productive_kube.backoff import Backoff
from productive_kube.client import KubeClient
from productive_kube.reflector import NamedSecret

HEALTHY_SECONDS = 5.0
"""Bound while watches are healthy."""
HALF_OPEN_SECONDS = 15.0
"""Bound when the connection is half-open."""


class Told:
    """What the watch said, with a way to wait for it."""

    def __init__(self) -> None:
        self.data: list[dict[str, bytes] | None] = []
        self._more = asyncio.Event()

    def __call__(self, data: dict[str, bytes] | None, version: str) -> None:
        assert version.isdecimal()
        self.data.append(data)
        self._more.set()

    async def until(self, data: dict[str, bytes] | None, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not self.data or self.data[-1] != data:
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def watching(
    cluster: Cluster, proxy: RecordingProxy
) -> AsyncIterator[tuple[Told, NamedSecret]]:
    names = cluster.names
    path = secrets_path(names.release)
    await asyncio.to_thread(cluster.kube.create, path, secret(names.mapping, {"a": b"1"}))
    kubeconfig = cluster.kubeconfig("gateway", proxy=proxy)
    told = Told()
    async with await KubeClient.connect(kubeconfig, user_agent="productive-gateway") as api:
        watch = NamedSecret(api, names.release, names.mapping, told, label="test")
        task = asyncio.create_task(watch.run())
        try:
            await told.until({"a": b"1"}, HEALTHY_SECONDS)
            await proxy.wait(lambda seen: seen.watch and seen.status == 200)
            yield told, watch
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def put(cluster: Cluster, data: dict[str, bytes]) -> None:
    names = cluster.names
    path = secrets_path(names.release, names.mapping)
    await asyncio.to_thread(cluster.kube.replace, path, secret(names.mapping, data))


async def test_every_change_is_told_within_a_moment(cluster: Cluster) -> None:
    async with watching(cluster, cluster.proxy()) as (told, watch):
        await put(cluster, {"a": b"2"})
        await told.until({"a": b"2"}, HEALTHY_SECONDS)
        path = secrets_path(cluster.names.release)
        await asyncio.to_thread(cluster.kube.delete, f"{path}/{cluster.names.mapping}")
        await told.until(None, HEALTHY_SECONDS)
        await asyncio.to_thread(cluster.kube.create, path, secret(cluster.names.mapping, {}))
        await told.until({}, HEALTHY_SECONDS)
        assert watch.healthy


@pytest.mark.attack("R-12")
async def test_a_version_from_the_future_as_after_a_restore_is_left_for_a_new_list(
    cluster: Cluster,
) -> None:
    names, told = cluster.names, Told()
    await asyncio.to_thread(
        cluster.kube.create, secrets_path(names.release), secret(names.mapping, {"a": b"1"})
    )
    async with await KubeClient.connect(
        cluster.kubeconfig("gateway"), user_agent="productive-gateway"
    ) as api:
        watch = NamedSecret(api, names.release, names.mapping, told, label="test")
        assert await watch._watch("999999999999", Backoff()) is None
    assert told.data == []
    assert not watch.healthy


async def test_windows_follow_each_other(cluster: Cluster) -> None:
    proxy = cluster.proxy()
    async with watching(cluster, proxy) as (told, watch):
        await proxy.wait(lambda seen: seen.watch and seen.status == 200, count=2)
        assert told.data == [{"a": b"1"}] * len(told.data)
        await put(cluster, {"a": b"2"})
        await told.until({"a": b"2"}, HEALTHY_SECONDS)
        assert watch.healthy


@pytest.mark.attack("R-02")
async def test_a_cut_connection_costs_less_than_the_healthy_bound(cluster: Cluster) -> None:
    proxy = cluster.proxy()
    async with watching(cluster, proxy) as (told, _):
        await asyncio.to_thread(proxy.cut)
        await put(cluster, {"a": b"2"})
        await told.until({"a": b"2"}, HEALTHY_SECONDS)


@pytest.mark.attack("R-02")
async def test_a_half_open_connection_is_noticed_within_fifteen_seconds(cluster: Cluster) -> None:
    proxy = cluster.proxy()
    async with watching(cluster, proxy) as (told, watch):
        # All connections that exist now fall silent; new ones work.
        rule = proxy.rule(lambda seen: seen.watch, HalfOpen())
        began = time.monotonic()
        await put(cluster, {"a": b"2"})
        await told.until({"a": b"2"}, HALF_OPEN_SECONDS)
        assert time.monotonic() - began > 1, "the connection was not half-open"
        assert rule.hits
        assert watch.healthy


@pytest.mark.attack("R-02")
async def test_a_watch_that_is_answered_gone_begins_with_a_new_list(cluster: Cluster) -> None:
    proxy = cluster.proxy()
    async with watching(cluster, proxy) as (told, _):
        since = len(proxy.requests)
        proxy.rule(lambda seen: seen.watch, Answer(410, "Expired"))
        await asyncio.to_thread(proxy.cut)
        await put(cluster, {"a": b"2"})
        await told.until({"a": b"2"}, HEALTHY_SECONDS)
        await proxy.wait(lambda seen: seen.watch and seen.status == 200, since=since)
        assert len([s for s in proxy.requests[since:] if not s.watch]) >= 2


@pytest.mark.attack("R-02")
async def test_an_outage_makes_it_ill_and_its_end_is_noticed_at_once(cluster: Cluster) -> None:
    proxy = cluster.proxy()
    async with watching(cluster, proxy) as (told, watch):
        with proxy.outage(CutBefore()):
            await put(cluster, {"a": b"2"})
            async with asyncio.timeout(HALF_OPEN_SECONDS + 1):
                while watch.healthy:  # noqa: ASYNC110 (health is a matter of time, not of events)
                    await asyncio.sleep(0.05)
        await told.until({"a": b"2"}, 2 * HEALTHY_SECONDS)
        assert watch.healthy
