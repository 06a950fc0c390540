"""The kinds of values: which operators filter them, and which values a write may give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import Enum, auto
from typing import Any, Final


class Kind(Enum):
    """What an attribute, a relation or a filter holds."""

    TEXT = auto()
    HTML = auto()
    NUMBER = auto()
    MINUTES = auto()
    MONEY = auto()
    FLAG = auto()
    DAY = auto()
    MOMENT = auto()
    CHOICE = auto()
    LIST = auto()
    HASH = auto()
    ANY = auto()
    """Whatever a write gives; the resource decides about it."""
    KEY = auto()
    """The record's own id, which can be compared as a number (the vendor's code does it)."""
    RELATION = auto()


_EQUALITY: Final = frozenset({"eq", "not_eq"})
_WORDS: Final = _EQUALITY | {"contains", "not_contain"}
_ORDER: Final = _EQUALITY | {"gt", "lt", "gt_eq", "lt_eq"}
# any_of and none_of are the vendor's schema, contains and not_contain the guide's.
_MEMBERSHIP: Final = _WORDS | {"any_of", "none_of"}

OPERATORS: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.TEXT: _WORDS,
    Kind.HTML: _WORDS,
    Kind.NUMBER: _ORDER,
    Kind.MINUTES: _ORDER,
    Kind.MONEY: _ORDER,
    Kind.FLAG: _EQUALITY,
    Kind.DAY: _ORDER,
    Kind.MOMENT: _ORDER,
    Kind.CHOICE: _EQUALITY,
    Kind.LIST: _MEMBERSHIP,
    Kind.HASH: _WORDS | _ORDER,
    Kind.ANY: _EQUALITY,
    Kind.KEY: _ORDER | _MEMBERSHIP,
    Kind.RELATION: _MEMBERSHIP,
}
"""Operators by kind, as the vendor's schema and guide have them; one client measured that `gt_eq`
and `lt_eq` are refused somewhere, the vendor's own code uses them."""


class Refused(Exception):
    """A value does not fit a kind."""


def day_of(value: object) -> date | None:
    """Read a date, or the date of an instant."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def instant_of(value: object) -> datetime | None:
    """Read an instant with its offset; a bare date is none."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None


def fits_filter(kind: Kind, value: str) -> bool:
    """Tell whether a filter takes a value of the query string."""
    match kind:
        case Kind.FLAG:
            return value in ("true", "false")
        case Kind.RELATION | Kind.KEY | Kind.CHOICE:
            return value.isascii() and value.isdigit()
        case Kind.NUMBER | Kind.MINUTES | Kind.MONEY:
            return _is_number(value)
        case Kind.DAY | Kind.MOMENT:
            return day_of(value) is not None and (len(value) == 10 or instant_of(value) is not None)
        case _:
            return True


def taken(kind: Kind, value: Any) -> Any:
    """Return the value that a write stores.

    Raises:
        Refused: the value is of another kind; the message is what the API says (inferred).
    """
    return None if value is None else _TAKEN[kind](value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise Refused("is invalid")


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false", 0, 1):
        return value in ("true", 1)
    raise Refused("is invalid")


def _whole(value: Any) -> int:
    # One client sends minutes as 60.0, and it works.
    if isinstance(value, str) and _is_number(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise Refused("is not a number")
    return int(value)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not (isinstance(value, int | float) or _is_number(str(value))):
        raise Refused("is not a number")
    return value


def _day(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 10 or day_of(value) is None:
        raise Refused("is invalid")
    return value


def _moment(value: Any) -> str:
    if not isinstance(value, str) or instant_of(value) is None:
        raise Refused("is invalid")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Refused("is invalid")
    return value


def _hash(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused("is invalid")
    return value


def _is_number(value: str) -> bool:
    digits = value.removeprefix("-").replace(".", "", 1)
    return digits.isascii() and digits.isdigit()


def _anything(value: Any) -> Any:
    return value


def _nothing(_: Any) -> Any:
    raise Refused("is invalid")


_TAKEN: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    Kind.TEXT: _text,
    Kind.HTML: _text,
    Kind.FLAG: _flag,
    Kind.MINUTES: _whole,
    Kind.CHOICE: _whole,
    Kind.NUMBER: _number,
    Kind.MONEY: _number,
    Kind.DAY: _day,
    Kind.MOMENT: _moment,
    Kind.LIST: _list,
    Kind.HASH: _hash,
    Kind.ANY: _anything,
    Kind.KEY: _nothing,
    Kind.RELATION: _nothing,
}
