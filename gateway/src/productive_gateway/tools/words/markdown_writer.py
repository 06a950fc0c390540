"""Writes the events of an HTML text as Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from productive_gateway.tools.words import markdown_inline as inline
from productive_gateway.tools.words.html_events import End, Event, Start, Text
from productive_gateway.tools.words.markdown_blocks import Blocks, ListOf
from productive_gateway.tools.words.markdown_inline import BREAK, CODE, Format, Run

_MARKS: Final = {
    "strong": "strong",
    "b": "strong",
    "em": "em",
    "i": "em",
    "s": "strike",
    "del": "strike",
    "strike": "strike",
    "code": CODE,
    "tt": CODE,
    "kbd": CODE,
    "samp": CODE,
}
_HEADING: Final = re.compile(r"h([1-6])")
_CONTAINERS: Final = frozenset({"ul", "ol", "li", "blockquote"})
_CELLS: Final = frozenset({"td", "th"})
_BLOCKS: Final = frozenset(
    [
        *("address", "article", "aside", "body", "caption", "center", "dd", "details", "div"),
        *("dl", "dt", "figcaption", "figure", "footer", "form", "header", "html", "main", "nav"),
        *("option", "p", "section", "summary", "tbody", "tfoot", "thead"),
        *("h1", "h2", "h3", "h4", "h5", "h6"),
    ]
)
_LANGUAGE: Final = re.compile(r"(?:^|\s)language-([A-Za-z0-9_+#.-]{1,30})(?:\s|$)")
_START: Final = re.compile(r"[0-9]{1,8}")


@dataclass(slots=True)
class _Open:
    """A list, an item or a quotation that is open in the HTML text."""

    element: str
    written: bool = False
    """Whether it is a container of the Markdown text."""
    of: ListOf | None = None


@dataclass(slots=True)
class _Pre:
    """A block of code that is read."""

    text: list[str] = field(default_factory=list)
    language: str = ""
    begun: bool = False


@dataclass(slots=True)
class Writer:
    """Takes events one by one; the text is complete after `finish`."""

    limit: int
    """About how many characters are written; text after them is left out."""
    blocks: Blocks = field(default_factory=Blocks)
    _runs: list[Run] = field(default_factory=list)
    _pending: int = 0
    """Characters that are read but not written yet."""
    _marks: dict[str, int] = field(default_factory=dict)
    _href: str | None = None
    _level: int | None = None
    _open: list[_Open] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)
    _pre: _Pre | None = None
    _rows: list[list[str]] | None = None

    @property
    def left(self) -> int:
        """About how many characters may follow; 0 or less when the text is full."""
        return self.limit - self.blocks.size - self._pending

    def take(self, event: Event) -> None:
        """Take the next event."""
        if self._pre is not None:
            self._take_code(self._pre, event)
            return
        match event:
            case Text(text):
                self._add(inline.folded(text)[: max(0, self.left)])
            case Start(tag, attributes):
                self._start(tag, attributes)
            case End(tag):
                self._end(tag)

    def finish(self) -> str:
        """Return the Markdown text."""
        if self._pre is not None:
            self._end_code(self._pre)
        self._flush()
        self._end_table()
        return "\n".join(self.blocks.lines)

    def _add(self, text: str) -> None:
        marks = frozenset(mark for mark, depth in self._marks.items() if depth)
        self._runs.append(Run(text, Format(marks, self._href)))
        self._pending += len(text)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag:
            case "a":
                self._href = inline.link_target(attributes.get("href", ""))
            case "br":
                self._add(BREAK)
            case "img":
                self._image(attributes)
            case _ if tag in _MARKS:
                self._mark(_MARKS[tag], 1)
            case _ if self._rows is not None:
                self._start_in_table(self._rows, tag)
            case _:
                self._start_block(tag, attributes)

    def _start_block(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _CONTAINERS:
            self._open_container(tag, attributes)
        elif tag == "table":
            self._flush()
            self._rows = []
        elif tag == "pre":
            self._flush()
            self._pre = _Pre()
        elif tag == "hr":
            self._flush()
            self.blocks.rule()
        elif tag in _BLOCKS:
            self._flush()
            found = _HEADING.fullmatch(tag)
            self._level = int(found[1]) if found else self._level

    def _end(self, tag: str) -> None:
        if tag in _MARKS:
            self._mark(_MARKS[tag], -1)
        elif tag == "a":
            self._href = None
        elif self._rows is not None:
            self._end_in_table(self._rows, tag)
        elif tag in _CONTAINERS:
            self._close_container(tag)
        elif tag in _BLOCKS:
            self._flush()
            if _HEADING.fullmatch(tag):
                self._level = None

    def _mark(self, mark: str, change: int) -> None:
        self._marks[mark] = max(0, self._marks.get(mark, 0) + change)

    def _image(self, attributes: dict[str, str]) -> None:
        # As a link: some clients load images of an answer, and so tell its reader's address.
        outer, label = self._href, inline.folded(attributes.get("alt", "")).strip()
        self._href = outer or inline.link_target(attributes.get("src", ""))
        self._add(f"image: {label}" if label else "image")
        self._href = outer

    def _flush(self) -> None:
        """Write what was read as a paragraph or a heading."""
        runs, self._runs, self._pending = self._runs, [], 0
        if self._level is not None:
            if text := inline.one_line(runs):
                self.blocks.heading(self._level, text)
            return
        for lines in inline.paragraphs(runs):
            self.blocks.paragraph(lines)

    def _open_container(self, tag: str, attributes: dict[str, str]) -> None:
        self._flush()
        self._level = None
        if tag == "li" and self._open and self._open[-1].element == "li":
            self._close_container("li")
        opened = _Open(tag)
        if tag in {"ul", "ol"}:
            number = attributes.get("start", "")
            opened.of = ListOf(tag == "ol", int(number) if _START.fullmatch(number) else 1)
        elif tag == "li":
            of = self._open[-1].of if self._open else None
            opened.written = self.blocks.open_item(of or ListOf(ordered=False))
        else:
            opened.written = self.blocks.open_quotation()
        self._open.append(opened)
        self._counts[tag] = self._counts.get(tag, 0) + 1

    def _close_container(self, element: str) -> None:
        self._flush()
        while self._counts.get(element):
            closed = self._open.pop()
            self._counts[closed.element] -= 1
            if closed.written:
                self.blocks.close()
            if closed.element == element:
                return

    def _start_in_table(self, rows: list[list[str]], element: str) -> None:
        if element == "tr":
            self._end_cell(rows)
            rows.append([])
        elif element in _CELLS:
            self._end_cell(rows)
            if not rows:
                rows.append([])
            rows[-1].append("")
        elif element in _BLOCKS or element in _CONTAINERS:
            self._add(" ")

    def _end_in_table(self, rows: list[list[str]], tag: str) -> None:
        if tag == "table":
            self._end_table()
        elif tag in _CELLS or tag == "tr":
            self._end_cell(rows)
        elif tag in _BLOCKS or tag in _CONTAINERS:
            self._add(" ")

    def _end_cell(self, rows: list[list[str]]) -> None:
        text = inline.one_line(self._runs).replace("|", "\\|")
        self._runs = []
        if text:
            if not rows or not rows[-1]:
                rows.append([""])
            rows[-1][-1] = f"{rows[-1][-1]} {text}".strip()

    def _end_table(self) -> None:
        if self._rows is None:
            return
        self._end_cell(self._rows)
        rows = [row for row in self._rows if any(row)]
        self._rows, self._pending = None, 0
        if rows:
            self.blocks.table(rows)

    def _take_code(self, pre: _Pre, event: Event) -> None:
        match event:
            case Text(text):
                # HTML drops a line end directly after the tag.
                text = text if pre.begun else text.removeprefix("\n")
                pre.text.append(text[: max(0, self.left)])
                self._pending += len(text)
            case Start("br"):
                pre.text.append("\n")
            case Start("code", attributes):
                found = _LANGUAGE.search(attributes.get("class", ""))
                pre.language = found[1] if found else pre.language
            case End("pre"):
                self._end_code(pre)
            case _:
                pass
        pre.begun = True

    def _end_code(self, pre: _Pre) -> None:
        self._pre, self._pending = None, 0
        text = "".join(pre.text).removesuffix("\n")
        if text.strip():
            self.blocks.code(text, pre.language)
