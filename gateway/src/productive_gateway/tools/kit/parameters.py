"""Types of parameters that several tools have, each with its one description."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from pydantic.json_schema import WithJsonSchema

from productive_gateway.tools.kit.arguments import as_json, as_list

LONGEST_REFERENCE: Final = 300
LONGEST_TEXT: Final = 30_000
MOST_ROWS: Final = 100


def text_in(value: Any) -> Any:
    """Read a text, also if it came as a number; several clients send every number as a float."""
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def reference_in(value: Any) -> Any:
    """Read a reference: no thing has the number 0, so 0 is as good as nothing."""
    text = text_in(value)
    return None if isinstance(text, str) and text in {"0", "0.0"} else text


def hours_in(value: Any) -> Any:
    """Read a duration: a number of hours, or a text such as "1:30"."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number of hours")  # noqa: TRY004  # for pydantic
    return value


def word_in(value: Any) -> Any:
    """Read a word of a choice, whatever its case."""
    return value.strip().lower().replace(" ", "_") if isinstance(value, str) else value


def as_json_object(value: Any) -> Any:
    """Read an object, also if it came as JSON text."""
    return as_json(value) if isinstance(value, str) else value


_Short = Annotated[str, Field(max_length=LONGEST_REFERENCE)]
_Long = Annotated[str, Field(max_length=LONGEST_TEXT)]
_Token = Annotated[str, Field(max_length=4000)]

Text = Annotated[_Long | None, BeforeValidator(text_in)]
Line = Annotated[_Short | None, BeforeValidator(text_in)]
Query = Annotated[
    _Short | None,
    BeforeValidator(text_in),
    Field(description="words to search for"),
]
Reference = Annotated[_Short | None, BeforeValidator(reference_in)]
"""A thing of Productive: name, id, number, link."""
Person = Annotated[
    _Short | None,
    BeforeValidator(reference_in),
    Field(description='"me", name, e-mail or id'),
]
Project = Annotated[
    _Short | None,
    BeforeValidator(reference_in),
    Field(description="name, number, id or link"),
]
Task = Annotated[
    _Short | None,
    BeforeValidator(reference_in),
    Field(description='title, "#87", id or link'),
]
RequiredTask = Annotated[
    str,
    BeforeValidator(reference_in),
    Field(max_length=LONGEST_REFERENCE, description='title, "#87", id or link'),
]
Day = Annotated[
    _Short | None,
    BeforeValidator(text_in),
    Field(description='YYYY-MM-DD, "today", "friday", "24.11."'),
]
Period = Annotated[
    _Short | None,
    BeforeValidator(text_in),
    Field(
        description='this_week, last_month, 2026-W47, 2026-11, a day, or "2026-11-02..2026-11-13"',
    ),
]
Hours = Annotated[
    float | str | None,
    BeforeValidator(hours_in),
    WithJsonSchema({"type": "number"}),
    Field(description='"1:30" and "90m" are understood too'),
]
CustomFields = Annotated[
    dict[str, Any] | None,
    BeforeValidator(as_json_object),
    WithJsonSchema({"type": "object"}),
    Field(description="values by the names of fields and options"),
]
_Name = Annotated[str, BeforeValidator(text_in), Field(max_length=LONGEST_REFERENCE)]
Names = Annotated[list[_Name] | None, BeforeValidator(as_list), Field(max_length=50)]
"""Several names, such as tags."""
Limit = Annotated[int, Field(ge=1, le=MOST_ROWS)]
Cursor = Annotated[
    _Token | None,
    BeforeValidator(text_in),
    Field(description="next_cursor of the answer before"),
]
DryRun = Annotated[bool, Field(description="check everything, write nothing")]
Confirm = Annotated[
    _Token | None,
    BeforeValidator(text_in),
    Field(description="token of the preview, once the user agreed"),
]
