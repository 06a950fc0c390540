"""Matches a reference in words to exactly one option, or to none.

Pure: the candidates come in as a list. Matching ignores case, accents and punctuation. A name wins
when it is written out in full, or when it is clearly ahead of all others; two that fit about
equally well are never chosen between, and one that merely looks similar is only offered, because
"Acme 2026" is very similar to "Acme 2025".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

MOST_CANDIDATES: Final = 5
AHEAD: Final = 0.15
"""By how much a partial match must lead the next one."""
SIMILAR: Final = 0.6
"""Trigram similarity from which a name is worth offering."""

_EXACT: Final = 1.0
_PREFIX: Final = 0.9
_WORDS: Final = 0.8
_LETTERS: Final = str.maketrans(
    {"đ": "d", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_ID: Final = re.compile(r"[0-9]{1,18}")
_NUMBER: Final = re.compile(r"#([0-9]{1,12})")
_LINK: Final = re.compile(r"https?://[^/\s]+/\S*?/([a-z_]+)/(?:[a-z]+/)?([0-9]{1,18})(?:[/?#]\S*)?")

Kind = Literal["project", "task", "service"]


class WrongLink(ValueError):
    """A web link to something of another kind."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference, classified by its form; exactly one field is set."""

    text: str
    id: str | None = None
    number: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """A thing that a reference may mean."""

    id: str
    name: str
    context: str | None = None
    """What distinguishes it from others of the same name."""


@dataclass(frozen=True, slots=True)
class Match:
    """The one option that is meant."""

    option: Option
    how: str
    """How it was found; the answer repeats it."""


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No option fits, or more than one does."""

    nearest: tuple[Option, ...]
    ambiguous: bool


def parse_reference(text: str, kind: Kind) -> Reference:
    """Classify a reference as id, link, task number or name.

    Raises:
        WrongLink: a link to something else.
    """
    text = text.strip()
    if _ID.fullmatch(text):
        return Reference(text, id=text)
    if kind == "task" and (numbered := _NUMBER.fullmatch(text)):
        return Reference(text, number=numbered[1])
    if text.startswith(("https://", "http://")):
        link = _LINK.fullmatch(text)
        if link is None or link[1] != f"{kind}s":
            raise WrongLink(text)
        return Reference(text, id=link[2])
    return Reference(text, name=text)


def match(reference: Reference, options: Sequence[Option]) -> Match | NoMatch:
    """Return the one option that is meant.

    A number counts as an id first; only if nothing has that id may it be a name.
    """
    if reference.id is not None:
        for option in options:
            if option.id == reference.id:
                return Match(option, "id")
    scored = sorted(
        ((score(reference.text, option.name), option) for option in options),
        key=lambda pair: -pair[0],
    )
    fitting = [(points, option) for points, option in scored if points >= _WORDS]
    if not fitting:
        return NoMatch(_nearest(scored), ambiguous=False)
    winner = _winner(reference.text, fitting)
    if winner is None:
        close = [option for points, option in fitting if points > fitting[0][0] - AHEAD]
        return NoMatch(tuple(close[:MOST_CANDIDATES]), ambiguous=True)
    return Match(winner, _HOW[score(reference.text, winner.name)])


_HOW: Final = {_EXACT: "exact name", _PREFIX: "unique beginning", _WORDS: "unique word match"}


def score(wanted: str, name: str) -> float:
    """Return how well a name fits: 1 exact, 0.9 beginning, 0.8 all words, else below 0.8."""
    if wanted == name:
        return _EXACT
    want, have = normalized(wanted), normalized(name)
    if not want:
        return 0.0
    if want == have:
        return _EXACT
    if have.startswith(want):
        return _PREFIX
    words = have.split()
    if all(any(word.startswith(part) for word in words) for part in want.split()):
        return _WORDS
    return min(_similarity(want, have), 0.79)


def normalized(text: str) -> str:
    """Return the text in lower case, without accents, punctuation and doubled spaces."""
    # Decompose before and after: a letter such as "ᴬ" has a lower case only in its plain form.
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = unicodedata.normalize("NFKD", folded).translate(_LETTERS)
    kept = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join(kept.split())


def _winner(wanted: str, fitting: Sequence[tuple[float, Option]]) -> Option | None:
    best = fitting[0][0]
    if best == _EXACT:
        full = [option for points, option in fitting if points == _EXACT]
        if len(full) > 1:
            # "Luka" and "Lúka" both fit; only the exact spelling may decide.
            full = [option for option in full if option.name == wanted]
        return full[0] if len(full) == 1 else None
    if len(fitting) > 1 and best - fitting[1][0] < AHEAD:
        return None
    return fitting[0][1]


def _nearest(scored: Sequence[tuple[float, Option]]) -> tuple[Option, ...]:
    if len(scored) <= MOST_CANDIDATES:
        return tuple(option for _, option in scored)
    similar = [option for points, option in scored if points >= SIMILAR]
    return tuple(similar[:MOST_CANDIDATES])


def _similarity(one: str, other: str) -> float:
    a, b = _trigrams(one), _trigrams(other)
    return len(a & b) / len(a | b) if a | b else 0.0


def _trigrams(text: str) -> frozenset[str]:
    padded = [f"  {word} " for word in text.split()]
    return frozenset(word[at : at + 3] for word in padded for at in range(len(word) - 2))
