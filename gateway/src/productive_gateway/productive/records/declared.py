"""Declarations: classes whose fields say what they are, for decoders, queries, schemas and texts.

A declared class is a frozen dataclass. Each field is made by one of the functions below, which says
what kind of value it holds and, for records, where Productive has it. Everything else follows from
that: the query that reads a record, its decoder and its write body (`record`, `store`), and the
structure, schema and text of an answer (`tools.kit.answers`).

    class Task(Record, type="tasks"):
        title: str = name("title")
        due: date | None = day("due_date", default=None)
        project: ProjectRef | None = one(lambda: ProjectRef, "project", default=None)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum, auto
from typing import Any, ClassVar, Final, dataclass_transform

Target = Callable[[], type["Declared"]]
"""Returns a declared class; a function, so that two classes may refer to each other."""


class Kind(Enum):
    """What a field holds."""

    IDENT = auto()
    """An id, number, link or other text that people did not write."""
    NAME = auto()
    """Written by people, one line: names, titles."""
    LINE = auto()
    """Written by people, one longer line: notes, details."""
    RICH = auto()
    """Written by people, many lines: HTML at Productive, Markdown here."""
    WORD = auto()
    """A word of our own, such as a state."""
    DAY = auto()
    MOMENT = auto()
    MINUTES = auto()
    """Whole minutes; shown as hours."""
    COUNT = auto()
    NUMBER = auto()
    FLAG = auto()
    """Shown only if true."""
    NAMES = auto()
    """Several names."""
    ONE = auto()
    """One declared object."""
    MANY = auto()
    """Several declared objects."""
    RAW = auto()
    """JSON as Productive has it, for code that reads it tolerantly; never shown."""


@dataclass(frozen=True, slots=True)
class Field:
    """What is known about one field of a declared class."""

    name: str
    kind: Kind
    at: str
    """Productive's attribute, or path of relationships ("service.deal"); empty if there is none."""
    codes: Mapping[int, str]
    """Words for Productive's numbers."""
    target: Target | None
    shown: bool
    """Whether answers contain the field."""
    label: str
    """Before the value in texts; empty for none."""
    optional: bool


_DECLARED: Final = "productive"


def _made(
    kind: Kind,
    at: str,
    *,
    default: Any,
    codes: Mapping[int, str] | None = None,
    target: Target | None = None,
    shown: bool = True,
    label: str | None = None,
) -> Any:
    about = {"kind": kind, "at": at, "codes": codes or {}, "target": target}
    about |= {"shown": shown, "label": label}
    return field(default=default, metadata={_DECLARED: about})


def ident(
    at: str = "", *, default: Any = MISSING, shown: bool = True, label: str | None = None
) -> Any:
    """An id, number, link or other text that people did not write."""
    return _made(Kind.IDENT, at, default=default, shown=shown, label=label)


def name(
    at: str = "", *, default: Any = MISSING, shown: bool = True, label: str | None = None
) -> Any:
    """A name or title; several attributes, separated by a space, are joined."""
    return _made(Kind.NAME, at, default=default, shown=shown, label=label)


def line(at: str = "", *, default: Any = None, shown: bool = True, label: str | None = None) -> Any:
    """A longer line that people wrote, HTML or plain at Productive, plain here."""
    return _made(Kind.LINE, at, default=default, shown=shown, label=label)


def rich(at: str = "", *, default: Any = None, shown: bool = True) -> Any:
    """Text of several lines that people wrote: HTML at Productive and in the record."""
    return _made(Kind.RICH, at, default=default, shown=shown)


def word(
    at: str = "",
    codes: Mapping[int, str] | None = None,
    *,
    default: Any = None,
    shown: bool = True,
    label: str | None = None,
) -> Any:
    """A word of ours; `codes` are the words for Productive's numbers."""
    return _made(Kind.WORD, at, default=default, codes=codes, shown=shown, label=label)


def day(at: str = "", *, default: Any = None, shown: bool = True, label: str | None = None) -> Any:
    """A date."""
    return _made(Kind.DAY, at, default=default, shown=shown, label=label)


def moment(
    at: str = "", *, default: Any = None, shown: bool = True, label: str | None = None
) -> Any:
    """A date and time with its offset."""
    return _made(Kind.MOMENT, at, default=default, shown=shown, label=label)


def minutes(
    at: str = "", *, default: Any = None, shown: bool = True, label: str | None = None
) -> Any:
    """Whole minutes, shown as hours."""
    return _made(Kind.MINUTES, at, default=default, shown=shown, label=label)


def count(
    at: str = "", *, default: Any = None, shown: bool = True, label: str | None = None
) -> Any:
    """A whole number."""
    return _made(Kind.COUNT, at, default=default, shown=shown, label=label)


def number(
    at: str = "", *, default: Any = None, shown: bool = True, label: str | None = None
) -> Any:
    """A number with decimals."""
    return _made(Kind.NUMBER, at, default=default, shown=shown, label=label)


def flag(
    at: str = "", *, default: Any = False, shown: bool = True, label: str | None = None
) -> Any:
    """True or false; shown only if true."""
    return _made(Kind.FLAG, at, default=default, shown=shown, label=label)


def names(at: str = "", *, default: Any = (), shown: bool = True, label: str | None = None) -> Any:
    """Several names, such as tags."""
    return _made(Kind.NAMES, at, default=default, shown=shown, label=label)


def one(
    target: Target,
    at: str = "",
    *,
    default: Any = None,
    shown: bool = True,
    label: str | None = None,
) -> Any:
    """One declared object; of a record, `at` is the path of relationships to it."""
    return _made(Kind.ONE, at, default=default, target=target, shown=shown, label=label)


def many(
    target: Target,
    at: str = "",
    *,
    default: Any = (),
    shown: bool = True,
    label: str | None = None,
) -> Any:
    """Several declared objects."""
    return _made(Kind.MANY, at, default=default, target=target, shown=shown, label=label)


def raw(at: str, *, default: Any = None) -> Any:
    """JSON as Productive has it: hashes and lists whose members vary; answers never contain it."""
    return _made(Kind.RAW, at, default=default, shown=False)


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(
        ident,
        name,
        line,
        rich,
        word,
        day,
        moment,
        minutes,
        count,
        number,
        flag,
        names,
        one,
        many,
        raw,
    ),
)
class Declared:
    """Base of all declared classes; a subclass becomes a frozen dataclass with named arguments."""

    declared_fields: ClassVar[tuple[Field, ...]] = ()

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        dataclass(frozen=True, kw_only=True)(cls)
        cls.declared_fields = _fields_of(cls)


def declared(cls: type[Declared]) -> tuple[Field, ...]:
    """Return the fields of a declared class, in their order."""
    return cls.declared_fields


def _fields_of(cls: type[Declared]) -> tuple[Field, ...]:
    """Read the fields of a new class.

    Raises:
        TypeError: a field was not made by one of the functions of this module.
    """
    found = []
    for one_field in fields(cls):  # type: ignore[arg-type]  # it is a dataclass by now
        about = one_field.metadata.get(_DECLARED)
        if about is None:
            raise TypeError(f"{cls.__name__}.{one_field.name} does not say what it holds")
        label = about["label"]
        found.append(
            Field(
                name=one_field.name,
                kind=about["kind"],
                at=about["at"],
                codes=about["codes"],
                target=about["target"],
                shown=about["shown"],
                label=one_field.name.replace("_", " ") if label is None else label,
                optional=one_field.default is not MISSING,
            )
        )
    return tuple(found)
