from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.declared import Declared
from productive_gateway.productive.records.record import (
    Record,
    decode,
    query_of,
    resource_of,
    values_of,
)
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.productive.wire import jsonapi


class Owner(Record, type="people"):
    name: str = has.name("first_name last_name")


class Thing(Record, type="things"):
    name: str = has.name("title")
    state: str | None = has.word("state_id", {1: "new", 2: "old"})
    due: date | None = has.day("due_date")
    at: datetime | None = has.moment("done_at")
    spent: int | None = has.minutes("time")
    price: Decimal | None = has.number("price")
    done: bool = has.flag("done_at")
    tags: tuple[str, ...] = has.names("tag_list")
    owner: Owner | None = has.one(lambda: Owner, "person")
    watchers: tuple[Owner, ...] = has.many(lambda: Owner, "watchers")


class BookedThing(Thing, links_as_attributes=True):
    pass


def document(attributes: dict[str, Any]) -> jsonapi.Document:
    people = [
        {"type": "people", "id": "7", "attributes": {"first_name": "Ana", "last_name": None}},
        {"type": "people", "id": "8", "attributes": {}},
    ]
    links = {
        "person": {"data": {"type": "people", "id": "7"}},
        "watchers": {"data": [{"type": "people", "id": "8"}, {"type": "people", "id": "9"}]},
        "company": {"meta": {"included": False}},
    }
    thing = {"type": "things", "id": "1", "attributes": attributes, "relationships": links}
    return jsonapi.decode(json.dumps({"data": thing, "included": people}).encode())


def test_query_asks_for_what_the_record_declares_and_nothing_else() -> None:
    assert dict(query_of(Thing)) == {
        "include": "person,watchers",
        "fields[things]": "title,state_id,due_date,done_at,time,price,tag_list,person,watchers",
        "fields[people]": "first_name,last_name",
    }


def test_records_on_the_way_give_only_the_next_link() -> None:
    query = dict(query_of(TimeEntry))
    assert "service.deal.project" in query["include"].split(",")
    assert query["fields[projects]"] == "name"
    assert set(query["fields[deals]"].split(",")) == {"name", "time_approval", "project"}


def test_record_is_decoded_with_what_it_refers_to() -> None:
    found = document(
        {
            "title": "Wireframes",
            "state_id": 2,
            "due_date": "2026-11-27",
            "done_at": "2026-11-23T09:30:00.000+01:00",
            "time": "90",
            "price": "12.50",
            "tag_list": ["a", "", 5],
        }
    )
    thing = decode(Thing, found, found.only())
    assert thing == Thing(
        id="1",
        name="Wireframes",
        state="old",
        due=date(2026, 11, 27),
        at=datetime(2026, 11, 23, 8, 30, tzinfo=UTC),
        spent=90,
        price=Decimal("12.50"),
        done=True,
        tags=("a",),
        owner=Owner(id="7", name="Ana"),
        watchers=(Owner(id="8", name="8"),),
    )


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["title", "state_id", "due_date", "done_at", "time", "price", "tag_list"]),
        ANYTHING,
    )
)
def test_attribute_of_any_form_is_read_or_counts_as_missing(attributes: dict[str, Any]) -> None:
    found = document({name: value for name, value in attributes.items() if value == value})  # noqa: PLR0124
    thing = decode(Thing, found, found.only())
    assert thing.name
    assert thing.spent is None or isinstance(thing.spent, int)


def test_body_names_links_by_relationship_and_values_by_attribute() -> None:
    values = {
        "name": "New",
        "state": "old",
        "due": date(2026, 12, 1),
        "owner": "7",
        "watchers": ["8"],
        "subscriber_ids": [1],
    }
    assert resource_of(Thing, values, id="1") == {
        "type": "things",
        "id": "1",
        "attributes": {
            "title": "New",
            "state_id": 2,
            "due_date": "2026-12-01",
            "subscriber_ids": [1],
        },
        "relationships": {
            "person": {"data": {"type": "people", "id": "7"}},
            "watchers": {"data": [{"type": "people", "id": "8"}]},
        },
    }
    assert resource_of(Thing, {"owner": None})["relationships"] == {"person": {"data": None}}


def test_links_are_attributes_where_productive_wants_them_so() -> None:
    assert resource_of(BookedThing, {"owner": "7"}) == {
        "type": "things",
        "attributes": {"person_id": "7"},
    }


def test_values_of_a_record_can_be_written_back() -> None:
    found = document({"title": "Wireframes", "due_date": "2026-11-27"})
    thing = decode(Thing, found, found.only())
    values = values_of(thing, ["name", "due", "owner", "watchers"])
    assert values == {
        "name": "Wireframes",
        "due": date(2026, 11, 27),
        "owner": "7",
        "watchers": ("8",),
    }


def test_field_that_says_nothing_about_itself_is_refused() -> None:
    with pytest.raises(TypeError, match="does not say what it holds"):

        class Silent(Declared):
            name: str = "x"
