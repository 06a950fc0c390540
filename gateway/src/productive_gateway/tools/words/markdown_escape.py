"""Text that stays text in Markdown: escapes only what would be read as a mark or a block.

The dialect is CommonMark with tables and strikethrough, and without HTML, so that most texts need
no escapes: "if x<5 and y>3", "2 * 3", "a_b".
"""

from __future__ import annotations

import re
from typing import Final

_SPECIAL: Final = re.compile(r"[\\`*_~\[\]<&!]")
_AUTOLINK: Final = re.compile(r"<(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:|[^\s<>@]*@)")
ENTITY: Final = re.compile(r"&#?[A-Za-z0-9]{1,31};")
_BLOCK_START: Final = re.compile(
    r"#{1,6}(?=\s|$)|[-+*](?=\s|$)|>|~~~|=+\s*$|(?=[-:|\s]*-)[-:|\s]+$|([-*_])\s*(?:\1\s*){2,}$"
)
_NUMBER_START: Final = re.compile(r"([0-9]{1,9})([.)])(?=\s|$)")
_PUNCTUATION: Final = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def escaped(text: str, *, before: str, after: str, in_link: bool) -> str:
    """Return a text of one format inside a paragraph.

    Args:
        text: the text; not empty.
        before: a blank, or empty if a mark may be directly before the text.
        after: the same for the place after it.
        in_link: whether the text is the label of a link.
    """
    return _SPECIAL.sub(
        lambda found: _escape(found, before=before, after=after, in_link=in_link), text
    )


def escaped_line(text: str) -> str:
    """Return a line of a paragraph that is read as one, not as the start of another block."""
    if _BLOCK_START.match(text):
        return "\\" + text
    return _NUMBER_START.sub(r"\1\\\2", text, count=1) if _NUMBER_START.match(text) else text


def _escape(found: re.Match[str], *, before: str, after: str, in_link: bool) -> str:
    """Return a special character, escaped if it would be read as Markdown.

    `before` and `after` are what is around the run: a blank, or empty where a mark may be.
    """
    text, at, one = found.string, found.start(), found[0]
    before = text[at - 1] if at else before
    after = text[at + 1] if at + 1 < len(text) else after
    match one:
        case "\\":
            needed = not after or after in _PUNCTUATION or after.isspace()
        case "*":
            needed = not (before.isspace() and after.isspace())
        case "_":
            loose = before.isspace() and after.isspace()
            needed = not loose and not (before.isalnum() and after.isalnum())
        case "~":
            needed = not before or not after or "~" in {before, after}
        case "[":
            needed = in_link
        case "]":
            needed = in_link or not after or after in "([:"
        case "!":
            needed = not after
        case "<":
            needed = _AUTOLINK.match(text, at) is not None
        case "&":
            needed = ENTITY.match(text, at) is not None
        case _:
            needed = True
    return "\\" + one if needed else one
