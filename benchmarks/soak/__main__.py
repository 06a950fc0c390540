"""An installation under disturbances for minutes: does it keep its promises to people?

From the top of the repository, after `make programs` (`make soak` does both, SOAK_MINUTES=10):

    PYTHONPATH=tests .venv/bin/python -m benchmarks.soak --minutes 5

2,000 people with 5,000 grants use three replicas. Meanwhile the replicas are restarted one after
the other, the API server is killed and started again, twice each, and all watches are cut every
minute. Every few seconds somebody's grant is taken away. The exit code is 1 if anybody was refused
who had access, if somebody was served for too long who had none, or if memory or objects grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from contextlib import closing
from pathlib import Path

from benchmarks.figures.quiet import quiet_gateway_logs
from benchmarks.grants.population import populate, sign_in_all
from benchmarks.soak.report import as_json, markdown
from benchmarks.soak.run import soak
from benchmarks.soak.verdict import Soaked, failures

from harness.build import programs
from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.plane import running_plane


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--grants", type=int, default=5000)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parsed = parser.parse_args()
    quiet_gateway_logs()
    # The proxies cut connections on purpose.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    with running_plane(programs()) as plane, closing(Cluster(plane)) as cluster:
        plan = Plan(replicas=parsed.replicas, proxied=True)
        with Deployment(cluster, plan).running() as deployment:
            found = asyncio.run(
                _soaked(deployment, parsed.people, parsed.grants, 60 * parsed.minutes)
            )
    print(markdown(found))
    if parsed.json is not None:
        parsed.json.write_text(json.dumps(as_json(found), indent=1) + "\n")
    broken = failures(found)
    for failure in broken:
        print(f"FAILED: {failure}")
    sys.exit(1 if broken else 0)


async def _soaked(deployment: Deployment, people: int, grants: int, seconds: float) -> Soaked:
    population = await populate(deployment, people)
    for gateway in deployment.gateways:
        gateway.kill()  # so that none follows all the sign-ins
    await sign_in_all(deployment, population, grants)
    return await soak(deployment, population, seconds)


if __name__ == "__main__":
    main()
