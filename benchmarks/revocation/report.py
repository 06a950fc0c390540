"""The figures as a Markdown table and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from benchmarks.revocation.run import Result, Samples

HEAD = ("state", "person: median s", "max s", "then", "grant: median s", "max s", "then")


def markdown(results: Mapping[str, Result]) -> str:
    """Return one line for each state."""
    rows = [HEAD, ("---", *["--:", "--:", "---"] * 2)]
    for name, result in results.items():
        rows.append((name, *_cells(result["person"]), *_cells(result["grant"])))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_json(results: Mapping[str, Result]) -> dict[str, Any]:
    return {
        name: {
            thing: {
                "served": samples.served,
                "after": samples.after,
                "answers": dict(samples.answers),
            }
            for thing, samples in result.items()
        }
        for name, result in results.items()
    }


def _cells(samples: Samples) -> Iterator[str]:
    if samples.after:
        yield f"its end + {median(samples.after):.1f}"
        yield f"its end + {max(samples.after):.1f}"
    elif samples.served:
        yield f"{median(samples.served):.1f}"
        yield f"{max(samples.served):.1f}"
    else:
        yield from ("-", "-")
    yield ", ".join(sorted(samples.answers)) or "-"
