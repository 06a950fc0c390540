"""The figures as Markdown for people and as JSON for the plot or a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.figures.quantile import quantile
from benchmarks.operator.scenario import CHANGES, Result

ONE_PASS = "steady passes"


def ratios(result: Result) -> dict[str, float]:
    """Return what a steady pass takes, in terms of listing and decoding the same objects."""
    steady = result.costs[ONE_PASS]
    return {
        "cpu": steady.cpu_seconds / steady.passes / result.baseline_cpu_seconds,
        "wall": steady.pass_seconds / steady.passes / result.baseline_seconds,
    }


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [asdict(result) | {"ratios": ratios(result)} for result in results]


def markdown(result: Result) -> str:
    """Return one size as text."""
    found = ratios(result)
    seconds, cpu_seconds = result.baseline_seconds, result.baseline_cpu_seconds
    plain = (
        f"To list and decode the same objects, and no more, takes {seconds:.2f} s and "
        f"{cpu_seconds:.2f} CPU s: a steady pass takes {found['wall']:.1f} times that, and "
        f"{found['cpu']:.1f} times the CPU."
    )
    title = f"### {result.people:,} people"
    return "\n".join([title, "", *_costs(result), "", *_latencies(result), "", plain, ""])


def _costs(result: Result) -> Iterable[str]:
    yield _row(
        "", "passes", "s per pass", "CPU s per pass", "control plane CPU s per pass", "peak MB",
        "requests", "mapping writes", "status writes",
    )  # fmt: skip
    yield "|---|" + "--:|" * 8
    for name, cost in result.costs.items():
        passes = max(1, cost.passes)
        yield _row(
            name,
            cost.passes,
            f"{cost.pass_seconds / passes:.2f}",
            f"{cost.cpu_seconds / passes:.2f}",
            f"{cost.control_plane_cpu_seconds / passes:.2f}",
            f"{cost.peak_mb:.0f}",
            cost.requests,
            cost.mapping_writes,
            cost.status_writes,
        )


def _latencies(result: Result) -> Iterable[str]:
    yield _row("sent → in use at the gateway", "of", "p50 s", "p99 s")
    yield "|---|" + "--:|" * 3
    together = [value for name in CHANGES for value in result.latencies[name]]
    for name, values in {"any of the next four": together, **result.latencies}.items():
        yield _row(
            name, len(values), f"{quantile(values, 0.5):.2f}", f"{quantile(values, 0.99):.2f}"
        )


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
