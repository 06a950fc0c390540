"""The load generator: wrk with a script of ours, which sends given requests in turn."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 16

SCRIPT = """
local requests = {%s}
local turn = 0
function request()
  turn = turn %% #requests + 1
  return requests[turn]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("\\n%s %%d %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.status,
    e.connect + e.read + e.write + e.timeout))
end
"""
MARK = "FIGURES"


class LoadFailed(Exception):
    """The load generator did not run, or the server did not answer as expected."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk reports; times in seconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int
    """Answers with a status above 399."""
    broken: int
    """Connections that failed, and answers that did not come in time."""

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def lua_string(data: bytes) -> str:
    """Return a string of Lua with these bytes."""
    plain = b'"\\'
    return '"{}"'.format(
        "".join(
            chr(byte) if 32 <= byte < 127 and byte not in plain else f"\\{byte:03d}"
            for byte in data
        )
    )


def script(requests: Sequence[bytes]) -> str:
    """Return the script that sends these requests in turn."""
    return SCRIPT % (",".join(map(lua_string, requests)), MARK)


def parse(output: str) -> Load:
    """Return what the script has written at the end.

    Raises:
        LoadFailed: it has not, or nothing was answered.
    """
    lines = [line.split() for line in output.splitlines() if line.startswith(MARK)]
    if len(lines) != 1 or len(lines[0]) != 7:
        raise LoadFailed(f"no figures in the output of wrk:\n{output[-500:]}")
    requests, duration, p50, p99, refused, broken = map(int, lines[0][1:])
    if not requests or not duration:
        raise LoadFailed(f"nothing was answered:\n{output[-500:]}")
    return Load(requests, duration / 1e6, p50 / 1e6, p99 / 1e6, refused, broken)


def run(
    port: int,
    requests: Sequence[bytes],
    *,
    seconds: int,
    core: int,
    folder: Path,
    connections: int = CONNECTIONS,
) -> Load:
    """Send requests for some seconds over all connections, from one core.

    Raises:
        LoadFailed: see `parse`.
    """
    file = folder / f"requests-{port}.lua"
    file.write_text(script(requests))
    command = ["taskset", "-c", str(core), wrk(), "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["--timeout", "10s", "-s", str(file), f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return parse(done.stdout + done.stderr)


def wrk() -> str:
    """Return the program.

    Raises:
        LoadFailed: it is not installed.
    """
    found = shutil.which("wrk")
    if found is None:
        raise LoadFailed("wrk was not found: run bin/load-generator, or install it.")
    return found
