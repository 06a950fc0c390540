"""Gateways on a real API server that holds 1,000, 5,000 or 20,000 grants.

From the top of the repository, after `make programs` (`make grants-bench` does both):

    PYTHONPATH=tests .venv/bin/python -m benchmarks.grants 1000 --json grants.json

20,000 grants take about ten minutes, most of them for signing in. The API server and the clients
share the machine, so CPU seconds and ratios compare, and rates do not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from contextlib import closing
from pathlib import Path

from benchmarks.figures.quiet import quiet_gateway_logs
from benchmarks.grants.report import as_json, markdown, requests_table
from benchmarks.grants.requests import Requests, count_requests
from benchmarks.grants.scenario import Result, measure

from harness.build import programs
from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.plane import running_plane

NO_LIMITS = {"LIMIT_TOKEN": "0", "LIMIT_SIGN_INS": "0", "LIMIT_REGISTER": "0"}
"""One client asks for thousands."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.grants")
    parser.add_argument("sizes", nargs="*", type=int, default=[1000, 5000], metavar="GRANTS")
    parser.add_argument("--replicas", nargs="*", type=int, default=[2, 5])
    parser.add_argument("--refreshes", type=int, default=400, help="with each number of replicas")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parsed = parser.parse_args()
    quiet_gateway_logs()
    built = programs()
    results: list[Result] = []
    with running_plane(built) as plane:
        requests = _requests(Cluster(plane))
    print(requests_table(requests), flush=True)
    for size in parsed.sizes:
        # A new control plane for each: what the last one left would be in every list's way.
        with running_plane(built) as plane, closing(Cluster(plane)) as cluster:
            plan = Plan(replicas=max(parsed.replicas), gateway=NO_LIMITS)
            with Deployment(cluster, plan).running() as deployment:
                results.append(
                    asyncio.run(
                        measure(deployment, size, parsed.replicas, parsed.refreshes, parsed.starts)
                    )
                )
        print(markdown(results), flush=True)
    if parsed.json is not None:
        parsed.json.write_text(json.dumps(as_json(results, requests), indent=1) + "\n")


def _requests(cluster: Cluster) -> Requests:
    plan = Plan(replicas=2, proxied=True)
    with closing(cluster), Deployment(cluster, plan).running() as deployment:
        return count_requests(deployment)


if __name__ == "__main__":
    main()
