"""One replica under more load than it bears, among slow and hostile clients.

From the top of the repository, after `make programs` (`make load` does both, LOAD_SECONDS=300):

    PYTHONPATH=tests .venv/bin/python -m benchmarks.load --seconds 60

200 clients of 200 people send as fast as they can: calls of tools that read and write at the
simulator, lists, refreshes. From what they get, ever lower rates are tried until one is borne. The
clients then send at that rate for a while, then 400 clients at twice that, while others hold
connections and streams open and send what must be refused. The exit code is 1 if the gateway
ended, grew, answered late or wrongly, refused without saying when to try again, served much less
than it can, or did not recover. Clients, simulator and API server share the machine with it, so
only ratios compare.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import closing
from pathlib import Path

from benchmarks.figures.quiet import quiet_gateway_logs
from benchmarks.grants.population import sign_in_all
from benchmarks.load.people import working_people
from benchmarks.load.report import as_json, markdown
from benchmarks.load.run import CLIENTS, load
from benchmarks.load.verdict import Loaded, failures

from harness.build import programs
from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.plane import running_plane

NO_BUDGET = {"PRODUCTIVE_REQUESTS_PER_30_MIN": "10000000"}
"""Otherwise Productive's limit would be what is measured."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.load")
    parser.add_argument("--seconds", type=float, default=300.0, help="of each of two phases")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parsed = parser.parse_args()
    quiet_gateway_logs()
    plan = Plan(replicas=1, gateway=NO_BUDGET)
    with (
        running_plane(programs()) as plane,
        closing(Cluster(plane)) as cluster,
        Deployment(cluster, plan).running() as deployment,
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
    # One more than the clients: the last one attacks.
    population = await working_people(deployment, CLIENTS + 1)
    await sign_in_all(deployment, population, 2 * CLIENTS + 2)
    attacker = population.people[-1].email
    own = [held for held in population.held if held.email == attacker]
    others = [held for held in population.held if held.email != attacker]
    return await load(deployment, others, population.client_id, own[0], seconds)


if __name__ == "__main__":
    main()
