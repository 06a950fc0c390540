"""The MCP endpoint beside other servers, in one run.

From the top of the repository (`make mcp-bench` does all of it):

    make programs
    bin/load-generator
    PYTHONPATH=tests .venv/bin/python -m benchmarks.mcp --json mcp.json

Servers share one core, the load generator has another. CPU time per request hardly depends on what
else the machine does; requests per second and latencies do.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.mcp.cases import Case, cases
from benchmarks.mcp.measure import measure
from benchmarks.mcp.replicas import measure_replicas
from benchmarks.mcp.report import as_json, markdown
from benchmarks.mcp.site import site


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.mcp")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each row in each round")
    parser.add_argument("--starts", type=int, default=5, help="of each server")
    parser.add_argument(
        "--only", action="append", metavar="SERVER", help="measure this server; may be repeated"
    )
    parser.add_argument(
        "--no-cluster", action="store_true", help="leave out what needs `make programs`"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parsed = parser.parse_args()
    with site() as made:
        run = measure(
            made,
            chosen(parsed.only),
            rounds=parsed.rounds,
            seconds=parsed.seconds,
            starts=parsed.starts,
        )
    if not parsed.no_cluster:
        run.replicas = measure_replicas(rounds=parsed.rounds, seconds=parsed.seconds)
    print(markdown(run))
    if parsed.json is not None:
        parsed.json.parent.mkdir(parents=True, exist_ok=True)
        parsed.json.write_text(json.dumps(as_json(run), indent=1, ensure_ascii=False) + "\n")


def chosen(only: list[str] | None) -> list[Case]:
    """Return the rows of some servers, with their variants; of all by default."""
    return [case for case in cases() if not only or case.server.startswith(tuple(only))]


if __name__ == "__main__":
    main()
