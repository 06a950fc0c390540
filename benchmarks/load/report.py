"""What was seen under load, as Markdown and as JSON."""

from __future__ import annotations

from collections import defaultdict
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
    "closed",
    "not sent",
    "most MB",
    "most descriptors",
)


def markdown(found: Loaded) -> str:
    """Return a table of the phases, one of the attacks, and the recovery."""
    by_attack: dict[str, list[str]] = defaultdict(list)
    for (name, status), count in sorted(found.attacks.items()):
        by_attack[name].append(f"{count} × {status or 'closed'}")
    attacks = [f"| {name} | {', '.join(seen)} |" for name, seen in by_attack.items()]
    held = f"{found.bytes_before / 1e6:.0f} MB, {found.descriptors_before} descriptors"
    after = f"{found.descriptors_after} descriptors"
    return "\n".join(
        [
            _line(HEAD),
            _line(["---", *["--:"] * (len(HEAD) - 1)]),
            *(_line(_row(phase)) for phase in found.phases),
            "",
            "| attack | answers |",
            "| --- | --- |",
            *attacks,
            "",
            f"Before: {held}. After: {after}; recovered in {found.recovery_seconds:.1f} s.",
        ]
    )


def as_json(found: Loaded) -> dict[str, Any]:
    return {
        "bytes_before": found.bytes_before,
        "recovery_seconds": found.recovery_seconds,
        "attacks": {f"{name}: {status}": n for (name, status), n in found.attacks.items()},
        "phases": [dict(zip(HEAD, _row(phase), strict=True)) for phase in found.phases],
    }


def _row(phase: Phase) -> list[str]:
    served = phase.outcomes[SERVED]
    p50, p99 = (
        (f"{1000 * quantile(phase.latencies, part):.0f}" if served else "-") for part in (0.5, 0.99)
    )
    return [
        phase.name,
        str(phase.clients),
        f"{phase.wanted:.0f}" if phase.wanted else "-",
        f"{phase.rate:.0f}",
        f"{1000 * phase.cpu_seconds / served:.2f}" if served else "-",
        p50,
        p99,
        str(phase.outcomes[REFUSED]),
        str(phase.outcomes[CLOSED]),
        str(phase.late),
        f"{phase.most_bytes / 1e6:.0f}",
        str(phase.most_descriptors),
    ]


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
