"""One replica under more load than it bears, among slow and hostile clients.

From the top of the repository, after `make programs` (`make load` does both, LOAD_SECONDS=300):

    PYTHONPATH=tests .venv/bin/python -m benchmarks.load --seconds 60

First 200 clients send as fast as they can, which gives the rate that one replica bears; then they
send at that rate for a while, then 400 at twice that while others hold connections open and send
what must be refused. The exit code is 1 if the gateway ended, grew, answered late or wrongly, or
did not recover. The clients share the machine with it, so only ratios compare.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import closing
from pathlib import Path

from benchmarks.figures.quiet import quiet_gateway_logs
from benchmarks.grants.population import populate, sign_in_all
from benchmarks.load.client import list_tools
from benchmarks.load.report import as_json, markdown
from benchmarks.load.run import CLIENTS, load
from benchmarks.load.verdict import Loaded, failures

from harness.build import programs
from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.plane import running_plane

PEOPLE = 50


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.load")
    parser.add_argument("--seconds", type=float, default=300.0, help="of each of two phases")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parsed = parser.parse_args()
    quiet_gateway_logs()
    with (
        running_plane(programs()) as plane,
        closing(Cluster(plane)) as cluster,
        Deployment(cluster, Plan(replicas=1)).running() as deployment,
    ):
        found = asyncio.run(_loaded(deployment, parsed.seconds))
    print(markdown(found))
    if parsed.json is not None:
        parsed.json.write_text(json.dumps(as_json(found), indent=1) + "\n")
    broken = failures(found)
    for failure in broken:
        print(f"FAILED: {failure}")
    sys.exit(1 if broken else 0)


async def _loaded(deployment: Deployment, seconds: float) -> Loaded:
    population = await populate(deployment, PEOPLE)
    await sign_in_all(deployment, population, CLIENTS)
    host = deployment.url.removeprefix("http://")
    tokens = [held.tokens.access_token for held in population.held]
    return await load(deployment, [list_tools(host, token) for token in tokens], tokens[0], seconds)


if __name__ == "__main__":
    main()
