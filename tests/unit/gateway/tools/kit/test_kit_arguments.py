from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any, ClassVar, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BeforeValidator, Field

from productive_gateway.tools.kit.arguments import Arguments, as_list, model_of, read_arguments
from productive_gateway.tools.kit.errors import ToolError
from productive_gateway.tools.kit.parameters import Hours, Limit, Names, Project, Query, word_in
from productive_gateway.tools.kit.schema import input_schema


class Item(Arguments):
    passed_on: ClassVar = frozenset({"why"})

    hours: Hours = None
    project: Project = None
    note: Query = None


async def log(
    call: Any,
    *,
    entries: Annotated[list[Item], BeforeValidator(as_list), Field(min_length=1, max_length=3)],
    state: Annotated[Literal["open", "in_progress"], BeforeValidator(word_in)] = "open",
    limit: Limit = 25,
    tags: Names = None,
    dry_run: bool = False,
) -> None:
    """Log."""


MODEL = model_of(log)


def read(**given: Any) -> Any:
    return read_arguments(MODEL, given)[0]


@pytest.mark.parametrize("nothing", [None, "", "  "])
@pytest.mark.parametrize("name", ["state", "limit", "tags", "dry_run"])
def test_null_and_empty_texts_are_as_left_out(name: str, nothing: Any) -> None:
    entry = {"hours": 1, "project": nothing, "note": nothing}
    assert read(entries=[entry], **{name: nothing}) == read(entries=[{"hours": 1}])


@pytest.mark.parametrize("zero", [0, "0"])
def test_nothing_has_the_number_zero(zero: Any) -> None:
    assert read(entries=[{"project": zero}]).entries[0].project is None


def test_number_is_taken_for_an_id() -> None:
    assert read(entries=[{"project": 30201}]).entries[0].project == "30201"


@pytest.mark.parametrize(
    "entries",
    [[{"hours": 2}], {"hours": 2}, '[{"hours": 2}]', '{"hours": 2}', ['{"hours": 2}']],
)
def test_list_is_read_in_every_form_that_clients_send(entries: Any) -> None:
    assert [one.hours for one in read(entries=entries).entries] == [2]


def test_choice_is_read_in_any_case_and_with_blanks() -> None:
    assert read(entries=[{}], state="In progress").state == "in_progress"


def test_one_name_is_a_list_of_names() -> None:
    assert read(entries=[{}], tags="design").tags == ["design"]
    assert read(entries=[{}], tags='["a", "b"]').tags == ["a", "b"]


def test_unknown_names_are_reported_wherever_they_are() -> None:
    _, unknown = read_arguments(
        MODEL, {"entries": [{"hours": 1, "x": 2, "why": "z"}, {"x": 3}], "y": None}
    )
    assert set(unknown) == {"x", "y"}


@pytest.mark.parametrize(
    ("given", "message", "field"),
    [
        ({}, "entries: is required", "entries"),
        ({"entries": []}, "entries: must have at least 1 items", "entries"),
        ({"entries": [{}] * 4}, "entries: must have at most 3 items", "entries"),
        ({"entries": [5]}, "entries[0]: must be an object", "entries[0]"),
        ({"entries": "canary"}, "entries[0]: must be an object", "entries[0]"),
        ({"entries": [{}], "limit": "canary"}, "limit: must be a whole number", "limit"),
        ({"entries": [{}], "limit": 1000}, "limit: must be at most 100", "limit"),
        ({"entries": [{}], "state": "canary"}, "'open' or 'in_progress'", "state"),
        ({"entries": [{"hours": True}]}, "must be a number of hours", "entries[0].hours"),
        ({"entries": [{"project": ["canary"]}]}, "must be a text", "entries[0].project"),
    ],
)
def test_refusal_names_the_argument_and_what_it_takes(
    given: dict[str, Any], message: str, field: str
) -> None:
    with pytest.raises(ToolError) as refused:
        read_arguments(MODEL, given)
    problem = refused.value.problem
    assert message in problem.message
    assert problem.field == field
    assert "canary" not in problem.message
    assert "Item" not in problem.message


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_arguments_of_any_form_are_read_or_refused(value: Any) -> None:
    for name in MODEL.model_fields:
        with suppress(ToolError):
            read_arguments(MODEL, {"entries": [{}], name: value})


def test_schema_is_flat_and_takes_what_is_published() -> None:
    schema = input_schema(MODEL)
    text = json.dumps(schema)
    for word in ("$ref", "$defs", "anyOf", "null", "title", "maxLength"):
        assert word not in text
    item = schema["properties"]["entries"]["items"]
    assert item["properties"]["hours"]["type"] == "number"
    assert schema["required"] == ["entries"]
    given = {"entries": [{"hours": 1.5, "project": "relaunch"}], "limit": 5}
    jsonschema.validate(given, schema)
    assert read(**given).entries[0].hours == 1.5


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ({"entries": [{"project": 30201.0}]}, "project", "30201"),
        ({"tags": [30201, 30202.0, "a"]}, "tags", ["30201", "30202", "a"]),
        ({"limit": 0}, "limit", 25),
        ({"limit": "0"}, "limit", 25),
        ({"limit": 10.0}, "limit", 10),
    ],
)
def test_numbers_are_taken_in_each_form(given: dict[str, Any], name: str, expected: Any) -> None:
    arguments, _ = read_arguments(MODEL, {"entries": [{}], **given})
    item = arguments.entries[0]
    assert getattr(item if name == "project" else arguments, name) == expected


@pytest.mark.parametrize("text", ['["\\ud800"]', "[NaN]", "[-Infinity]", '["a"'])
def test_text_that_is_no_plain_json_stays_a_text(text: str) -> None:
    arguments, _ = read_arguments(MODEL, {"entries": [{}], "tags": text})
    assert arguments.tags == [text]
