"""Rich text: HTML in Productive, Markdown for a model.

Descriptions, comments and notes are HTML in Productive, some notes plain text. A model reads and
writes Markdown: CommonMark with tables and strikethrough, in which each line end is a line break
and HTML is ordinary text. Scripts, styles, handlers and hidden text are left out, and so are links
that are not web, mail or telephone addresses; images become links.
"""

from __future__ import annotations

import html as entities
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt

from productive_gateway.tools.words import html_events
from productive_gateway.tools.words.html_events import End, Start, Text
from productive_gateway.tools.words.markdown_inline import folded, link_target
from productive_gateway.tools.words.markdown_writer import Writer
from productive_gateway.tools.words.mentions import Mention, found_in, marked, shown

_LONGEST: Final = 50_000
_MOST_BRACKETS: Final = 5_000
"""The time to read Markdown grows with the square of its brackets."""
_CUT: Final = "\u2026"
_LINE_PARTS: Final = frozenset(
    [
        *("a", "abbr", "b", "big", "cite", "code", "del", "em", "font", "i", "ins", "kbd", "mark"),
        *("q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var"),
    ]
)


class RichTextError(ValueError):
    """The Markdown text is too large; `str()` is a message for the model."""


@dataclass(frozen=True, slots=True)
class Markdown:
    """Rich text as Markdown."""

    text: str
    cut: bool
    """Whether the text goes on; a cut text ends with "…"."""


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802  # a name of markdown-it
        return link_target(url) is not None


def to_markdown(html: str | None, most: int) -> Markdown:
    """Return an HTML text as Markdown of at most `most` characters.

    Mentions become "@Ana Kovač (9104)". The text is still foreign: only `untrusted.block` may put
    it into an answer.
    """
    read, cut = html_events.shortened(html or "")
    writer = Writer(limit=2 * most + 1)
    for event in html_events.events(read):
        writer.take(event)
        if writer.left <= 0:
            cut = True
            break
    text = writer.finish()
    if len(text) <= most and not cut:
        return Markdown(text, cut=False)
    return Markdown(_shortened(text, most), cut=True)


def plain(html: str | None, most: int) -> str:
    """Return an HTML text as plain text in one line, cut to `most` characters."""
    read, cut = html_events.shortened(html or "")
    parts: list[str] = []
    # A mention is shorter as it is shown.
    limit, size = 2 * most + 2_000, 0
    for event in html_events.events(read):
        match event:
            case Text(text):
                parts.append(folded(text)[:limit])
                size += len(parts[-1])
            case Start(tag) | End(tag) if tag not in _LINE_PARTS:
                parts.append(" ")
        if size >= limit:
            cut = True
            break
    text = shown(" ".join("".join(parts).split()))
    return _shortened(text, most) if cut or len(text) > most else text


def to_html(markdown: str, mentions: Iterable[Mention] = ()) -> str:
    """Return Markdown as HTML for Productive.

    Args:
        markdown: what the model wrote; HTML in it is ordinary text.
        mentions: people whose mention, written as `to_markdown` shows it, stays a mention.

    Raises:
        RichTextError: the text is too large.
    """
    if len(markdown) > _LONGEST or markdown.count("[") > _MOST_BRACKETS:
        raise RichTextError(f"The text is too long: at most {_LONGEST} characters are taken.")
    known = tuple(mentions)
    parser = _Parser("commonmark", {"html": False, "breaks": True, "xhtmlOut": False})
    parser.enable(["table", "strikethrough"]).disable("image")
    tokens = parser.parse(markdown)
    for token in tokens:
        for part in token.children or ():
            if part.type == "text":
                part.content = marked(part.content, known)
    return str(parser.renderer.render(tokens, parser.options, {})).strip()


def html_of_plain(text: str) -> str:
    """Return plain text as HTML that shows the same, line breaks included."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "<br>".join(entities.escape(line, quote=False) for line in lines)


def mentions_in(html: str | None) -> tuple[Mention, ...]:
    """Return the people whom an HTML text mentions, for `to_html` after a change of the text."""
    return found_in(entities.unescape(html or ""))


def _shortened(text: str, most: int) -> str:
    head = text[: most - 1]
    end = max(head.rfind(" "), head.rfind("\n"))
    # A word is cut only if it is very long.
    return (head[:end] if end > most - 100 and end > 0 else head).rstrip() + _CUT
