"""The events of an HTML text that other people wrote: tags and text, without what nobody sees.

The parser of the standard library is used as a stream, without a tree: however deep a text is
nested, time grows with its length alone, and reading can stop as soon as there is enough. What
that parser needs long for (tags and comments that do not end) is text or left out before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

_LONGEST: Final = 500_000
_MOST_MARKUP: Final = 20_000
"""Characters that begin a tag or an entity; each costs about 20 microseconds."""
_CHUNK: Final = 65_536

# Images that are part of the text can be megabytes long; links to them are dropped in any case.
_EMBEDDED: Final = re.compile(r"""(=\s{0,9}["']?data:)[^"'<>\s]+""", re.IGNORECASE)
_MARKUP: Final = re.compile(r"[<&]")
_NAMES: Final = (
    "a|abbr|address|article|aside|audio|b|big|blockquote|body|br|button|caption|center|cite|code|"
    "col|colgroup|dd|del|details|dfn|div|dl|dt|em|figcaption|figure|font|footer|form|h[1-6]|head|"
    "header|hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|math|meta|nav|noscript|"
    "object|ol|option|p|picture|pre|q|s|samp|script|section|select|small|source|span|strike|strong|"
    "style|sub|summary|sup|svg|table|tbody|td|template|textarea|tfoot|th|thead|title|tr|tt|u|ul|"
    "var|video|[a-z]{1,30}-[a-z-]{1,30}"
)
_TAG_BODY: Final = rf"/?(?:{_NAMES})(?=[\s/>])[^<]*>"
_TAG: Final = re.compile(f"<{_TAG_BODY}", re.IGNORECASE)
_NO_TAG: Final = re.compile(f"<(?!{_TAG_BODY})", re.IGNORECASE)
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)|<!doctype[^<>]*>", re.IGNORECASE | re.DOTALL)

_UNSEEN: Final = frozenset(
    [
        *("script", "style", "template", "head", "title", "iframe", "object", "svg", "math"),
        *("noscript", "audio", "video", "textarea", "select", "button"),
    ]
)
_VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta", "col", "source"})
_HIDDEN_STYLE: Final = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Start:
    """A start tag, in lower case."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """An end tag, in lower case."""

    tag: str


@dataclass(frozen=True, slots=True)
class Text:
    """Text, with its entities decoded."""

    text: str


Event = Start | End | Text


def is_plain(html: str) -> bool:
    """Return whether a text has no tags: Productive keeps notes either as HTML or as plain text."""
    return _TAG.search(html) is None


def shortened(html: str) -> tuple[str, bool]:
    """Return as much of an HTML text as is read, and whether something is left out."""
    html = _EMBEDDED.sub(r"\1", html)
    end = _LONGEST
    for number, found in enumerate(_MARKUP.finditer(html, 0, end)):
        if number == _MOST_MARKUP:
            end = found.start()
            break
    return html[:end], len(html) > end


def events(html: str) -> Iterator[Event]:
    """Return the visible events of an HTML text.

    A "<" that begins no tag of HTML is text. Line ends of a text without tags are events `br`.
    """
    if is_plain(html):
        html = html.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>")
    hidden, depth = "", 0
    for event in _parsed(_NO_TAG.sub("&lt;", _COMMENT.sub("", html))):
        match event:
            case Start(element, attributes):
                if depth:
                    depth += element == hidden
                elif element not in _VOID and (element in _UNSEEN or _is_hidden(attributes)):
                    hidden, depth = element, 1
                else:
                    yield event
            case End(element) if depth:
                depth -= element == hidden
            case _ if not depth:
                yield event


class _Parser(HTMLParser):
    """Collects events."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Event] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(Start(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(End(tag))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # In HTML only foreign and void elements end themselves: "<p/>" is "<p>".
        if tag not in {"svg", "math"}:
            self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.found.append(Text(data))


def _parsed(html: str) -> Iterator[Event]:
    parser = _Parser()
    for start in range(0, len(html), _CHUNK):
        parser.feed(html[start : start + _CHUNK])
        yield from parser.found
        parser.found.clear()
    parser.close()
    yield from parser.found


def _is_hidden(attributes: dict[str, str]) -> bool:
    return "hidden" in attributes or bool(_HIDDEN_STYLE.search(attributes.get("style", "")))
