"""How long a gateway takes until it is ready and knows all grants, and what that costs."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from benchmarks.figures.processes import cpu_seconds

from harness.deployment import Deployment

LIVE = re.compile(r'^productive_mcp_grants\{state="active"\} (\S+)$', re.MULTILINE)
_STATUS = re.compile(r"^(VmRSS|VmHWM):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a gateway."""

    ready_seconds: float
    """Until /readyz."""
    known_seconds: float
    """Until it knows all grants; it serves before that, and asks for each that it does not know."""
    cpu_seconds: float
    """Of the gateway, until it knows all grants."""
    server_cpu_seconds: float
    """Of the API server meanwhile."""
    resident_bytes: int
    """When it knows all grants."""
    peak_bytes: int


def start(deployment: Deployment, grants: int, number: int = 0) -> Start:
    """Start a gateway anew and wait until it knows so many grants."""
    deployment.refresh_mounts()
    gateway, port = deployment.gateways[number], deployment.internal_ports[number]
    server = deployment.cluster.plane.api_server.pid
    before = cpu_seconds(server)
    begun = time.monotonic()
    gateway.restart()
    deployment.until_ready(number)
    ready = time.monotonic() - begun
    gateway.until(lambda: live_grants(metrics(port)) >= grants, seconds=300)
    known = time.monotonic() - begun
    resident, peak = memory(gateway.pid)
    return Start(
        ready, known, cpu_seconds(gateway.pid), cpu_seconds(server) - before, resident, peak
    )


def metrics(port: int) -> str:
    """Return the metrics of a gateway."""
    return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60, trust_env=False).text


def live_grants(text: str) -> int:
    """Return how many grants a gateway knows, by its metrics."""
    found = LIVE.search(text)
    return int(float(found[1])) if found else 0


def memory(pid: int) -> tuple[int, int]:
    """Return the bytes that a process holds, and the most that it ever held."""
    return parse_memory((Path("/proc") / str(pid) / "status").read_text())


def reset_peak(pid: int) -> int:
    """Begin the most that a process ever held anew, and return what it holds."""
    (Path("/proc") / str(pid) / "clear_refs").write_text("5")
    return memory(pid)[0]


def parse_memory(status: str) -> tuple[int, int]:
    """Read `/proc/PID/status`."""
    sizes = {name: int(kilobytes) * 1024 for name, kilobytes in _STATUS.findall(status)}
    return sizes["VmRSS"], sizes["VmHWM"]
