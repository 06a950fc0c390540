"""What commands print for a person at a terminal: columns on stdout, one message on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

FAILED: Final = 1
"""Exit status: something has to be corrected."""


def columns(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of equal length as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def fail(message: str) -> int:
    """Print what is wrong, and return the exit status for it."""
    sys.stderr.write(f"productive-operator: {message}\n")
    return FAILED
