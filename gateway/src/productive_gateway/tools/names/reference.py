"""Reads every form in which an answer shows a record, or in which a person writes one.

Most texts can be read in several ways: `12` is an id, a number or a name; `Campaign (2025)` may be
a name with the id 2025, or a name that has a year in it. Reading never decides between them: a
`Reference` holds all readings, and matching decides with the candidates at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.link import APP_HOST, is_link, parse_link

PREFIXES: Final[Mapping[RecordKind, str]] = {
    RecordKind.TASK: "#",
    RecordKind.PROJECT: "P-",
    RecordKind.BUDGET: "B-",
    RecordKind.DEAL: "D-",
}
"""How a number that consists of digits is shown."""

_MOST_LEVELS: Final = 8
_LONGEST_NUMBER: Final = 60
_ID: Final = re.compile("[1-9][0-9]{0,17}")
_LABEL_AT_END: Final = re.compile(r"(.*)\((#?)([^\s()]+)\)", re.DOTALL)
_PRINTED: Final = re.compile(r"\s\([1-9][0-9]{0,17}\)\W*$")
_LABEL_WITH_CONTEXT: Final = re.compile(r"(.*?)\((#?)([^\s()]+)\):\s.*", re.DOTALL)
_NUMBER_BEFORE_NAME: Final = re.compile(r"#([^\s#]+)\s+(.+)", re.DOTALL)
_EMAIL: Final = re.compile(r"[^\s@<>()]+@[^\s@<>()]+\.[^\s@<>()]+")
_MARKDOWN_LINK: Final = re.compile(r"\[.*\]\((\S+)\)", re.DOTALL)
_BULLET: Final = re.compile(r"[-*•]\s+")
_SLASH: Final = re.compile(r"\s*/\s*")
_QUOTES: Final = "\"'`“”„‟‘’‚‛«»‹›"  # noqa: RUF001  # quotation marks of all kinds are meant
_TRAILING: Final = ".,;:!?"


@dataclass(frozen=True, slots=True)
class Label:
    """A name together with an id or a number, as answers show it: `Website relaunch (30201)`."""

    name: str
    id: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """A name inside of others: `Blue Harbor / Website relaunch`."""

    scope: tuple[str, ...]
    """Outermost first; empty if the whole text is the name."""
    name: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A text that refers to a record, with all its readings."""

    kind: RecordKind
    text: str
    """As it was written, without blanks around it; for messages and for the exact spelling."""
    name: str
    """Without quotes, bullet, "@" and trailing punctuation."""
    link_id: str | None = None
    """The id that a web link names; then nothing else is read."""
    email: str | None = None
    me: bool = False
    labels: tuple[Label, ...] = ()
    numbers: tuple[str, ...] = ()
    """What the whole text is if it is a number."""
    paths: tuple[Path, ...] = ()
    """The readings as a name; the first is the whole text."""

    @property
    def bare_id(self) -> str | None:
        """The id, if the text is nothing but digits."""
        return self.name if _ID.fullmatch(self.name) else None

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids that the text may name; a reader of candidates asks for these first."""
        named = (self.link_id, *(label.id for label in self.labels), self.bare_id)
        return tuple(dict.fromkeys(one for one in named if one is not None))

    @property
    def searched_numbers(self) -> tuple[str, ...]:
        """All numbers that the text may name; a reader of candidates asks for these next."""
        labelled = (label.number for label in self.labels if label.number)
        return tuple(dict.fromkeys((*labelled, *self.numbers)))

    @property
    def scope(self) -> tuple[str, ...]:
        """What may be the names around the record, outermost first."""
        return self.paths[-1].scope if self.paths else ()

    @property
    def leaf(self) -> str:
        """The name without scope, id and number: what a search by name looks for."""
        name = self.labels[0].name if self.labels else self.name
        return next((level for level in reversed(_SLASH.split(name)) if level), name)


def parse_reference(
    text: str, kind: RecordKind, *, organization: str, host: str = APP_HOST
) -> Reference:
    """Read a text that refers to a record of this kind.

    Raises:
        LinkError: it is a web link that cannot be used.
    """
    written = text.strip()
    name = _plain(written)
    target = _link_target(name, host)
    if target is not None:
        link = parse_link(target, organization=organization, kind=kind, host=host)
        return Reference(kind, written, name, link_id=link.id)
    if kind is RecordKind.PERSON:
        name = name.removeprefix("@").strip()
        if name.casefold() == "me":
            return Reference(kind, written, name, me=True)
        if _EMAIL.fullmatch(address := name.strip("<>")):
            return Reference(kind, written, name, email=address.casefold())
    return Reference(
        kind,
        written,
        name,
        labels=tuple(dict.fromkeys(_labels(name, kind))),
        numbers=tuple(dict.fromkeys(_numbers(name, kind))),
        paths=tuple(paths_of(name)),
    )


def number_text(kind: RecordKind, number: str) -> str:
    """Return a number as answers show it: `#87`, `P-14`; one of another format stays as it is."""
    return PREFIXES.get(kind, "") + number if number.isdecimal() else number


def split_label(text: str) -> Label:
    """Return name and id of one level of a path: `Website relaunch (30201)`, or a name alone."""
    found = _LABEL_AT_END.fullmatch(text)
    if found and found[1].strip() and not found[2] and _ID.fullmatch(found[3]):
        return Label(found[1].strip(), id=found[3])
    return Label(text)


def _plain(text: str) -> str:
    """Return a text without bullet, quotes around it and punctuation after it."""
    text = _BULLET.sub("", text, count=1) if _BULLET.match(text) else text
    before = None
    while text != before:
        before = text
        text = text.strip().rstrip(_TRAILING).rstrip()
        if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
            text = text[1:-1]
    return text


def _link_target(name: str, host: str) -> str | None:
    if _PRINTED.search(name):
        return None  # "A:// (7)" is a name with its id, as answers show it: a link has no blank
    found = _MARKDOWN_LINK.fullmatch(name)
    text = (found[1] if found else name).strip("<>()")
    return text if is_link(text, host=host) else None


def _labels(name: str, kind: RecordKind) -> Iterator[Label]:
    for form in (_LABEL_AT_END, _LABEL_WITH_CONTEXT):
        if found := form.fullmatch(name):
            before, sign, value = found[1].strip(), found[2], found[3]
            if not sign and _ID.fullmatch(value):
                yield Label(before, id=value)
            for number in _prefixed(sign + value, kind):
                yield Label(before, number=number)
            if not sign and _ID.fullmatch(value):
                yield Label(before, number=value)
    if found := _NUMBER_BEFORE_NAME.fullmatch(name):
        yield Label(found[2].strip(), number=found[1])


def _numbers(name: str, kind: RecordKind) -> Iterator[str]:
    short = len(name) <= _LONGEST_NUMBER and not re.search(r"\s", name)
    if short and any(character.isdigit() for character in name):
        yield name.removeprefix("#")
        yield from _prefixed(name, kind)


def _prefixed(text: str, kind: RecordKind) -> Iterator[str]:
    """Return the number in `#87`, and in `P-14` if the letter is that of the kind."""
    if text.startswith("#") and len(text) > 1:
        yield text[1:]
        return
    prefix = PREFIXES.get(kind)
    if prefix and len(text) > len(prefix) and text.upper().startswith(prefix):
        yield text[len(prefix) :]


def paths_of(name: str) -> Iterator[Path]:
    """Return the readings of a name, first the whole, then each split at a slash."""
    yield Path((), name)
    levels = [level for level in _SLASH.split(name) if level]
    if 1 < len(levels) <= _MOST_LEVELS:
        for inner in range(1, len(levels)):
            yield Path(tuple(levels[:inner]), " / ".join(levels[inner:]))
