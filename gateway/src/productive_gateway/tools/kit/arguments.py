"""Reads the arguments of a call: strict in what is published, generous in what is taken.

Models and clients write the same thing in many ways: null or an empty text for "not given", a
number for an id, a list as JSON text, one object where a list of them is meant. All of these are
understood. A name that no parameter has is reported to the model, and otherwise ignored.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Final, TypeVar, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo

from productive_gateway.tools.kit.errors import Problem, ToolError

A = TypeVar("A", bound="Arguments")

_MOST_NAMED: Final = 3
"""Invalid arguments that one message names."""
_LONGEST_NAME: Final = 60


class Arguments(BaseModel):
    """Base of all arguments, of a tool or of one item in a list."""

    passed_on: ClassVar[frozenset[str]] = frozenset()
    """Names that an answer shows beside these: they may come back with them."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any, info: ValidationInfo) -> Any:
        if isinstance(given, str):
            given = as_json(given)
        if not isinstance(given, Mapping):
            return given
        fields, known, never_zero = _names_of(cls)
        if info.context is not None and not known.issuperset(given):
            info.context.extend(str(name) for name in given if name not in known)
        return {
            name: value
            for name, value in given.items()
            if name in fields
            and not _left_out(value)
            and not (name in never_zero and _is_zero(value))
        }


_Names = frozenset[str]


@cache
def _names_of(cls: type[Arguments]) -> tuple[_Names, _Names, _Names]:
    """Return the names of fields, those with the names passed on, and of fields without a 0."""
    fields = cls.model_fields
    never_zero = {name for name, field in fields.items() if _never_zero(field)}
    return frozenset(fields), cls.passed_on.union(fields), frozenset(never_zero)


def model_of(function: Callable[..., Awaitable[Any]]) -> type[Arguments]:
    """Return the model of a tool's parameters: all of the function's but the first, the call."""
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    fields: dict[str, Any] = {
        one.name: (hints[one.name], ... if one.default is one.empty else one.default)
        for one in parameters
    }
    return create_model(function.__name__, __base__=Arguments, **fields)


def read_arguments(model: type[A], given: Mapping[str, Any]) -> tuple[A, tuple[str, ...]]:
    """Return the arguments, and the names in them that no parameter has.

    Raises:
        ToolError: a value is not what its parameter takes.
    """
    unknown: list[str] = []
    try:
        arguments = model.model_validate(dict(given), context=unknown)
    except ValidationError as error:
        raise ToolError(_wrong(error, unknown)) from error
    return arguments, tuple(dict.fromkeys(unknown))


def as_json(text: str) -> Any:
    """Return what a JSON text of a list or an object says; any other text unchanged."""
    if text.strip()[:1] not in {"[", "{"}:
        return text
    try:
        value = json.loads(text, parse_constant=_no_constant)
        # Half of a surrogate pair, written as an escape, can be sent to nobody.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def as_list(given: Any) -> Any:
    """Return a list, also of one thing and of a JSON text."""
    value = as_json(given) if isinstance(given, str) else given
    return value if isinstance(value, list | tuple) or _left_out(value) else [value]


def _left_out(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_zero(value: Any) -> bool:
    return value in (0, "0") and not isinstance(value, bool)


def _never_zero(field: FieldInfo) -> bool:
    return any(getattr(bound, "ge", None) == 1 for bound in field.metadata)


def _wrong(error: ValidationError, unknown: list[str]) -> Problem:
    """Return the problem for arguments that do not fit; it quotes no value."""
    found = error.errors(include_url=False, include_context=True, include_input=False)
    wrong = [(_path(entry["loc"]), _said(entry)) for entry in found[:_MOST_NAMED]]
    told = "; ".join(f"{path}: {message}" if path else message for path, message in wrong)
    ignored = (
        f" Unknown: {', '.join(name[:_LONGEST_NAME] for name in unknown[:5])}." if unknown else ""
    )
    return Problem(
        "invalid_value",
        f"The arguments are invalid. {told}.{ignored}",
        "Correct them as the tool's schema says, then call it again.",
        field=wrong[0][0] or None,
    )


def _said(entry: Mapping[str, Any]) -> str:
    """Return what is wrong, without names of Python's types and ours."""
    context = entry.get("ctx") or {}
    return _SAID.get(entry["type"], "is not valid").format_map(_Parts(context))


class _Parts(dict[str, Any]):
    """Parts of a message; one that is missing is left out."""

    def __missing__(self, key: str) -> str:
        return ""


_SAID: Final[Mapping[str, str]] = {
    "missing": "is required",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "literal_error": "must be one of {expected}",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
    "string_too_long": "must have at most {max_length} characters",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "value_error": "{error}",
}


def _path(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += ("." if path else "") + part[:_LONGEST_NAME]
    return path
