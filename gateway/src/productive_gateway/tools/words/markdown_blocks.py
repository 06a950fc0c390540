"""The blocks of a Markdown text: paragraphs, headings, lists, quotations, code and tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["paragraph", "heading", "code", "rule", "table", "quotation", "bullet", "number"]

_DEEPEST: Final = 8
"""Deeper containers are written as their content: parsers of Markdown limit nesting too."""
_MOST_COLUMNS: Final = 50
_LARGEST_NUMBER: Final = 99_999_999


@dataclass(slots=True)
class ListOf:
    """A list that is open; its numbers are given to items when they are written."""

    ordered: bool
    number: int = 1
    begun: bool = False


@dataclass(slots=True)
class _Container:
    """A quotation, or an item of a list; its mark is written with its first line."""

    of: ListOf | None = None
    begun: bool = False
    indent: str = "> "
    last: Kind | None = None
    """The kind of the last block in it."""
    last_number: int = 0

    @property
    def kind(self) -> Kind:
        """What the container is for the one around it."""
        if self.of is None:
            return "quotation"
        return "number" if self.of.ordered else "bullet"


@dataclass(slots=True)
class Blocks:
    """Collects blocks in nested containers, as lines of Markdown."""

    lines: list[str] = field(default_factory=list)
    size: int = 0
    """The number of characters written so far."""
    _open: list[_Container] = field(default_factory=lambda: [_Container(begun=True, indent="")])

    def open_quotation(self) -> bool:
        """Begin a quotation; return whether it is to be closed."""
        return self._push(_Container())

    def open_item(self, of: ListOf) -> bool:
        """Begin an item; return whether it is to be closed."""
        return self._push(_Container(of))

    def close(self) -> None:
        """End the innermost quotation or item."""
        self._open.pop()

    def paragraph(self, lines: Sequence[str]) -> None:
        """Write the lines of a paragraph."""
        self._write("paragraph", lines)

    def heading(self, level: int, text: str) -> None:
        """Write a heading."""
        # A heading may be closed by signs, which are then no part of it.
        text = re.sub(r"(?:(?<=\s)|^)(#+)$", r"\\\1", text)
        self._write("heading", [f"{'#' * level} {text}"])

    def rule(self) -> None:
        """Write a thematic break."""
        self._write("rule", ["***"])

    def code(self, text: str, language: str) -> None:
        """Write a block of code."""
        longest = max((len(ticks) for ticks in re.findall(r"`{3,}", text)), default=2)
        fence = "`" * (longest + 1)
        self._write("code", [fence + language, *text.split("\n"), fence])

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Write a table; its first row is the head."""
        width = min(_MOST_COLUMNS, max(len(row) for row in rows))
        kept = [[*row[: width - 1], "\u2026"] if len(row) > width else row for row in rows]
        filled = [[*row, *[""] * (width - len(row))] for row in kept]
        lines = [f"| {' | '.join(row)} |" for row in filled]
        self._write("table", [lines[0], f"|{' --- |' * width}", *lines[1:]])

    def _push(self, container: _Container) -> bool:
        if len(self._open) > _DEEPEST:
            return False
        self._open.append(container)
        return True

    def _write(self, kind: Kind, lines: Sequence[str]) -> None:
        begun = [container for container in self._open if container.begun]
        starting = self._open[len(begun) :]
        around = begun[-1]
        first = starting[0].kind if starting else kind
        if around.last is not None and not self._follows(around, first, starting):
            self._line("".join(container.indent for container in begun).rstrip())
        marks = "".join(container.indent for container in begun)
        for outer, container in zip([around, *starting], starting, strict=False):
            marks += self._begin(outer, container)
        around = self._open[-1]
        around.last = kind
        indent = "".join(container.indent for container in self._open)
        for number, line in enumerate(lines):
            self._line(((indent if number else marks) + line) if line else indent.rstrip())

    def _follows(self, around: _Container, first: Kind, starting: Sequence[_Container]) -> bool:
        """Return whether a block follows the last one without an empty line."""
        if first not in {"bullet", "number"}:
            return False
        if around.last == first:
            return True
        begins_at_one = starting[0].of is not None and starting[0].of.number == 1
        return (
            around.of is not None
            and around.last == "paragraph"
            and (first == "bullet" or begins_at_one)
        )

    def _begin(self, outer: _Container, container: _Container) -> str:
        container.begun = True
        mark = "> "
        if container.of is not None:
            mark = "- "
            if container.of.ordered:
                # A list directly after another one continues it, for Markdown they are one.
                if not container.of.begun and outer.last == "number":
                    container.of.number = outer.last_number + 1
                outer.last_number = min(container.of.number, _LARGEST_NUMBER)
                container.of.number += 1
                mark = f"{outer.last_number}. "
            container.of.begun = True
            container.indent = " " * len(mark)
        outer.last = container.kind
        return mark

    def _line(self, line: str) -> None:
        self.lines.append(line)
        self.size += len(line) + 1
