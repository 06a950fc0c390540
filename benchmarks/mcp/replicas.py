"""One replica and three, on a real API server: does a call cost more where there are several?

All grants are in Kubernetes, and a token works at every replica. The load goes to the replicas
directly, in turns to one of them and to all, over the same number of connections in all.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from benchmarks.figures.processes import session_of
from benchmarks.mcp import load
from benchmarks.mcp.cases import ADD
from benchmarks.mcp.load import CONNECTIONS, LoadFailed
from benchmarks.mcp.measure import PATH, Sample, median_of
from benchmarks.mcp.server import Cores
from benchmarks.mcp.sign_in import PEOPLE
from benchmarks.mcp.site import ROOT
from benchmarks.mcp.wire import MODERN, call

from harness.build import programs
from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.plane import running_plane
from harness.signin import Visitor

REPLICAS = 3


def measure_replicas(*, rounds: int, seconds: int) -> dict[int, Sample]:
    """Return the medians by number of replicas.

    Raises:
        LoadFailed: a replica does not answer as expected.
    """
    plan = Plan(
        replicas=REPLICAS,
        gateway={"LOG_LEVEL": "info", "PYTHONPATH": str(ROOT)},
        gateway_command=(sys.executable, "-m", "benchmarks.mcp.gateway", "serve"),
    )
    with (
        running_plane(programs()) as plane,
        closing(Cluster(plane)) as cluster,
        Deployment(cluster, plan).running() as deployment,
    ):
        cores = Cores.of_this_machine()
        for gateway in deployment.gateways:
            _pin(gateway.pid, cores.server)
        message = call("add", MODERN, **ADD)
        host = deployment.url.removeprefix("http://")
        requests = [message.to(host, PATH, token) for token in _sign_in(deployment)]
        ways = {1: [0], REPLICAS: list(range(REPLICAS))}
        samples: dict[int, list[Sample]] = {count: [] for count in ways}
        for number in range(rounds + 1):
            for count, used in ways.items():
                found = _round(deployment, used, requests, seconds=seconds, core=cores.others)
                if number:  # the first is for warming up
                    samples[count].append(found)
    return {count: median_of(found) for count, found in samples.items()}


def _sign_in(deployment: Deployment) -> list[str]:
    tokens = []
    for email, (token, number) in PEOPLE.items():
        name = email.partition("@")[0].replace(".", "-")
        deployment.people.add(name, email=email, user_id=number, token=token)
        with Visitor(deployment) as visitor:
            tokens.append(str(visitor.tokens(visitor.register(), email)["access_token"]))
    return tokens


def _round(
    deployment: Deployment,
    replicas: Sequence[int],
    requests: Sequence[bytes],
    *,
    seconds: int,
    core: int,
) -> Sample:
    def one(replica: int) -> load.Load:
        return load.run(
            deployment.ports[replica],
            requests,
            seconds=seconds,
            core=core,
            folder=deployment.cluster.folder,
            connections=CONNECTIONS // len(replicas),
        )

    before = _cpu(deployment)
    with ThreadPoolExecutor(len(replicas)) as pool:
        found = list(pool.map(one, replicas))
    used = _cpu(deployment) - before
    if any(one.broken or one.refused for one in found):
        raise LoadFailed(f"a replica did not answer as expected: {found}")
    return Sample(
        cpu=used / sum(one.requests for one in found),
        rate=sum(one.rate for one in found),
        p50=statistics.median(one.p50 for one in found),
        p99=max(one.p99 for one in found),
    )


def _cpu(deployment: Deployment) -> float:
    """Return what all replicas have used, those without load too."""
    return sum(
        stat.cpu_seconds for gateway in deployment.gateways for stat in session_of(gateway.pid)
    )


def _pin(pid: int, core: int) -> None:
    """Let all threads of a process run on one core."""
    for thread in (Path("/proc") / str(pid) / "task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
