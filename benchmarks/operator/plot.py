"""A picture of the figures in a JSON file of `python -m benchmarks.operator`.

uv run --no-project --with matplotlib benchmarks/operator/plot.py operator.json operator.svg
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

AIM_SECONDS = 2.0


def main() -> None:
    source, target = sys.argv[1:]
    results: list[dict[str, Any]] = json.loads(Path(source).read_text())
    sizes = [result["people"] for result in results]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    for name in ("a change", "a rotation", "a new person", "a removal"):
        worst = [max(result["latencies"][name]) for result in results]
        left.plot(sizes, worst, marker="o", label=name)
    left.axhline(AIM_SECONDS, linestyle=":", color="grey")
    left.set(title="sent → in use at the gateway, the slowest", ylabel="seconds")
    steady = [result["costs"]["steady passes"] for result in results]
    passes = [cost["cpu_seconds"] / cost["passes"] for cost in steady]
    right.plot(sizes, passes, marker="o", label="a steady pass")
    plain = [result["baseline_cpu_seconds"] for result in results]
    right.plot(sizes, plain, marker="o", label="list and decode alone")
    right.set(title="CPU of a pass", ylabel="CPU seconds", yscale="log")
    for axes in (left, right):
        axes.set(xlabel="people", xscale="log")
        axes.legend()
    figure.tight_layout()
    figure.savefig(target)


if __name__ == "__main__":
    main()
