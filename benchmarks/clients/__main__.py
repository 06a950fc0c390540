"""Public clients of Productive against the simulator: does it answer as they expect?

From the top of the repository:

    PYTHONPATH=tests .venv/bin/python -m benchmarks.clients            # those of package registries
    PYTHONPATH=tests .venv/bin/python -m benchmarks.clients all        # those of GitHub, too

Each client is installed into the cache folder once and run against a simulator of its own. A flow
that fails without a reason, or works although it has one, fails the command.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from benchmarks.clients import berwickgeek, druellan, studiometa, time_mcp
from benchmarks.clients.flows import Client
from benchmarks.clients.session import access_of, call, client_session, simulated
from benchmarks.clients.sources import installed

CLIENTS = {
    client.source.name: client
    for client in (time_mcp.CLIENT, berwickgeek.CLIENT, druellan.CLIENT, studiometa.CLIENT)
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.clients")
    parser.add_argument(
        "which", nargs="?", choices=["packaged", "all", *CLIENTS], default="packaged"
    )
    parser.add_argument(
        "--from", type=Path, dest="mirror", help="git repositories OWNER+NAME, not GitHub's"
    )
    parsed = parser.parse_args()
    failures = []
    print("| client | flows | as the client expects | refused for a reason | failures |")
    print("|---|--:|--:|--:|--:|")
    for name, client in CLIENTS.items():
        if not _chosen(parsed.which, client):
            continue
        found = asyncio.run(run(client, parsed.mirror))
        failures += [f"{name}: {one}" for one in found]
        refused = sum(flow.refused is not None for flow in client.flows)
        total = len(client.flows)
        title = f"{name} {client.source.version}"
        print(f"| {title} | {total} | {total - refused} | {refused} | {len(found)} |", flush=True)
    print("", *failures, sep="\n")
    sys.exit(bool(failures))


def _chosen(which: str, client: Client) -> bool:
    return which in ("all", client.source.name) or (which == "packaged" and client.source.packaged)


async def run(client: Client, mirror: Path | None = None) -> list[str]:
    """Run a client's flows; return what was not as it has to be."""
    folder, failures = installed(client.source, mirror), []
    async with simulated() as running:
        command = client.source.start(folder, access_of(running, *client.person))
        async with client_session(command) as session:
            for flow in client.flows:
                before = len(running.world.log)
                answer = await call(session, flow.tool, flow.arguments)
                refused = [
                    f"{one.status} {one.method} {one.path}?{one.query}"
                    for one in list(running.world.log)[before:]
                    if one.status >= 400
                ]
                if answer.failed and flow.refused is None:
                    said = " ".join(answer.text.split())[:200]
                    failures.append(f"{flow} failed: {said} {'; '.join(refused)}")
                elif not answer.failed and flow.refused is not None:
                    failures.append(f"{flow} worked, although: {flow.refused}")
    return failures


if __name__ == "__main__":
    main()
