"""The marks of a declaration, in the notation of the vendor's schema as we write it down.

    !        must be given at creation
    -        is never written
    +        is written at creation only
    ~        is refused by `include`
    *        is written and filtered by, and has no place in answers
    f, f=x   can be filtered by, under its own name or another
    o, o=x   can be sorted by, likewise

So `text("title", "! f o")` declares a required title that lists can be filtered and sorted by.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Written(Enum):
    """When a write may give a value."""

    NEVER = auto()
    AT_CREATION = auto()
    ALWAYS = auto()


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks, read."""

    written: Written
    required: bool
    includable: bool
    answered: bool
    filter: str | None
    sort: str | None


def read_marks(name: str, text: str, *, filter_name: str | None = None) -> Marks:
    """Read the marks of an attribute or relation.

    Raises:
        ValueError: a mark is unknown.
    """
    written, required = Written.ALWAYS, False
    includable = answered = True
    filtered = sorted_by = None
    for mark in text.split():
        key, _, value = mark.partition("=")
        match key:
            case "!":
                required = True
            case "-":
                written = Written.NEVER
            case "+":
                written = Written.AT_CREATION
            case "~":
                includable = False
            case "*":
                includable = answered = False
            case "f":
                filtered = value or filter_name or name
            case "o":
                sorted_by = value or name
            case _:
                raise ValueError(f"{name}: {mark} is no mark")
    return Marks(written, required, includable, answered, filtered, sorted_by)
