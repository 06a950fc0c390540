"""A picture of the figures in a JSON file of `python -m benchmarks.operator`.

PYTHONPATH=tests .venv/bin/python -m benchmarks.operator.plot operator.json docs/operator.svg
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures.quantile import quantile
from benchmarks.figures.svg import AIM, COLOURS, GRID, QUIET, LogAxis, document, text
from benchmarks.operator.report import ONE_PASS
from benchmarks.operator.scenario import CHANGES

WIDTH, HEIGHT = 300, 240
"""Of one panel, in pixels; the axes leave room for numbers and words."""
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 34, 40

Point = tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """Lines over the number of people, both axes logarithmic."""

    title: str
    lowest: float
    highest: float
    """Powers of ten."""
    lines: dict[str, list[Point]]
    aim: float | None = None

    def draw(self, sizes: list[int]) -> Iterator[str]:
        """Yield SVG elements."""
        yield text(LEFT, 16, self.title, font_weight="600")
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        axis = LogAxis(self.lowest, self.highest, bottom, TOP)
        for power in axis.powers():
            y = axis.at(power)
            yield f'<path d="M{LEFT} {y:.1f}H{right}" stroke="{GRID}"/>'
            yield text(LEFT - 6, y + 4, f"{power:g}", text_anchor="end")
        for size in sizes:
            yield text(self._x(size, sizes), bottom + 16, f"{size:,}", text_anchor="middle")
        yield text((LEFT + right) / 2, bottom + 32, "people", text_anchor="middle")
        if self.aim is not None:
            y = axis.at(self.aim)
            yield f'<path d="M{LEFT} {y:.1f}H{right}" stroke="{AIM}" stroke-dasharray="3 3"/>'
            yield text(right, y - 4, "aim", text_anchor="end", fill=QUIET)
        for row, (name, points) in enumerate(self.lines.items()):
            colour = COLOURS[row]
            places = [(self._x(size, sizes), axis.at(value)) for size, value in points]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            yield from (
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places
            )
            yield text(LEFT + 6, TOP + 12 + 15 * row, name, fill=colour)

    def _x(self, size: float, sizes: list[int]) -> float:
        inner = 24
        part = math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0]) if sizes[1:] else 0.5
        return LEFT + inner + part * (WIDTH - LEFT - RIGHT - 2 * inner)


def panels(results: list[dict[str, Any]]) -> list[Panel]:
    def line(figure: str) -> list[Point]:
        steady = [(r["people"], r["costs"][ONE_PASS]) for r in results]
        return [(people, cost[figure] / cost["passes"]) for people, cost in steady]

    def latency(part: float) -> list[Point]:
        together = [(r["people"], [v for n in CHANGES for v in r["latencies"][n]]) for r in results]
        return [(people, quantile(values, part)) for people, values in together]

    def peak(name: str) -> list[Point]:
        return [(r["people"], r["costs"][name]["peak_mb"]) for r in results]

    return [
        Panel(
            "a change, sent → in use (s)",
            0.01,
            10,
            {"p99": latency(0.99), "p50": latency(0.5)},
            aim=2.0,
        ),
        Panel(
            "a steady pass (CPU s)",
            0.001,
            10,
            {"operator": line("cpu_seconds"), "control plane": line("control_plane_cpu_seconds")},
            aim=1.0,
        ),
        Panel(
            "memory, peak (MB)",
            10,
            1000,
            {"mass suspension": peak("mass suspension"), "restart": peak("restart")},
        ),
    ]


def svg(results: list[dict[str, Any]]) -> str:
    """Return the picture."""
    drawn = panels(results)
    sizes = [result["people"] for result in results]
    parts = [
        f'<g transform="translate({number * WIDTH} 0)">{"".join(panel.draw(sizes))}</g>'
        for number, panel in enumerate(drawn)
    ]
    return document(WIDTH * len(drawn), HEIGHT, parts)


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    target.write_text(svg(json.loads(source.read_text())))


if __name__ == "__main__":
    main()
