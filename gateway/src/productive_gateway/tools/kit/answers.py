"""Answers: one declaration gives the structure, its schema and the text that says the same.

Hosts show a model the text, the structure, or both. So the text names everything that the structure
holds, each id included, and both are made from the same declared fields. Whatever people wrote goes
through `words.untrusted`, in both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, TypeVar

from productive_gateway.productive.records.declared import (
    Declared,
    Field,
    Kind,
    declared,
    ident,
    many,
    names,
)
from productive_gateway.productive.records.declared import name as name_of_people
from productive_gateway.tools.words import richtext, untrusted

D = TypeVar("D", bound="Answer")
Whole = TypeVar("Whole", bound=Declared)

LONGEST_LINE: Final = 300
LONGEST_RICH: Final = 4000
"""Characters of one rich text; the field says so if it was cut."""
LARGEST: Final = 8_000
"""Characters of the text, at most 2,000 tokens; rows beyond are left out and counted."""
LONGEST_HEADLINE: Final = 600
_OPENING: Final = "\"'(\u201c\u201e\u00ab"


class Resolved(Declared):
    """What a reference was resolved to."""

    input: str = name_of_people(label="")
    kind: str = ident(label="")
    id: str = ident(label="")
    name: str = name_of_people(label="")
    how: str = ident(label="")


class Answer(Declared):
    """Base of all answers; a tool adds its fields."""

    headline: str = ident(shown=False)
    """First line of the text: the answer in one sentence."""
    resolved: tuple[Resolved, ...] = many(lambda: Resolved, default=())
    warnings: tuple[str, ...] = names(default=())
    undo: str | None = ident(default=None)
    """Handle that undoes what was written, for 15 minutes."""
    next_cursor: str | None = ident(default=None)
    """For the next page of a list; absent on the last one."""


def structure_of(answer: Declared) -> dict[str, Any]:
    """Return the answer as JSON, without empty fields."""
    found: dict[str, Any] = {}
    for name, structured in _structure(type(answer)):  # type: ignore[arg-type]  # a class is hashable
        value = getattr(answer, name)
        if value or not _empty(value):
            value = structured(value)
            if value or not _empty(value):
                found[name] = value
    return found


def text_of(answer: Answer) -> str:
    """Return the answer as text: the headline, then a line for each thing."""
    headline = untrusted.line(answer.headline, LONGEST_HEADLINE)
    # A name at its start must not make it a title, a quotation or an item.
    begun = not headline or headline[0].isalnum() or headline[0] in _OPENING
    lines = [headline if begun else f"\u00b7 {headline}"]
    for one in _shown(answer):
        value = getattr(answer, one.name)
        if not value and _empty(value):
            continue
        match one.name:
            case "resolved":
                lines += [f"- {_resolved(entry)}" for entry in value]
            case "warnings":
                lines += [f"- Warning: {untrusted.line(entry, LONGEST_LINE)}" for entry in value]
            case "next_cursor":
                lines.append(f"- There is more: ask again with cursor {value}")
            case "undo":
                lines.append(f"- To undo this within 15 minutes: undo {value}")
            case _:
                lines += _field_lines(one, value)
    return "\n".join(lines)


def rendered(answer: Answer) -> tuple[dict[str, Any], str]:
    """Return structure and text of an answer, with as many rows as fit: see `within_limit`."""
    text = text_of(answer)
    if len(text) > LARGEST:
        answer = within_limit(answer)
        text = text_of(answer)
    return structure_of(answer), text


def row_text(row: Declared) -> str:
    """Return one thing on one line, its name and id first; rich texts and lists are not in it."""
    head, title = _head(row), _title(row)
    shown = (one for one in _shown(row) if one != title)
    parts = [part for one in shown if (part := _part(one, getattr(row, one.name)))]
    return " · ".join([head, *parts] if head else parts)


def reference_text(row: Declared) -> str:
    """Return "Website relaunch (30201)", in the form that every tool takes."""
    return _head(row)


def schema_of(cls: type[Answer]) -> dict[str, Any]:
    """Return the schema of a tool's structured answer.

    It names what a caller can rely on at the top; every conversation carries it, and the rows
    explain themselves.
    """
    own = [one for one in declared(cls) if one.shown and one.name not in _ENVELOPE]
    return {"type": "object", "properties": {one.name: _schema(one) for one in own}}


def within_limit(answer: D) -> D:
    """Return the answer with as many rows as fit into `LARGEST`, and a warning if some do not."""
    cuts: dict[str, _Cut] = {}
    less = answer
    while (size := len(text_of(less)) + _TOLD * len(cuts)) > LARGEST:
        # Rows are measured in the structure, which is somewhat longer than the text.
        excess = (size - LARGEST + _TOLD) * _size(structure_of(less)) // size + 1
        found = _shorter(less, excess)
        if found is None:
            break
        less, cut = found
        rows = cuts[cut.what].rows if cut.what in cuts else cut.rows
        cuts[cut.what] = replace(cut, rows=rows)
    if not cuts:
        return answer
    told = [
        f"{cut.rows - cut.kept} of {cut.rows} {cut.what} did not fit into this answer"
        f"{_advice(answer, cut)}."
        for cut in cuts.values()
    ]
    return replace(less, warnings=(*less.warnings, *told), next_cursor=None)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A list that was made shorter."""

    what: str
    rows: int
    kept: int
    outer: bool
    """Whether it is a list of the answer itself."""


