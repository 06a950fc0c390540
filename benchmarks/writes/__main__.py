"""What never writing twice costs: guarded calls over a real API server, with no work of their own.

From the top of the repository, after `make programs`:

    PYTHONPATH=tests .venv/bin/python -m benchmarks.writes --calls 200

The API server shares the machine, so only ratios compare. The work of a call is nothing, so the
milliseconds are what the guard adds to it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, replace

from harness.build import programs
from harness.cluster import Cluster
from harness.faults import HalfOpen
from harness.grantkit import HeldKeys, ana
from harness.kube import secrets_path
from harness.plane import running_plane
from harness.writeskit import Things, Writer
from productive_contract.mapping import Person
from productive_gateway.grants.retry_budget import RetryLimits
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_gateway.tools.writes.errors import LedgerUnavailable
from productive_gateway.tools.writes.undo import UndoHandle
from productive_kube.client import KubeClient


@dataclass
class Count:
    """Requests to the API server that were sent, refused ones too."""

    reads: int = 0
    writes: int = 0

    def __call__(self, verb: str, *_: object) -> None:
        if verb in {"create", "replace", "delete", "apply", "merge"}:
            self.writes += 1
        else:
            self.reads += 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.writes")
    parser.add_argument("--calls", type=int, default=200)
    parsed = parser.parse_args()
    # The proxy reports each connection that it cuts.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with running_plane(programs()) as plane, closing(Cluster(plane)) as cluster:
        asyncio.run(measure(cluster, parsed.calls))


async def measure(cluster: Cluster, calls: int) -> None:
    count, keys, things = Count(), HeldKeys(), Things()
    async with (
        await KubeClient.connect(
            cluster.kubeconfig("gateway"), user_agent="benchmark", observe=count
        ) as first,
        await KubeClient.connect(
            cluster.kubeconfig("gateway"), user_agent="benchmark", observe=count
        ) as second,
    ):
        namespace = cluster.names.grants
        one, two = (
            Writer(KubernetesGrantStore(api, namespace), keys, limits=RetryLimits())
            for api in (first, second)
        )
        print("| call | calls | p50 ms | p95 ms | reads a call | writes a call | Secret KB |")
        print("|---|--:|--:|--:|--:|--:|--:|")

        async def row(
            title: str, call: Callable[[int], Awaitable[object]], times: int, parallel: int = 1
        ) -> None:
            count.reads = count.writes = 0
            spent: list[float] = []

            async def timed(number: int) -> None:
                begun = time.perf_counter()
                await call(number)
                spent.append(time.perf_counter() - begun)

            for start in range(0, times, parallel):
                await asyncio.gather(*(timed(start + n) for n in range(parallel)))
            spent.sort()
            stored = cluster.kube.items(
                secrets_path(namespace), fieldSelector="type=productive-mcp.dev/ledger"
            )
            last = max(stored, key=lambda item: int(item["metadata"]["resourceVersion"]))
            size = len(str(last["data"]))
            print(
                f"| {title} | {times} | {spent[len(spent) // 2] * 1000:.0f} "
                f"| {spent[int(len(spent) * 0.95)] * 1000:.0f} | {count.reads / times:.1f} "
                f"| {count.writes / times:.1f} | {size / 1024:.1f} |",
                flush=True,
            )

        def person(number: int) -> Person:
            return replace(ana(), uid=f"5f0c6f0e-0000-4000-8000-{number:012d}")

        await row(
            "one entry, of somebody new",
            lambda n: one.create(things, b"x", person=person(n + 10)),
            calls,
        )
        await row(
            "one entry, of ten people in turn",
            lambda n: one.create(things, b"a%d" % n, person=person(n % 10)),
            calls,
        )
        await row(
            "the same again, at another replica",
            lambda n: two.create(things, b"a%d" % n, person=person(n % 10)),
            calls,
        )
        await row("one entry, all of one person", lambda n: one.create(things, b"b%d" % n), calls)
        await row(
            "50 entries",
            lambda n: one.create(things, *(b"c%d/%d" % (n, m) for m in range(50))),
            20,
        )
        await row(
            "8 calls of one person at once",
            lambda n: one.create(things, b"d%d" % n, person=person(1000 + n // 8)),
            calls // 8 * 8,
            8,
        )
        await row(
            "8 calls of one person at once, half of them at another replica",
            lambda n: (one, two)[n % 2].create(things, b"e%d" % n, person=person(2000 + n // 8)),
            calls // 8 * 8,
            8,
        )
        await row("one entry, with a full ledger", lambda n: one.create(things, b"f%d" % n), calls)
        handles = [await one.undos.keep(ana(), b"delete 1") for _ in range(20)]
        texts = [one.text for one in handles if isinstance(one, UndoHandle)]
        await row("an undo", lambda n: two.undos.redeem(ana(), texts[n]), len(texts))
        await away(cluster, keys, things)


async def away(cluster: Cluster, keys: HeldKeys, things: Things) -> None:
    """Print how long a call waits for an API server that refuses, and for one that is silent."""
    for title, fault in (("refuses connections", None), ("is silent", HalfOpen())):
        proxy = cluster.proxy()
        api = await KubeClient.connect(
            cluster.kubeconfig("gateway", proxy=proxy), user_agent="benchmark"
        )
        async with api:
            writer = Writer(
                KubernetesGrantStore(api, cluster.names.grants), keys, limits=RetryLimits()
            )
            await writer.create(things, title.encode())
            with proxy.outage(fault) if fault else proxy.outage():
                begun = time.perf_counter()
                try:
                    await writer.create(things, title.encode() + b"!")
                except LedgerUnavailable as error:
                    seconds = time.perf_counter() - begun
                    print(f"\nAPI server {title}: refused after {seconds:.1f} s. {error}")


if __name__ == "__main__":
    main()
