"""What commands print: tables, JSON, times; and the question before something is ended."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from productive_contract.mapping import format_time
from productive_gateway.admin.errors import AdminError


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under their heads, in columns as kubectl prints them."""
    lines = [tuple(heads), *(tuple(plain(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_json(value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """Return a value as JSON."""
    return json.dumps(value, indent=1)


def plain(text: str) -> str:
    """Return text that is safe on a terminal: clients choose their own names."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def time_text(moment: float) -> str:
    """Return an instant as Kubernetes writes it; what no calendar has is the nearest end of it."""
    bounded = min(max(moment, 0.0), 253402300799.0)
    return format_time(datetime.fromtimestamp(bounded, UTC))


def say(text: str) -> None:
    """Print a message or a document on standard output."""
    print(text)  # noqa: T201


def confirm(question: str) -> bool:
    """Ask on the terminal, and return whether the answer was yes.

    Raises:
        AdminError: nobody is there to ask.
    """
    if not sys.stdin.isatty():
        raise AdminError("nobody is there to confirm this, so nothing was changed; add --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
