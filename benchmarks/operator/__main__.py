"""The operator on a real API server with 100, 1,000 or 10,000 people.

From the top of the repository, after `make programs`:

    PYTHONPATH=tests .venv/bin/python -m benchmarks.operator 100 1000 --json operator.json

10,000 people take some minutes. The API server shares the machine, so only ratios compare.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from contextlib import closing
from pathlib import Path

import structlog
from benchmarks.operator.report import as_json, markdown
from benchmarks.operator.scenario import Result, measure

from harness.build import programs
from harness.cluster import Cluster
from harness.plane import running_plane


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.operator")
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1000], metavar="PEOPLE")
    parser.add_argument("--repeats", type=int, default=20, help="changes of each kind")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parsed = parser.parse_args()
    # The gateway's part logs each mapping that it loads.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    results: list[Result] = []
    for size in parsed.sizes:
        # A new control plane for each: what the last one left would be in every list's way.
        with running_plane(programs()) as plane, closing(Cluster(plane)) as cluster:
            results.append(asyncio.run(measure(cluster, size, parsed.repeats)))
        print(markdown(results[-1]), flush=True)
    if parsed.json is not None:
        parsed.json.write_text(json.dumps(as_json(results), indent=1) + "\n")


if __name__ == "__main__":
    main()
