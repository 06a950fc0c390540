"""What the pictures of the benchmarks are made of: SVG elements as text."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

COLOURS = ("#0b6bcb", "#c2410c", "#3f7d20")
GRID, AIM, QUIET = "#ddd", "#888", "#666"


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic axis from one power of ten to another."""

    lowest: float
    highest: float
    start: float
    """Pixels at the lowest value."""
    end: float
    """Pixels at the highest value."""

    def at(self, value: float) -> float:
        """Return the place of a value."""
        part = math.log(value / self.lowest) / math.log(self.highest / self.lowest)
        return self.start + part * (self.end - self.start)

    def powers(self) -> Iterator[float]:
        """Yield the powers of ten on the axis."""
        for power in range(round(math.log10(self.lowest)), round(math.log10(self.highest)) + 1):
            yield 10.0**power


def text(x: float, y: float, words: str, **attributes: str) -> str:
    """Return a text; an attribute's underscore stands for a hyphen."""
    given = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{given}>{html.escape(words)}</text>'


def document(width: float, height: float, parts: Iterable[str]) -> str:
    """Return a picture on a white background."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )
