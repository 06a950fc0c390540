"""Text with marks inside a paragraph, written as Markdown.

CommonMark with strikethrough, without HTML, and with each line end as a line break.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from productive_gateway.tools.words.markdown_escape import ENTITY, escaped, escaped_line
from productive_gateway.tools.words.mentions import shown

BREAK: Final = "\n"
MARKS: Final = {"strong": "**", "em": "*", "strike": "~~"}
CODE: Final = "code"

_SPACE: Final = re.compile(r"\s+")
_PIECES: Final = re.compile(r"\s+|\S+")


@dataclass(frozen=True, slots=True)
class Format:
    """The marks of a piece of text."""

    marks: frozenset[str] = frozenset()
    href: str | None = None

    def common(self, other: Format) -> Format:
        """Return what two formats have in common."""
        return Format(self.marks & other.marks, self.href if self.href == other.href else None)


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text in one format; `BREAK` in it is a line break."""

    text: str
    format: Format


def folded(text: str) -> str:
    """Return text of HTML with its white space as single blanks."""
    return _SPACE.sub(" ", text)


def paragraphs(runs: Sequence[Run]) -> list[list[str]]:
    """Return the lines of each paragraph; two line breaks in a row separate paragraphs."""
    found: list[list[str]] = []
    pieces = _spaced(runs)
    for ends, group in groupby(pieces, key=lambda run: run.text.count(BREAK) > 1):
        if not ends:
            text = _written(_marked(list(group)))
            found.append([escaped_line(line) for line in text.split(BREAK)])
    return found


def one_line(runs: Sequence[Run]) -> str:
    """Return the text in one line, for headings and cells of tables."""
    flat = [replace(run, text=run.text.replace(BREAK, " ")) for run in runs]
    return _written(_marked(_spaced(flat)))


def link_target(href: str) -> str | None:
    """Return an address that may be shown as a link; None for scripts, data and relative ones."""
    href = href.strip()
    if len(href) > 2000 or not re.match(r"(?:https?://|mailto:|tel:)[^\s]", href, re.IGNORECASE):
        return None
    if any(not character.isprintable() for character in href):
        return None
    return href


def _spaced(runs: Sequence[Run]) -> list[Run]:
    """Split runs into words and single spaces or breaks, without any at the start and the end.

    A space has a mark only if the words on both sides have it too: Markdown does not take
    "**bold **".
    """
    words: list[Run] = []
    gap: Run | None = None
    for run in runs:
        for piece in _PIECES.findall(run.text):
            if piece.isspace():
                between = gap.format.common(run.format) if gap else run.format
                gap = Run((gap.text if gap else "") + piece, between)
                continue
            if gap is not None and words:
                between = gap.format.common(words[-1].format).common(run.format)
                words.append(_gap(gap.text.count(BREAK), between))
            gap = None
            words.append(Run(piece, run.format))
    return words


def _gap(breaks: int, between: Format) -> Run:
    if breaks == 0:
        return Run(" ", between)
    return Run(BREAK * breaks, replace(between, marks=between.marks - {CODE}))


def _merged(pieces: Sequence[Run]) -> list[Run]:
    return [
        Run("".join(run.text for run in group), kind)
        for kind, group in groupby(pieces, key=lambda run: run.format)
    ]


def _marked(pieces: Sequence[Run]) -> list[Run]:
    """Merge pieces of one format, without the marks that Markdown does not take where they are."""
    runs = _merged(pieces)
    for mark in MARKS:
        start = 0
        fitting: list[Run] = []
        for marked, group in groupby(runs, key=lambda run: mark in run.format.marks):
            span = list(group)
            end = start + len(span) - 1
            if marked and not _can_mark(runs, start, end):
                span = [_without(run, mark) for run in span]
            fitting += span
            start = end + 1
        runs = _merged(fitting)
    return runs


def _without(run: Run, mark: str) -> Run:
    return replace(run, format=replace(run.format, marks=run.format.marks - {mark}))


def _written(runs: Sequence[Run]) -> str:
    spans = _spans(runs)
    written: list[str] = []
    opened: list[tuple[int, str]] = []
    for index in range(len(runs)):
        again: list[tuple[int, str]] = []
        while any(end < index for end, _ in opened):
            end, mark = opened.pop()
            written.append(_closed(mark))
            # Only misnested HTML gets here; a mark that is opened again might not be one.
            if end >= index and mark not in MARKS:
                again.append((end, mark))
        # The longest is opened first, so that marks nest.
        starting = sorted([*again, *spans.get(index, ())], key=lambda span: -span[0])
        written += [_opened(mark) for _, mark in starting]
        opened += starting
        before = " " if index == 0 and not opened else ""
        after = " " if index == len(runs) - 1 and not opened else ""
        written.append(_run_text(runs[index], before, after))
    written += [_closed(mark) for _, mark in reversed(opened)]
    return "".join(written)


def _spans(runs: Sequence[Run]) -> dict[int, list[tuple[int, str]]]:
    """Return by the index of its first run each mark, with the index of its last run."""
    spans: dict[int, list[tuple[int, str]]] = {}
    start = 0
    for href, group in groupby(runs, key=lambda run: run.format.href):
        end = start + len(list(group)) - 1
        if href is not None and not _is_autolink(runs[start : end + 1]):
            spans.setdefault(start, []).append((end, href))
        start = end + 1
    for mark in MARKS:
        start = 0
        for marked, group in groupby(runs, key=lambda run: mark in run.format.marks):
            end = start + len(list(group)) - 1
            if marked:
                spans.setdefault(start, []).append((end, mark))
            start = end + 1
    return spans


def _is_autolink(runs: Sequence[Run]) -> bool:
    return (
        len(runs) == 1
        and runs[0].text == runs[0].format.href
        and CODE not in runs[0].format.marks
        and re.fullmatch(r"https?://[^\s<>\\`]+", runs[0].text) is not None
    )


def _can_mark(runs: Sequence[Run], start: int, end: int) -> bool:
    """Return whether Markdown takes a mark around these runs (flanking rules of CommonMark)."""
    before = runs[start - 1].text[-1] if start else " "
    after = runs[end + 1].text[0] if end + 1 < len(runs) else " "
    return (not _is_mark(_first(runs[start])) or _parts(before)) and (
        not _is_mark(_last(runs[end])) or _parts(after)
    )


def _first(run: Run) -> str:
    return "`" if CODE in run.format.marks or run.format.href else run.text[0]


def _last(run: Run) -> str:
    return "`" if CODE in run.format.marks or run.format.href else run.text[-1]


def _parts(character: str) -> bool:
    return character.isspace() or _is_mark(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _opened(mark: str) -> str:
    return MARKS.get(mark, "[")


def _closed(mark: str) -> str:
    return MARKS[mark] if mark in MARKS else f"]({_target(mark)})"


def _target(href: str) -> str:
    safe = re.sub(r"[()<>\\`\s|]", lambda found: f"%{ord(found[0]):02X}", href)
    return ENTITY.sub(lambda found: "\\" + found[0], safe)


def _run_text(run: Run, before: str, after: str) -> str:
    if CODE in run.format.marks:
        return _code(run.text)
    if run.format.href is not None and _is_autolink([run]):
        return f"<{run.text}>"
    text = shown(run.text)
    in_link = run.format.href is not None
    return escaped(text, before=before, after=after, in_link=in_link)


def _code(text: str) -> str:
    longest = max((len(ticks) for ticks in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"
