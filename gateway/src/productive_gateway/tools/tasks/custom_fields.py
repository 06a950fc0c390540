"""Custom fields of tasks: names and values as people write them, and the hash Productive keeps.

Productive replaces the whole hash on every write, and holds ids for options and people. So the
values that a task has are read, changed, and written back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.people import PersonRef
from productive_gateway.productive.records.store import Rows
from productive_gateway.productive.records.tasks import CustomField, FieldOption
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.arguments import as_list
from productive_gateway.tools.kit.errors import Candidate, Problem, ToolError
from productive_gateway.tools.kit.read import invalid, read_day
from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.options import Option, Options
from productive_gateway.tools.tasks.assignees import is_none, person_id

LIFETIME: Final = 15 * 60
"""Seconds for which definitions are remembered."""
_LONGEST_TEXT: Final = 2000


class FieldValue(has.Declared):
    """The value of one custom field."""

    id: str = has.ident(label="")
    field: str = has.name()
    value: str | None = has.line(label="")


async def definitions(call: Call, project: str | None) -> tuple[CustomField, ...]:
    """Return the custom fields that tasks of a project may have.

    Args:
        call: the running call.
        project: its id; None for those of all projects only.
    """
    every = await call.records.remembered(
        CustomField, {"customizable_type": "Tasks"}, lifetime=LIFETIME, make=_in_use
    )
    return tuple(
        one
        for one in every
        if one.everywhere or (one.project is not None and one.project.id == project)
    )


async def merged(
    call: Call,
    project: str | None,
    given: Mapping[str, Any],
    present: Any,
    field: str,
) -> dict[str, Any]:
    """Return the whole hash: what is there, with the given values by names put in.

    Raises:
        ToolError: a field or a value is not known.
    """
    fields = await definitions(call, project)
    values = held_in(present)
    for name, value in given.items():
        where = f"{field}.{name}"
        one = _chosen(call, fields, name, field)
        if value is None or (isinstance(value, str) and is_none(value)):
            values.pop(one.id, None)
        else:
            values[one.id] = await _value(call, one, value, where)
    return values


async def check_required(
    call: Call, project: str, values: Mapping[str, Any] | None, field: str
) -> None:
    """Refuse a new task without a custom field that its project requires.

    Raises:
        ToolError: a required field has no value.
    """
    missing = [
        one
        for one in await definitions(call, project)
        if one.required and one.id not in (values or {})
    ]
    if missing:
        names = ", ".join(one.name for one in missing)
        options = [option for one in missing for option in in_use(one.options)]
        raise ToolError(
            Problem(
                "missing_custom_field",
                f"Tasks of this project need a value for: {names}.",
                "Ask the user, then give it in custom_fields by its name.",
                field=field,
                candidates=tuple(Candidate(one.id, one.name) for one in options[:5]),
                left=max(0, len(options) - 5),
            )
        )


async def filters(
    call: Call, project: str | None, given: Mapping[str, Any], field: str
) -> dict[str, str]:
    """Return the filters for tasks with these values.

    Raises:
        ToolError: a field or a value is not known.
    """
    values = await merged(call, project, given, None, field)
    return {
        f"custom_fields][{number}][eq": ",".join(map(str, as_list(value)))
        for number, value in values.items()
    }


def held_in(custom_fields: Any) -> dict[str, Any]:
    """Return the values of a task, by the ids of the fields; `custom_fields` as Productive has it.

    It is null where nothing was ever set, and a field that was cleared may stay as a null.
    """
    held = custom_fields if isinstance(custom_fields, Mapping) else {}
    return {str(number): value for number, value in held.items() if value is not None}


async def shown_values(
    call: Call, project: str | None, custom_fields: Any
) -> tuple[FieldValue, ...]:
    """Return the values of a task by the names of fields, options and people."""
    values = held_in(custom_fields)
    if not values:
        return ()
    fields = {one.id: one for one in await definitions(call, project)}
    people = sorted(
        {
            str(one)
            for number, value in values.items()
            if number in fields and fields[number].kind == "person"
            for one in as_list(value)
        }
    )
    names: dict[str, str] = {}
    if people:
        found = await call.records.all(PersonRef, {"id": people}, most=1)
        names = {one.id: f"{one.name} ({one.id})" for one in found.rows}
    return tuple(
        FieldValue(id=number, field=one.name, value=_shown(one, value, names))
        for number, value in values.items()
        if (one := fields.get(number)) is not None
    )


def _shown(one: CustomField, value: Any, people: Mapping[str, str]) -> str:
    names = {**{option.id: option.name for option in one.options}, **people}
    return ", ".join(names.get(str(each), str(each)) for each in as_list(value))


def in_use(options: Iterable[FieldOption]) -> list[FieldOption]:
    """Return the options that may still be chosen."""
    return [one for one in options if not one.archived]


def _in_use(rows: Rows[CustomField]) -> tuple[CustomField, ...]:
    return tuple(one for one in rows.rows if not one.archived)


def _chosen(call: Call, fields: Sequence[CustomField], name: str, field: str) -> CustomField:
    options = Options(
        Option(RecordKind.CUSTOM_FIELD, one.id, one.name, remark=one.kind) for one in fields
    )
    number = call.names.choose(RecordKind.CUSTOM_FIELD, name, field, options)
    return next(one for one in fields if one.id == number)


async def _value(call: Call, one: CustomField, value: Any, field: str) -> Any:
    match one.kind:
        case "select":
            return _option(call, one, value, field)
        case "multi-select":
            return [_option(call, one, each, field) for each in as_list(value)]
        case "number":
            return _number(value, field)
        case "date":
            return read_day(str(value), field, call.today, direction="future").isoformat()
        case "person":
            people = await asyncio.gather(
                *(person_id(call, str(each), field) for each in as_list(value))
            )
            return people[0] if len(people) == 1 else people
        case "text" if isinstance(value, str | int | float) and len(str(value)) <= _LONGEST_TEXT:
            return str(value)
        case _:
            raise invalid(
                field,
                f"The custom field {one.name} cannot be set to that.",
                "Let the user set it in Productive itself.",
            )


def _option(call: Call, one: CustomField, value: Any, field: str) -> str:
    options = Options(
        Option(RecordKind.OPTION, option.id, option.name) for option in in_use(one.options)
    )
    return call.names.choose(RecordKind.OPTION, str(value), field, options)


def _number(value: Any, field: str) -> int | float:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation as error:
        raise invalid(field, "This custom field holds a number.") from error
    if not number.is_finite():
        raise invalid(field, "This custom field holds a number.")
    return int(number) if number == number.to_integral_value() else float(number)