def _advice(answer: Answer, cut: _Cut) -> str:
    if answer.undo is not None:
        return "; undo takes back those as well"
    return f": ask for fewer with limit={cut.kept}, or narrow the question" if cut.outer else ""


def _shorter(row: Whole, excess: int, *, outer: bool = True) -> tuple[Whole, _Cut] | None:
    """Return a declared object with a shorter list, by so many characters of the structure.

    None if it has no list that can be shorter.
    """
    lists = [one for one in declared(type(row)) if one.shown and one.kind in _SEVERAL]
    shown = {one.name: _structured(one, getattr(row, one.name)) for one in lists}
    for one in sorted(lists, key=lambda one: -_size(shown[one.name])):
        value = getattr(row, one.name)
        if not value:
            continue
        inner = (value,) if one.kind is Kind.ONE else tuple(value)
        if len(inner) > 1:
            kept = _kept([_size(entry) for entry in shown[one.name]], excess)
            cut = _Cut(one.label or one.name, len(inner), kept, outer and one.kind is Kind.MANY)
            return _with(row, one, inner[:kept]), cut
        if one.kind is not Kind.NAMES and (found := _shorter(inner[0], excess, outer=False)):
            return _with(row, one, found[0] if one.kind is Kind.ONE else (found[0],)), found[1]
    return None


def _with(row: Whole, one: Field, value: Any) -> Whole:
    return replace(row, **{one.name: value})  # type: ignore[type-var]  # each declared one is


_SEVERAL: Final = frozenset({Kind.MANY, Kind.NAMES, Kind.ONE})
_TOLD: Final = 120
"""Characters of a warning."""


def _kept(sizes: list[int], excess: int) -> int:
    """Return how many of the first rows stay if the last ones make up for the excess."""
    freed, kept = 0, len(sizes)
    while kept > 1 and freed < excess:
        kept -= 1
        freed += sizes[kept] + 2
    return kept


def _size(structure: Any) -> int:
    return len(json.dumps(structure, ensure_ascii=False))


_ENVELOPE: Final = frozenset(one.name for one in declared(Answer))


def _shown(row: Declared) -> tuple[Field, ...]:
    """Return the fields of a row that answers contain; of an answer, those of its own first."""
    return _shown_of(type(row))  # type: ignore[arg-type]  # a class is hashable


@cache
def _shown_of(cls: type[Declared]) -> tuple[Field, ...]:
    found = [one for one in declared(cls) if one.shown]
    if issubclass(cls, Answer):
        found.sort(key=lambda one: one.name in _ENVELOPE)
    return tuple(found)


def _empty(value: Any) -> bool:
    # Each field of each answer comes by here; 0 is not empty.
    return not value and (value is None or value is False or isinstance(value, _SIZED))


_SIZED: Final = (str, tuple, dict, list)


def _structured(one: Field, value: Any) -> Any:
    return None if _empty(value) else _structurer(one)(value)


def _structurer(one: Field) -> Callable[[Any], Any]:
    """Return what makes the JSON of a field's value."""
    if one.kind is Kind.IDENT and one.at:
        # Numbers of projects and tasks are texts that people may choose.
        return untrusted.name
    return _STRUCTURED.get(one.kind, _same)


