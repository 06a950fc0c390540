"""What an operator and the control plane have used: by metrics and by the kernel's account."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from benchmarks.figures.processes import cpu_seconds

from harness.operatorsite import RunningOperator
from harness.plane import Plane

WRITES = ("apply", "create", "patch")
LONGEST_ANSWER = 60.0
"""Seconds for the metrics of an operator that writes 10,000 statuses on a busy machine."""


@dataclass(frozen=True)
class Reading:
    """A moment; the difference of two is a `Cost`."""

    at: float
    cpu: float
    control_plane_cpu: float
    peak_mb: float
    samples: dict[str, float]

    def total(self, name: str, *parts: str) -> float:
        """Return the sum of a metric's samples whose labels contain all these parts."""
        return sum(
            value
            for sample, value in self.samples.items()
            if sample.startswith(name) and all(part in sample for part in parts)
        )


@dataclass(frozen=True)
class Cost:
    """What happened between two readings."""

    seconds: float
    cpu_seconds: float
    control_plane_cpu_seconds: float
    """Of API server and etcd together, for all their clients."""
    peak_mb: float
    passes: int
    pass_seconds: float
    """Of all passes together."""
    requests: int
    """The operator's own; Kopf's are a watch in ten seconds for each kind, and a list at start."""
    writes: int
    mapping_writes: int
    status_writes: int


def read(operator: RunningOperator, plane: Plane) -> Reading:
    """Take a reading."""
    url = f"http://127.0.0.1:{operator.port}/metrics"
    text = httpx.get(url, timeout=LONGEST_ANSWER, trust_env=False).text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    status = (Path("/proc") / str(operator.program.pid) / "status").read_text()
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return Reading(
        time.monotonic(),
        cpu_seconds(operator.program.pid),
        _control_plane(plane),
        int(peak) / 1024,
        {name: float(value) for name, value in lines},
    )


def at_start(plane: Plane) -> Reading:
    """Take the reading of an operator that is started now."""
    return Reading(time.monotonic(), 0.0, _control_plane(plane), 0.0, {})


def cost(start: Reading, after: Reading) -> Cost:
    """Return the difference."""

    def grown(name: str, *parts: str) -> float:
        return after.total(name, *parts) - start.total(name, *parts)

    requests = "productive_operator_kubernetes_requests_total"
    return Cost(
        seconds=after.at - start.at,
        cpu_seconds=after.cpu - start.cpu,
        control_plane_cpu_seconds=after.control_plane_cpu - start.control_plane_cpu,
        peak_mb=after.peak_mb,
        passes=int(grown("productive_operator_passes_total", 'result="ok"')),
        pass_seconds=grown("productive_operator_pass_seconds_sum"),
        requests=int(grown(requests)),
        writes=int(sum(grown(requests, f'verb="{verb}"') for verb in WRITES)),
        mapping_writes=int(grown("productive_operator_mapping_writes_total")),
        status_writes=int(grown("productive_operator_status_writes_total")),
    )


def _control_plane(plane: Plane) -> float:
    return cpu_seconds(plane.api_server.pid) + cpu_seconds(plane.etcd.pid)
