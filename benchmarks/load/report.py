"""What was seen under load, as Markdown and as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks.figures.quantile import quantile
from benchmarks.load.verdict import CLOSED, REFUSED, SERVED, Loaded, Phase

HEAD = (
    "load",
    "clients",
    "due per s",
    "served per s",
    "CPU ms each",
    "p50 ms",
    "p99 ms",
    "refused",
    "refusal p99 ms",
    "closed",
    "not sent",
    "sent late p99 ms",
    "lives p99 ms",
    "most MB",
    "most descriptors",
)
KINDS = ("kind, at each load", "served", "p50 ms", "p99 ms")


def markdown(found: Loaded) -> str:
    """Return tables of the phases, of the kinds and of the attacks, and the recovery."""
    by_attack: dict[str, list[str]] = defaultdict(list)
    for (name, status), count in sorted(found.attacks.items()):
        by_attack[name].append(f"{count} × {status or 'closed'}")
    attacks = [f"| {name} | {', '.join(seen)} |" for name, seen in by_attack.items()]
    held = f"{found.bytes_before / 1e6:.0f} MB, {found.descriptors_before} descriptors"
    after = f"{found.bytes_after / 1e6:.0f} MB, {found.descriptors_after} descriptors"
    machine = f"Load of the machine: {found.load_average:.1f}."
    return "\n".join(
        [
            _line(HEAD),
            _line(["---", *["--:"] * (len(HEAD) - 1)]),
            *(_line(_row(phase)) for phase in found.phases),
            "",
            _line(KINDS),
            _line(["---", *["--:"] * (len(KINDS) - 1)]),
            *(_line(row) for row in _kind_rows(found.phases)),
            "",
            "| attack | answers |",
            "| --- | --- |",
            *attacks,
            "",
            f"Before: {held}. After: {after}; recovered in {found.recovery_seconds:.1f} s.",
            machine,
        ]
    )


def as_json(found: Loaded) -> dict[str, Any]:
    return {
        "bytes_before": found.bytes_before,
        "bytes_after": found.bytes_after,
        "load_average": found.load_average,
        "recovery_seconds": found.recovery_seconds,
        "attacks": {f"{name}: {status}": n for (name, status), n in found.attacks.items()},
        "outcomes": {phase.name: dict(phase.outcomes) for phase in found.phases},
        "phases": [dict(zip(HEAD, _row(phase), strict=True)) for phase in found.phases],
        "kinds": _kind_rows(found.phases),
    }


def _row(phase: Phase) -> list[str]:
    served = phase.outcomes[SERVED]
    return [
        phase.name,
        str(phase.clients),
        f"{phase.wanted:.0f}" if phase.wanted else "-",
        f"{phase.rate:.0f}",
        f"{1000 * phase.cpu_seconds / served:.2f}" if served else "-",
        _milliseconds(phase.served, 0.5),
        _milliseconds(phase.served, 0.99),
        str(phase.outcomes[REFUSED]),
        _milliseconds(phase.refusals, 0.99),
        str(phase.outcomes[CLOSED]),
        str(phase.late),
        _milliseconds(phase.waits, 0.99),
        _milliseconds(phase.probes, 0.99),
        f"{phase.most_bytes / 1e6:.0f}",
        str(phase.most_descriptors),
    ]


def _kind_rows(phases: Sequence[Phase]) -> list[list[str]]:
    return [
        [
            f"{kind}, {phase.name}",
            str(len(seconds)),
            _milliseconds(seconds, 0.5),
            _milliseconds(seconds, 0.99),
        ]
        for phase in phases
        for kind, seconds in sorted(phase.latencies.items())
    ]


def _milliseconds(seconds: Sequence[float], part: float) -> str:
    return f"{1000 * quantile(seconds, part):.0f}" if seconds else "-"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
