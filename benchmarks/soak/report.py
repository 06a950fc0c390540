"""What was seen in a soak, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.figures.quantile import quantile
from benchmarks.soak.verdict import Soaked, State, growth


def markdown(found: Soaked) -> str:
    """Return two columns: what was looked at, and what was seen."""
    rows = [("what", "seen"), ("---", "---"), *_rows(found)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_json(found: Soaked) -> dict[str, Any]:
    return {
        "seconds": found.seconds,
        "outcomes": dict(found.outcomes),
        "wrong": found.wrong,
        "latencies": found.latencies,
        "revocations": [[state.name, seconds] for state, seconds in found.revocations],
        "disturbances": [[one.kind, one.begun, one.ended] for one in found.disturbances],
        "samples": [
            [one.at, one.gateway, one.resident_bytes, one.descriptors] for one in found.samples
        ],
        "objects": found.objects,
    }


def _rows(found: Soaked) -> Iterator[tuple[str, str]]:
    yield "seconds", f"{found.seconds:.0f}"
    for name, count in sorted(found.outcomes.items()):
        yield name, f"{count:,}"
    for name, seconds in sorted(found.latencies.items()):
        median, slow = (1000 * quantile(seconds, part) for part in (0.5, 0.99))
        yield f"{name}: p50, p99, max ms", f"{median:.0f}, {slow:.0f}, {1000 * max(seconds):.0f}"
    for state in State:
        served = [each for one, each in found.revocations if one is state]
        if served:
            quantiles = ", ".join(f"{quantile(served, part):.1f}" for part in (0.5, 0.99, 1.0))
            yield (
                f"taken away, {state.name.lower()}: times, p50, p99, max s (bound)",
                f"{len(served)}, {quantiles} ({state.value:g})",
            )
    for kind in sorted({one.kind for one in found.disturbances}):
        own = [one for one in found.disturbances if one.kind == kind]
        yield (
            f"{kind}: times, longest s",
            f"{len(own)}, {max(one.ended - one.begun for one in own):.1f}",
        )
    if found.samples:
        yield "most MB of a gateway", f"{max(x.resident_bytes for x in found.samples) / 1e6:.0f}"
        yield "most descriptors", str(max(x.descriptors for x in found.samples))
    yield (
        "memory after a minute and at the end",
        f"at most {growth(found.samples):.2f} \N{MULTIPLICATION SIGN}",
    )
    yield "objects before, after", f"{found.objects[0]:,}, {found.objects[1]:,}"
