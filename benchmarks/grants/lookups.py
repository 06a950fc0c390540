"""How fast the index finds grants, what it holds of each, and two ways to fill it.

It runs in this process, with the product's own parts.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from benchmarks.figures.processes import cpu_seconds
from benchmarks.grants.population import Population, parts_over
from benchmarks.grants.starts import memory, reset_peak

from harness.deployment import Deployment
from harness.gatewayclient import gateway_client
from productive_gateway.grants.index import GrantIndex
from productive_gateway.grants.record import Record, RecordKind, decode
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_kube.client import KubeClient

ROUNDS = 20_000
SAME_TOKENS = 500
"""Fewer than the gateway remembers."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """CPU time of one look-up, in seconds."""

    find: float
    """Of a name in the index."""
    first: float
    """Of an access token that was not presented before: opened, then looked up."""
    again: float
    """Of one that was."""
    bytes_each: float
    """Of the index, for each grant."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Filling the index once."""

    seconds: float
    cpu_seconds: float
    """Of this process, for all that it does with the objects."""
    server_cpu_seconds: float
    bytes: int
    """By which the memory of this process grew at most."""
    server_bytes: int
    """By which that of the API server did."""


async def measure_lookups(deployment: Deployment, population: Population) -> Lookups:
    """Fill an index from the API server and look tokens up in it."""
    async with gateway_client(deployment.cluster.kubeconfig("gateway")) as client:
        store = KubernetesGrantStore(client, deployment.cluster.names.grants)
        grants, index = parts_over(store, deployment, population)
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        async with _following(index):
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            tokens = [held.tokens.access_token for held in population.held]
            random.Random(1).shuffle(tokens)
            first = await _each(grants.authenticate, tokens, len(tokens))
            again = await _each(grants.authenticate, tokens[-SAME_TOKENS:], ROUNDS)
            names = [(await grants.authenticate(token)).name for token in tokens]
            return Lookups(
                find=await _each(index.find, names, ROUNDS),
                first=first,
                again=again,
                bytes_each=(after - before) / len(index),
            )


async def _each(act: Callable[[str], Awaitable[object]], values: list[str], rounds: int) -> float:
    begun = time.process_time()
    for number in range(rounds):
        await act(values[number % len(values)])
    return (time.process_time() - begun) / rounds


@asynccontextmanager
async def _following(index: GrantIndex) -> AsyncIterator[None]:
    task = asyncio.create_task(index.run())
    try:
        while not index.healthy:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def measure_listings(
    deployment: Deployment, population: Population, repeats: int
) -> dict[str, list[Listing]]:
    """Read all grants as one list, and as a watch that begins with all of them, in turn."""
    found: dict[str, list[Listing]] = {"list": [], "watch-list": []}
    namespace = deployment.cluster.names.grants
    server = deployment.cluster.plane.api_server.pid

    def opened(record: Record) -> None:
        decode(record, population.ring)

    async with gateway_client(deployment.cluster.kubeconfig("gateway")) as client:
        store = KubernetesGrantStore(client, namespace)
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "list": lambda: _list(store, opened),
            "watch-list": lambda: _watch_list(client, namespace, opened),
        }
        for _ in range(repeats):
            for name, way in ways.items():
                found[name].append(await _measured(way, server))
    return found


async def _measured(way: Callable[[], Awaitable[None]], server: int) -> Listing:
    held, server_held = reset_peak(os.getpid()), reset_peak(server)
    begun, cpu, served = time.monotonic(), time.process_time(), cpu_seconds(server)
    await way()
    return Listing(
        time.monotonic() - begun,
        time.process_time() - cpu,
        cpu_seconds(server) - served,
        memory(os.getpid())[1] - held,
        memory(server)[1] - server_held,
    )


async def _list(store: KubernetesGrantStore, opened: Callable[[Record], None]) -> None:
    await store.list(RecordKind.GRANT, opened)


async def _watch_list(client: KubeClient, namespace: str, opened: Callable[[Record], None]) -> None:
    """Read initial events until the bookmark that ends them (KEP-3157)."""
    store = KubernetesGrantStore(client, namespace)
    collection = store.grants(opened)
    query = [
        *collection.query,
        ("sendInitialEvents", "true"),
        ("resourceVersionMatch", "NotOlderThan"),
    ]
    events = client.watch(collection.path, query=query, resource_version="", seconds=60)
    async for event in events:
        if event["type"] == "BOOKMARK":
            break
        collection.decode(event["object"])
    await events.aclose()
