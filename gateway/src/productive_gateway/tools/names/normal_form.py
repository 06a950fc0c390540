"""Normal forms of names, and how well one name fits another.

Names are compared without case, accents, punctuation and invisible characters. The normal form of
every candidate is made once; a comparison is then a search in a string, so that 5,000 candidates
take a few milliseconds.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

EXACT: Final = 100
SAME_WORDS: Final = 95
"""The same words in another order."""
PREFIX: Final = 90
WORDS: Final = 80
"""Every word is the beginning of a word; from here on a name fits."""
SIMILAR: Final = 60
"""From here on a name is worth offering."""

_LETTERS: Final = str.maketrans(
    {"đ": "d", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_FILLERS: Final = "\u115f\u1160"
"""Letters of Hangul that nobody sees."""
_NO_WORD: Final = re.compile("[^0-9a-z]+")
_SHORTEST_USEFUL: Final = 3


@dataclass(frozen=True, slots=True)
class NormalForm:
    """A name, prepared for comparing."""

    padded: str
    """The normal form with a blank before every word, the first included."""
    sorted_words: tuple[str, ...]


def normal_form(text: str) -> NormalForm:
    """Return a text prepared for comparing."""
    words = normalized(text).split()
    return NormalForm("".join(f" {word}" for word in words), tuple(sorted(words)))


def normalized(text: str) -> str:
    """Return the text in lower case, without accents, punctuation and doubled spaces."""
    if text.isascii():
        return _NO_WORD.sub(" ", text.lower()).strip()
    # Decompose before and after: a letter such as "ᴬ" has a lower case only in its plain form, and
    # the lower case of some accents is a letter.
    return " ".join(_letters(_letters(text).casefold()).translate(_LETTERS).split())


def fit(want: NormalForm, have: NormalForm) -> int:
    """Return how well a name fits: one of `EXACT`, `SAME_WORDS`, `PREFIX`, `WORDS`, or 0."""
    if not want.padded:
        return 0
    if want.padded == have.padded:
        return EXACT
    if not all(f" {word}" in have.padded for word in want.sorted_words):
        return 0
    if want.sorted_words == have.sorted_words:
        return SAME_WORDS
    return PREFIX if have.padded.startswith(want.padded) else WORDS


def likeness(want: NormalForm, names: Iterable[NormalForm]) -> Iterator[int]:
    """Yield for each name that does not fit how much it resembles the wanted one, below `WORDS`.

    Either the letters are alike, or some of the words are there: half of the letters that are
    wanted give `SIMILAR`.
    """
    total = sum(map(len, want.sorted_words))
    trigrams = _trigrams(want)
    for have in names:
        there = sum(len(word) for word in want.sorted_words if f" {word}" in have.padded)
        some_words = 41 + 38 * there // total if there else 0
        yield min(max(some_words, _similarity(trigrams, have)), WORDS - 1)


def longest_word(text: str) -> str | None:
    """Return the word to search for after the whole text found nothing.

    It is written as in the text. None if the text has only one word, or no word of at least three
    letters: a search for it would find the same, or everything.
    """
    words = re.findall(r"\w+", text)
    long = [word for word in words if len(word) >= _SHORTEST_USEFUL and not word.isdecimal()]
    return max(long, key=len) if long and len(words) > 1 else None


def _letters(text: str) -> str:
    return "".join(_kept(character) for character in unicodedata.normalize("NFKD", text))


def _kept(character: str) -> str:
    if character.isalnum():
        return "" if character in _FILLERS else character
    # Accents and invisible characters vanish; everything else separates words.
    return "" if unicodedata.category(character) in {"Mn", "Me", "Cf"} else " "


def _similarity(wanted: frozenset[str], have: NormalForm) -> int:
    """Return the share of trigrams that two names have in common, or 0 if it is below `SIMILAR`."""
    spaced = have.padded.replace(" ", "  ") + " "
    if 100 * sum(one in spaced for one in wanted) < SIMILAR * len(wanted) or not wanted:
        return 0  # most names end here, without a set being made of them
    other = _trigrams(have)
    share = 100 * len(wanted & other) // len(wanted | other)
    return share if share >= SIMILAR else 0


def _trigrams(form: NormalForm) -> frozenset[str]:
    padded = [f"  {word} " for word in form.sorted_words]
    return frozenset(word[at : at + 3] for word in padded for at in range(len(word) - 2))
