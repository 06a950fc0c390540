"""Text that other people wrote, on its way into an answer.

Names, titles, notes, options and details of errors are data. They enter an answer only through this
module: inside a line (`name`, `line`) or as a quotation (`block`). None of it can begin a line of
ours, hide characters that a person does not see, or turn the direction of the text around it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST_NAME: Final = 80
NO_NAME: Final = "(no name)"
_QUOTE: Final = "> "
_CUT: Final = "\u2026"
_MOST_MARKS: Final = 4
"""Combining marks on one letter; no language needs more, and a heap of them covers other lines."""
_READ_AT_LEAST: Final = 2_000
_READ_TIMES: Final = 8
"""So much more than the cut is read: room for characters that are removed."""

# Not printed, though Unicode counts them as letters, marks or symbols (Default_Ignorable_Code_Point
# and the blank of Braille). Python's isprintable() knows the others: controls, formats, which are
# bidi, zero width and tag characters, surrogates, and private and unassigned ones.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_BREAK: Final = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def name(text: str | None) -> str:
    """Return a name or title in one line, at most `LONGEST_NAME` characters."""
    return line(text, LONGEST_NAME) or NO_NAME


def line(text: str | None, most: int) -> str:
    """Return a detail in one line, cut to `most` characters; empty if nothing visible is left."""
    cleaned = _start(" ".join(_visible((text or "")[: _readable(most)]).split()))
    if len(cleaned) <= most:
        return cleaned
    return cleaned[: most - 1].rstrip() + _CUT


def lines(markdown: str | None, most: int) -> str:
    """Return rich text as a value of its own, cut to `most` characters; empty if nothing is left.

    In a text of ours it has to be quoted: see `block`.
    """
    rows = _BREAK.split((markdown or "")[: _readable(most)])
    text = "\n".join(_start(_visible(row)).rstrip() for row in rows).strip("\n")
    return text if len(text) <= most else text[: most - 1].rstrip() + _CUT


def block(markdown: str | None, most: int) -> str:
    """Return rich text as a quotation: each line begins with "> ".

    The text is cut to `most` characters, without the marks of the quotation; a cut text ends with
    "…". An empty text is an empty string. In Markdown a line that follows directly belongs to the
    quotation: leave an empty one between.
    """
    text = lines(markdown, most)
    return "\n".join((_QUOTE + row).rstrip() for row in text.split("\n")) if text else ""


def _readable(most: int) -> int:
    return max(_READ_AT_LEAST, _READ_TIMES * most)


def _visible(text: str) -> str:
    """Return what a person sees of a text, each kind of white space as a blank, in NFC."""
    if text.isprintable() and (text.isascii() or _has_letters_only(text)):
        return text
    spaced = "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or character.isprintable()
    )
    composed = unicodedata.normalize("NFC", _INVISIBLE.sub("", spaced))
    # Composing gives some blanks another form of blank.
    return _few_marks("".join(" " if one.isspace() else one for one in composed))


def _has_letters_only(text: str) -> bool:
    """Whether a text is of visible letters, digits and blanks, in NFC and without marks."""
    return (
        text.replace(" ", "").isalnum()
        and unicodedata.is_normalized("NFC", text)
        and _INVISIBLE.search(text) is None
    )


def _few_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _start(text: str) -> str:
    """Remove marks at the start, which would be put onto the character before."""
    while text and unicodedata.category(text[0]).startswith("M"):
        text = text[1:].lstrip()
    return text
