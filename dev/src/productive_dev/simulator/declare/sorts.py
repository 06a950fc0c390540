"""Sort keys: the order of numbers, of dates and of texts, with null last.

Texts are ordered as a locale does: case and accents are ignored, a blank comes before punctuation,
punctuation before digits, digits before letters (it fits a recorded list of 400 names). Where
null comes is not known.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from productive_dev.simulator.context import Context
from productive_dev.simulator.records import Record

Key = tuple[bool, float, str]
"""Whether the value is null, its number, its text."""
SortKey = Callable[[Context, Record], Key]


def key_of(value: Any) -> Key:
    """Return the key of a value."""
    if value is None:
        return (True, 0, "")
    if isinstance(value, int | float):
        return (False, float(value), "")
    return (False, 0, collated(str(value)))


def by(name: str, *path: str) -> SortKey:
    """Sort by a stored attribute, or by one of a related record."""

    def key(context: Context, record: Record) -> Key:
        holder = context.follow(record, *path)
        return key_of(holder.attributes.get(name) if holder else None)

    return key


def by_names(names: tuple[str, ...], *path: str) -> SortKey:
    """Sort by several texts one after the other, such as first and last name."""

    def key(context: Context, record: Record) -> Key:
        holder = context.follow(record, *path)
        if holder is None:
            return key_of(None)
        return key_of("\0".join(str(holder.attributes.get(name) or "") for name in names))

    return key


def by_id(_: Context, record: Record) -> Key:
    """Sort by id."""
    return (False, float(record.id), "")


def collated(text: str) -> str:
    """Return a text that compares as its collation does."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(_rank(letter) + letter for letter in plain if not unicodedata.combining(letter))


def _rank(letter: str) -> str:
    if letter == "\0":
        return "0"
    if letter.isspace():
        return "1"
    if letter.isdigit():
        return "3"
    return "4" if letter.isalpha() else "2"
