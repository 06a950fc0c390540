"""A picture of the figures in a JSON file of `python -m benchmarks.mcp`.

PYTHONPATH=tests .venv/bin/python -m benchmarks.mcp.plot mcp.json docs/mcp.svg
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures.svg import AIM, COLOURS, GRID, QUIET, LogAxis, document, text

WIDTH = 900
LEFT, RIGHT = 330, 90
"""Room for names, and for figures behind the last point."""
TOP, LINE, GAP = 42, 17, 14
OURS, WORKERS, OTHERS = COLOURS[0], COLOURS[1], "#777"
LOWEST, HIGHEST = 10, 100_000
"""Microseconds."""


@dataclass(frozen=True, slots=True)
class Point:
    """One row: its name, its CPU time in microseconds, and whose it is."""

    label: str
    micros: float
    colour: str


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that do the same work, and where the aim is."""

    title: str
    points: tuple[Point, ...]
    aim: float | None = None

    @property
    def height(self) -> float:
        return LINE * (1 + len(self.points)) + GAP

    def draw(self, y: float, axis: LogAxis) -> Iterator[str]:
        """Yield SVG elements; `y` is the upper edge."""
        yield text(8, y + LINE - 4, self.title, font_weight="600")
        first = y + LINE
        if self.aim is not None:
            x, bottom = axis.at(self.aim), first + LINE * len(self.points)
            yield f'<path d="M{x:.1f} {first:.1f}V{bottom:.1f}" stroke="{AIM}" '
            yield 'stroke-dasharray="3 3"/>'
            yield text(x, first - 3, "aim", text_anchor="middle", fill=QUIET)
        for number, point in enumerate(self.points):
            middle = first + LINE * (number + 0.5)
            x = axis.at(point.micros)
            yield text(LEFT - 10, middle + 4, point.label, text_anchor="end", fill=point.colour)
            yield f'<path d="M{LEFT} {middle:.1f}H{x:.1f}" stroke="{point.colour}"/>'
            yield f'<circle cx="{x:.1f}" cy="{middle:.1f}" r="4" fill="{point.colour}"/>'
            yield text(x + 9, middle + 4, f"{point.micros:,.0f}", fill=point.colour)


def groups(document: dict[str, Any]) -> list[Group]:
    """Return the rows by group, the fastest first."""
    rows = document["rows"]
    found = []
    for title in dict.fromkeys(row["group"] for row in rows):
        same = sorted(
            (row for row in rows if row["group"] == title), key=lambda row: row["median"]["cpu"]
        )
        points = tuple(
            Point(f"{row['label']}, {row['revision']}", row["median"]["cpu"] * 1e6, _colour(row))
            for row in same
        )
        found.append(Group(title, points, document["aim_micros"].get(title)))
    return found


def svg(document_: dict[str, Any]) -> str:
    """Return the picture."""
    drawn = groups(document_)
    axis = LogAxis(LOWEST, HIGHEST, LEFT, WIDTH - RIGHT)
    height = TOP + sum(group.height for group in drawn)
    parts = [text(LEFT, 16, "CPU time per request (µs)", font_weight="600")]
    for power in axis.powers():
        x = axis.at(power)
        parts.append(f'<path d="M{x:.1f} {TOP}V{height:.1f}" stroke="{GRID}"/>')
        parts.append(text(x, TOP - 8, f"{power:,.0f}", text_anchor="middle"))
    y: float = TOP
    for group in drawn:
        parts += group.draw(y, axis)
        y += group.height
    return document(WIDTH, height, parts)


def _colour(row: dict[str, Any]) -> str:
    if row["server"] == "gateway":
        return OURS
    return WORKERS if row["server"].startswith("worker") else OTHERS


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    target.write_text(svg(json.loads(source.read_text())))


if __name__ == "__main__":
    main()