@cache
def _structure(cls: type[Declared]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Return the fields that answers contain, each with what makes its JSON."""
    return tuple((one.name, _structurer(one)) for one in _shown_of(cls))  # type: ignore[arg-type]


def markdown_of(html: str) -> str:
    """Return a rich text as Markdown, cut and cleaned; in a text it is quoted."""
    return untrusted.lines(richtext.to_markdown(html, LONGEST_RICH).text, LONGEST_RICH)


def _quoted(html: str) -> list[str]:
    return untrusted.block(markdown_of(html), LONGEST_RICH).splitlines()


def _hours(minutes: int) -> float:
    return float(round(Decimal(minutes) / 60, 2))


def _moment(value: datetime) -> str:
    return value.isoformat(timespec="minutes")


def _line(text: str) -> str:
    return untrusted.line(richtext.plain(text, LONGEST_LINE), LONGEST_LINE)


def _same(value: Any) -> Any:
    return value


_STRUCTURED: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    Kind.NAME: untrusted.name,
    Kind.LINE: _line,
    Kind.RICH: markdown_of,
    Kind.DAY: date.isoformat,
    Kind.MOMENT: _moment,
    Kind.MINUTES: _hours,
    Kind.NUMBER: float,
    Kind.NAMES: lambda found: [untrusted.line(entry, LONGEST_LINE) for entry in found],
    Kind.ONE: structure_of,
    Kind.MANY: lambda found: [structure_of(entry) for entry in found],
}


def _head(row: Declared) -> str:
    """Return the name of a row with its id, or what there is of them."""
    named = _title(row)
    title = _structured(named, getattr(row, named.name)) if named else None
    number = next((row.id for one in _shown(row) if one.name == "id"), None)  # type: ignore[attr-defined]
    if title and number:
        return f"{title} ({number})"
    return title or (f"({number})" if number else "")


def _title(row: Declared) -> Field | None:
    return next((one for one in _shown(row) if one.kind is Kind.NAME), None)


def _part(one: Field, value: Any) -> str:
    """Return a field as part of a row's line; empty for what is elsewhere."""
    if _empty(value) or one.name == "id" or one.kind is Kind.RICH or _has_lines(one, value):
        return ""
    return _labelled(one, inline_text(one, value))


def _has_lines(one: Field, value: Any) -> bool:
    """Return whether a field has lines of its own: several things that are more than a name."""
    return one.kind is Kind.MANY and any(row_text(row) != reference_text(row) for row in value)


def _labelled(one: Field, text: str) -> str:
    if one.kind is Kind.FLAG:
        return one.label
    return f"{one.label} {text}" if one.label else text


def inline_text(one: Field, value: Any) -> str:
    """Return the value of a field within a line."""
    made = _INLINE.get(one.kind)
    return made(value) if made else str(_structured(one, value))


_INLINE: Final[Mapping[Kind, Callable[[Any], str]]] = {
    Kind.ONE: row_text,
    Kind.MINUTES: lambda minutes: f"{_hours(minutes):.2f} h",
    Kind.NAMES: lambda found: ", ".join(untrusted.line(one, LONGEST_LINE) for one in found),
    Kind.NUMBER: lambda number: f"{float(number):g}",
    Kind.RICH: _line,
    Kind.MANY: lambda found: ", ".join(reference_text(one) for one in found),
}


def _field_lines(one: Field, value: Any) -> list[str]:
    match one.kind:
        case Kind.MANY:
            lead = [f"{one.label[:1].upper()}{one.label[1:]}:"] if one.label else []
            return lead + [text for entry in value for text in _row_lines(entry)]
        case Kind.ONE:
            lines = _row_lines(value)
            label = f"{one.label}: " if one.label else ""
            return [f"- {label}{lines[0].removeprefix('- ')}", *lines[1:]]
        case Kind.RICH:
            return [f"{one.label[:1].upper()}{one.label[1:]}:", *_quoted(value), ""]
        case _:
            return [f"- {_labelled(one, inline_text(one, value))}"]


def _row_lines(row: Declared, indent: str = "") -> list[str]:
    lines = [f"{indent}- {row_text(row)}"]
    inner = indent + "  "
    for one in _shown(row):
        value = getattr(row, one.name)
        if _empty(value):
            continue
        if one.kind is Kind.RICH:
            lines.append(f"{inner}{one.label}:")
            lines += [f"{inner}{text}" for text in _quoted(value)]
            lines.append("")
        elif _has_lines(one, value):
            lines.append(f"{inner}{one.label}:")
            lines += [text for entry in value for text in _row_lines(entry, inner)]
        elif one.kind is Kind.ONE:
            # What does not fit on one line of the thing itself.
            lines += _row_lines(value, inner)[1:]
    return lines


def _resolved(entry: Resolved) -> str:
    shown = structure_of(entry)
    return (
        f'"{shown["input"]}" is the {shown["kind"]} {shown["name"]} ({shown["id"]}): {shown["how"]}'
    )


def _schema(one: Field) -> Mapping[str, Any]:
    return _SCHEMAS.get(one.kind, {"type": "string"})


_SCHEMAS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    Kind.ONE: {"type": "object"},
    Kind.MANY: {"type": "array", "items": {"type": "object"}},
    Kind.NAMES: {"type": "array", "items": {"type": "string"}},
    Kind.MINUTES: {"type": "number"},
    Kind.NUMBER: {"type": "number"},
    Kind.COUNT: {"type": "integer"},
    Kind.FLAG: {"type": "boolean"},
}
