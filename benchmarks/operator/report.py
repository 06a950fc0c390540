"""The figures as a table for people and as JSON for a plot or a comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.operator.scenario import Result

ONE_PASS = "steady passes"


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value that this part of all does not exceed."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def ratios(result: Result) -> dict[str, float]:
    """Return what a steady pass takes, in terms of listing and decoding the same objects."""
    steady = result.costs[ONE_PASS]
    return {
        "cpu": steady.cpu_seconds / steady.passes / result.baseline_cpu_seconds,
        "wall": steady.pass_seconds / steady.passes / result.baseline_seconds,
    }


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [asdict(result) | {"ratios": ratios(result)} for result in results]


def table(result: Result) -> str:
    """Return one size as text."""
    part = "{:20} {:>9} {:>7} {:>6} {:>6} {:>7} {:>8} {:>7} {:>8}".format
    lines = [
        f"{result.people} people",
        part("", "seconds", "CPU s", "MB", "passes", "s/pass", "requests", "writes", "statuses"),
    ]
    for name, c in result.costs.items():
        lines.append(
            part(
                name,
                f"{c.seconds:.1f}",
                f"{c.cpu_seconds:.2f}",
                f"{c.peak_mb:.0f}",
                c.passes,
                f"{c.pass_seconds / max(1, c.passes):.2f}",
                c.requests,
                f"{c.mapping_writes}/{c.writes}",
                c.status_writes,
            )
        )
    lines.append("")
    lines.append("from sending a change to using it at the gateway, seconds:")
    for name, values in result.latencies.items():
        p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
        lines.append(f"{name:20} p50 {p50:6.2f}  p99 {p99:6.2f}  of {len(values)}")
    found = ratios(result)
    lines.append(
        f"list and decode alone: {result.baseline_seconds:.2f} s, "
        f"{result.baseline_cpu_seconds:.2f} CPU s; a steady pass takes {found['wall']:.1f} times "
        f"that, and {found['cpu']:.1f} times the CPU"
    )
    return "\n".join(lines) + "\n"
