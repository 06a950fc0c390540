"""How long somebody or something that was taken away is still served, in each state.

From the top of the repository, after `make programs` (`make revocation` does both):

    PYTHONPATH=tests .venv/bin/python -m benchmarks.revocation --json revocation.json

Operator and two gateways are processes on a real API server, which they reach through proxies that
make the faults. In each run two people (one deleted, one suspended) and two grants (one deleted,
one revoked by its client at one replica) are taken away while every replica is asked five times a
second. It takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.revocation.held import BODY, CALL, measure_held
from benchmarks.revocation.report import as_json, markdown
from benchmarks.revocation.run import Result, Samples, measure
from benchmarks.revocation.states import STATES, State

from harness.build import programs
from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.plane import Plane, running_plane

LONG_RUNS = 3
AT_A_TIME = 3
"""Installations that are measured side by side, each with programs of its own."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.revocation")
    parser.add_argument("--runs", type=int, default=6, help="of each state; long ones have 3")
    parser.add_argument(
        "--only", nargs="*", default=[""], help="measure states whose name contains one of these"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parsed = parser.parse_args()
    # The proxies cut connections on purpose.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    states = [state for state in STATES if _named(state.name, parsed.only)]
    results: dict[str, Result] = {state.name: _new() for state in states}
    held = {name: _new() for name in (BODY, CALL) if _named(name, parsed.only)}
    built = programs()
    with running_plane(built) as plane:
        _measure_side_by_side(
            plane, [state for state in states if not state.own_plane], parsed.runs, results, held
        )
    for state in states:
        if state.own_plane:
            with running_plane(built) as plane:
                _measure(plane, state, parsed.runs, results[state.name])
    print(markdown(results | held))
    if parsed.json is not None:
        parsed.json.write_text(json.dumps(as_json(results | held), indent=1) + "\n")


def _measure_side_by_side(
    plane: Plane,
    states: list[State],
    runs: int,
    results: dict[str, Result],
    held: dict[str, Result],
) -> None:
    # Nothing happens in long states for minutes, so they get threads beside the others.
    long = [state for state in states if state.is_long for _ in range(LONG_RUNS)]
    with (
        ThreadPoolExecutor(AT_A_TIME) as pool,
        ThreadPoolExecutor(max(1, len(long))) as beside,
    ):
        jobs = [beside.submit(_measure, plane, s, 1, results[s.name]) for s in long]
        short = [state for state in states if not state.is_long]
        jobs += [pool.submit(_measure, plane, s, runs, results[s.name]) for s in short]
        if held:
            jobs.append(pool.submit(_measure_held, plane, runs, held))
    for job in jobs:
        job.result()


def _measure(plane: Plane, state: State, runs: int, result: Result) -> None:
    with _running(plane) as deployment:
        measure(deployment, state, runs, result)
    print(markdown({state.name: result}).splitlines()[-1], flush=True)


def _measure_held(plane: Plane, runs: int, results: dict[str, Result]) -> None:
    with _running(plane) as deployment:
        measure_held(deployment, max(1, runs // 2), results)
    print(*markdown(results).splitlines()[2:], sep="\n", flush=True)


def _named(name: str, wanted: list[str]) -> bool:
    return any(part in name for part in wanted)


@contextmanager
def _running(plane: Plane) -> Iterator[Deployment]:
    with (
        closing(Cluster(plane)) as cluster,
        Deployment(cluster, Plan(replicas=2, proxied=True)).running() as deployment,
    ):
        yield deployment


def _new() -> Result:
    return {"person": Samples(), "grant": Samples()}


if __name__ == "__main__":
    main()
