"""Values of custom fields: a hash by field id that a write replaces as a whole.

From guides: an unknown option is refused, a required field must be there at creation and update.
The code `required_custom_field` is the guide's, its pointer is inferred.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.kinds import day_of
from productive_dev.simulator.errors import Fault
from productive_dev.simulator.records import Record, Ref

TEXT, NUMBER, SELECT, DATE, MULTISELECT, PERSON = 1, 2, 3, 4, 5, 6
_REQUIRED: Final = "required_custom_field"


def check_custom_fields(
    context: Context, before: Record | None, record: Record, customizable: str
) -> Iterable[Fault]:
    """Name custom fields with a wrong value, and required ones without."""
    values = record.attributes["custom_fields"] or {}
    old = (before.attributes["custom_fields"] or {}) if before else {}
    known = {field.id: field for field in _fields(context, record, customizable)}
    for number, value in values.items():
        if number not in known:
            # Inferred: a field that is not of this kind of record.
            yield Fault("custom_fields", "is invalid")
        elif old.get(number) != value and not _fits(context, known[number], value):
            yield Fault("custom_fields", "is not included in the list")
    for number, field in known.items():
        if field.attributes["required"] and values.get(number) in (None, "", []):
            name = field.attributes["name"]
            detail = f"{name} can't be blank"
            yield Fault("custom_fields", detail, _REQUIRED, "Required Custom Field")


def _fields(context: Context, record: Record, customizable: str) -> Iterable[Record]:
    project = record.to_one("project")
    for field in context.all("custom_fields"):
        if field.attributes["customizable_type"].lower() != customizable:
            continue
        if field.attributes["archived_at"] is not None:
            continue
        if field.attributes["global"] or field.to_one("project") == project:
            yield field


def _fits(context: Context, field: Record, value: Any) -> bool:
    kind = field.attributes["data_type_id"]
    if value is None:
        fits = True
    elif kind == NUMBER:
        fits = isinstance(value, int | float) or str(value).replace(".", "", 1).isdigit()
    elif kind == SELECT:
        fits = _is_option(context, field, value)
    elif kind == MULTISELECT:
        fits = isinstance(value, list) and all(_is_option(context, field, v) for v in value)
    elif kind == DATE:
        fits = day_of(value) is not None
    elif kind == PERSON:
        people = value if isinstance(value, list) else [value]
        fits = all(context.visible(Ref("people", str(one))) is not None for one in people)
    else:
        fits = isinstance(value, str)
    return fits


def _is_option(context: Context, field: Record, value: Any) -> bool:
    option = context.state.get("custom_field_options", str(value))
    return (
        option is not None
        and option.to_one("custom_field") == field.ref
        and option.attributes["archived_at"] is None
    )
