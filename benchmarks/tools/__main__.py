"""What everyday work takes with the tools, beside other servers on the same simulator.

From the top of the repository (`make tools-bench` does both):

    bin/bootstrap tokens
    PYTHONPATH=tests .venv/bin/python -m benchmarks.tools --json tools.json

Other servers are fetched and installed into the cache folder once, see `benchmarks.clients`;
`--peers none` leaves them out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from pathlib import Path
from subprocess import CalledProcessError
from typing import Literal

import structlog
from benchmarks.tools import generic, ours, peers
from benchmarks.tools.report import Report, as_json, markdown
from benchmarks.tools.tokens import tokenizer
from benchmarks.workflows.rows import WORKFLOWS


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.tools")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument(
        "--peers", choices=("all", "packaged", "none"), default="all", help="packaged: no git"
    )
    parser.add_argument(
        "--from", type=Path, dest="mirror", help="git repositories OWNER+NAME, not GitHub's"
    )
    parsed = parser.parse_args()
    counted_with = tokenizer()
    # Every call of a tool writes a line; what fails is in the table.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    report = asyncio.run(measure(parsed.peers, parsed.mirror))
    print(markdown(report), f"Tokens: {counted_with}.", sep="\n")
    if parsed.json is not None:
        parsed.json.parent.mkdir(parents=True, exist_ok=True)
        parsed.json.write_text(json.dumps(as_json(report), indent=1, ensure_ascii=False) + "\n")


async def measure(which: Literal["all", "packaged", "none"], mirror: Path | None) -> Report:
    """Do all workflows with all servers."""
    report = Report(await ours.definitions(), await ours.tool_tokens(), WORKFLOWS)
    for workflow in WORKFLOWS:
        if lacking := ours.missing(workflow):
            report.missing[workflow.row] = lacking
        else:
            report.ours[workflow.row] = await ours.measure(workflow)
        report.generic[workflow.row] = await generic.measure(workflow)
    for peer in peers.PEERS:
        if which == "all" or (which == "packaged" and peer.source.packaged):
            try:
                report.peers.append(await peers.measure(peer, mirror))
            except (OSError, CalledProcessError) as error:
                report.absent[peer.source.name] = str(error)
    return report


if __name__ == "__main__":
    main()
