"""The key ring Secret: made once by the Job, followed and read freshly by the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from harness.cluster import Cluster
from harness.faults import HalfOpen, Seen
from harness.gatewayclient import gateway_client
from harness.kube import secret, secrets_path
from harness.proxy import RecordingProxy
from harness.scripted import until
from productive_contract.clock import system_entropy
from productive_contract.names import KEY_RING_KEY, KEY_RING_TYPE
from productive_gateway.admin.init_key_ring import init_key_ring
from productive_gateway.errors import Unavailable
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.sealing.keys import KeyRing, encode_ring, new_ring
from productive_gateway.watched.key_ring import FRESH_SECONDS, KeyRingSource
from productive_kube.errors import Forbidden

NOW = 1_795_500_000.0


async def make_ring(cluster: Cluster) -> str:
    """Do what the hook Job does, with its rights."""
    async with gateway_client(cluster.kubeconfig("keys")) as api:
        return await init_key_ring(api, api.namespace, cluster.names.key_ring)


def path(cluster: Cluster) -> str:
    return secrets_path(cluster.names.release, cluster.names.key_ring)


async def put(cluster: Cluster, ring: KeyRing | bytes) -> None:
    document = ring if isinstance(ring, bytes) else encode_ring(ring)
    body = secret(cluster.names.key_ring, {KEY_RING_KEY: document}, kind=KEY_RING_TYPE)
    await asyncio.to_thread(cluster.kube.replace, path(cluster), body)


def another() -> KeyRing:
    return new_ring(NOW, system_entropy)


@asynccontextmanager
async def following(
    cluster: Cluster, proxy: RecordingProxy | None = None
) -> AsyncIterator[KeyRingSource]:
    async with gateway_client(cluster.kubeconfig("gateway", proxy=proxy)) as api:
        keys = KeyRingSource(api, api.namespace, cluster.names.key_ring)
        task = asyncio.create_task(keys.run())
        try:
            yield keys
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def in_use(keys: KeyRingSource) -> KeyRing | None:
    try:
        return keys.ring()
    except Unavailable:
        return None


async def uses(keys: KeyRingSource, ring: KeyRing | None = None) -> KeyRing:
    """Wait until that ring (or any) is in use."""
    await until(lambda: in_use(keys) is not None and ring in (None, in_use(keys)))
    return keys.ring()


async def test_the_job_makes_the_ring_once_and_leaves_it_alone(cluster: Cluster) -> None:
    assert (await make_ring(cluster)).startswith("Made the key ring")
    made = cluster.kube.get(path(cluster))
    assert made["type"] == KEY_RING_TYPE
    assert "left as it is" in await make_ring(cluster)
    assert cluster.kube.get(path(cluster)) == made


async def test_jobs_at_once_make_one_ring(cluster: Cluster) -> None:
    cluster.account("keys")
    said = await asyncio.gather(*(make_ring(cluster) for _ in range(5)))
    assert len([text for text in said if text.startswith("Made")]) == 1


async def test_the_job_stops_at_a_ring_that_nobody_could_use(cluster: Cluster) -> None:
    await make_ring(cluster)
    await put(cluster, b"{")
    with pytest.raises(KeyRingError, match="restore"):
        await make_ring(cluster)


@pytest.mark.attack("R-01")
@pytest.mark.refused("keys")
async def test_the_job_can_neither_change_nor_list_secrets(cluster: Cluster) -> None:
    await make_ring(cluster)
    made = cluster.kube.get(path(cluster))
    async with gateway_client(cluster.kubeconfig("keys")) as api:
        for attempt in (
            api.replace(path(cluster), made),
            api.delete(path(cluster), uid=None, resource_version=None),
            api.get(secrets_path(cluster.names.release)),
            api.create(secrets_path(cluster.names.grants), secret("x", {})),
        ):
            with pytest.raises(Forbidden):
                await attempt


async def test_a_gateway_that_starts_first_takes_the_ring_as_soon_as_it_is_made(
    cluster: Cluster,
) -> None:
    async with following(cluster) as keys:
        with pytest.raises(Unavailable):
            keys.ring()
        await make_ring(cluster)
        assert (await uses(keys)).epoch == 0


async def test_a_changed_ring_is_in_use_within_seconds_and_a_broken_one_never(
    cluster: Cluster,
) -> None:
    await make_ring(cluster)
    async with following(cluster) as keys:
        first = await uses(keys)
        second = another()
        both = KeyRing((*first.keys, *second.keys), first.current, epoch=1)
        await put(cluster, both)
        await uses(keys, both)
        await put(cluster, b'{"version":1,"keys":[]}')
        await until(lambda: keys.problem is not None)
        assert keys.ring() == both
        await put(cluster, second)
        await uses(keys, second)
        assert keys.problem is None


def _is_watch(seen: Seen) -> bool:
    return seen.watch


@pytest.mark.attack("R-07", "R-15")
async def test_a_key_that_the_watch_did_not_tell_of_is_found_by_one_fresh_read(
    cluster: Cluster,
) -> None:
    await make_ring(cluster)
    proxy = cluster.proxy()
    async with following(cluster, proxy) as keys:
        first = await uses(keys)
        await proxy.wait(lambda seen: seen.watch and seen.status == 200)
        silence = proxy.rule(_is_watch, HalfOpen(), times=None)
        second = another()
        await put(cluster, second)
        assert keys.ring() == first
        since = len(proxy.requests)
        rings = await asyncio.gather(*(keys.fresh() for _ in range(100)))
        assert rings == [second] * 100
        assert keys.ring() == second
        gets = [s for s in proxy.requests[since:] if s.name and not s.watch and not s.query]
        assert len(gets) == 1
        silence.remove()


@pytest.mark.attack("R-07", "R-15")
async def test_a_ring_that_cannot_be_read_is_503_and_the_known_keys_go_on(
    cluster: Cluster,
) -> None:
    await make_ring(cluster)
    proxy = cluster.proxy()
    async with following(cluster, proxy) as keys:
        ring = await uses(keys)
        with proxy.outage():
            with pytest.raises(Unavailable, match="Try again") as caught:
                await keys.fresh()
            assert caught.value.reason == "key_ring_unreadable"
            assert keys.ring() == ring
        await asyncio.sleep(FRESH_SECONDS)
        assert await keys.fresh() == ring
