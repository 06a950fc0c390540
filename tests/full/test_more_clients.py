"""Clients of the command line, which ask for a browser by `xdg-open`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.deployment import environment
from harness.npm import FULL, node, program
from harness.standalone import ANA, Standalone, standalone

NAME = "Ana Kovač"
OPENER = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import httpx
from harness.forms import follow
from harness.signin import query_of
address = sys.argv[1]
reached = follow(address, {{"email": {ANA!r}}}, until=query_of(address)["redirect_uri"])
httpx.get(reached, trust_env=False)
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Standalone]:
    with standalone() as mine:
        mine.start_dev_provider()
        mine.start_gateway()
        opener = mine.folder / "bin" / "xdg-open"
        opener.parent.mkdir()
        opener.write_text(OPENER)
        opener.chmod(0o755)
        yield mine


def run(site: Standalone, *command: str | Path) -> str:
    """Run a client with a home of its own; return what it prints."""
    done = subprocess.run(
        command,
        env=environment({})
        | {
            "HOME": str(site.folder),
            "PATH": f"{site.folder / 'bin'}:{node().parent}:{os.environ['PATH']}",
            "BROWSER": str(site.folder / "bin" / "xdg-open"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_mcporter_signs_in_and_calls(site: Standalone) -> None:
    tool = program("mcporter", FULL)
    run(site, node(), tool, "auth", site.mcp_url, "--allow-http")
    assert NAME in run(site, node(), tool, "call", f"{site.mcp_url}.get_me", "--allow-http")


@pytest.mark.parametrize("era", ["modern", "auto", "legacy"])
def test_inspector_signs_in_and_calls(site: Standalone, era: str) -> None:
    words = [
        f"{node()} {program('mcp-inspector', FULL)} --cli {site.mcp_url}",
        f"--transport http --method tools/call --tool-name get_me --protocol-era {era}",
        "--format json",
    ]
    # It signs in only on a terminal.
    assert NAME in run(site, "script", "-qec", " ".join(words), "/dev/null")
