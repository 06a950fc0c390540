"""Writing time entries in the simulator."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from productive_dev.simulator.api.answer import answer
from productive_dev.simulator.api.call import Answer, Call
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.errors import Problem
from productive_dev.simulator.world import World

MONDAY = datetime(2026, 11, 23, 9, tzinfo=ZoneInfo("Europe/Zagreb")).timestamp()
ANA, STRICT, MANAGER = "simulator-ana-kovac", "simulator-luka-babic", "simulator-manager"


@pytest.fixture
def world() -> World:
    return fresh()


def fresh() -> World:
    return World(SimulatorConfig(clock=lambda: MONDAY, requests_per_token=10**6))


def send(
    world: World,
    method: str,
    path: str = "time_entries",
    data: Any = None,
    *,
    token: str = ANA,
    **parameters: str,
) -> Answer:
    headers = {
        "x-auth-token": token,
        "x-organization-id": "1200",
        "content-type": "application/vnd.api+json",
    }
    body = b"" if data is None else json.dumps({"data": data}).encode()
    return answer(world, Call(method, path, "http://sim", tuple(parameters.items()), headers, body))


def entry(
    *,
    service: str | None = "16880011",
    person: str | None = "9104",
    task: str | None = None,
    **attributes: Any,
) -> dict[str, Any]:
    kinds = {"service": "services", "person": "people", "task": "tasks"}
    linked = {"service": service, "person": person, "task": task}
    return {
        "type": "time_entries",
        "attributes": {"date": "2026-11-23", "time": 90, **attributes},
        "relationships": {
            name: {"data": {"type": kinds[name], "id": number}}
            for name, number in linked.items()
            if number is not None
        },
    }


def refusal(world: World, data: Any, *, token: str = ANA) -> tuple[int, str, str]:
    with pytest.raises(Problem) as caught:
        send(world, "POST", data=data, token=token)
    error = caught.value.body()["errors"][0]
    return caught.value.http_status, error["source"].get("pointer", ""), error["detail"]


def test_a_created_entry_is_answered_with_stubs_and_can_be_read(world: World) -> None:
    made = send(world, "POST", data=entry(note="Wireframes"))
    assert made.status == 201
    assert made.document is not None
    data = made.document["data"]
    assert data["relationships"]["service"] == {"meta": {"included": False}}
    assert data["attributes"]["approved"] is True
    assert data["attributes"]["billable_time"] == 90
    read = send(world, "GET", f"time_entries/{data['id']}", include="service,person,creator")
    assert read.document is not None
    assert read.document["data"]["relationships"]["service"]["data"]["id"] == "16880011"
    assert read.document["data"]["relationships"]["creator"]["data"]["id"] == "9104"


def test_include_works_on_the_write_itself(world: World) -> None:
    made = send(world, "POST", data=entry(), include="service.deal")
    assert made.document is not None
    assert {item["type"] for item in made.document["included"]} == {"services", "deals"}


def test_ids_as_attributes_are_taken_as_well(world: World) -> None:
    data = entry(service=None, person=None, service_id=16880011, person_id=9104)
    assert send(world, "POST", data=data).status == 201


def test_an_unknown_attribute_is_ignored_with_success(world: World) -> None:
    made = send(world, "POST", data=entry(notes="lost"))
    assert made.document is not None
    assert made.document["data"]["attributes"]["note"] is None


def test_a_budget_with_time_approval_leaves_the_entry_open(world: World) -> None:
    made = send(world, "POST", data=entry(service="16880031"))
    assert made.document is not None
    assert made.document["data"]["attributes"]["approved"] is False
    assert made.document["data"]["attributes"]["approved_at"] is None


@pytest.mark.parametrize(
    "service",
    [
        pytest.param(None, id="missing"),
        pytest.param("1", id="unknown"),
        pytest.param("16880021", id="closed budget"),
        pytest.param("16880012", id="for developers"),
        pytest.param("16880019", id="expenses"),
        pytest.param("16880071", id="archived project"),
        pytest.param("16880301", id="other organization"),
    ],
)
def test_a_service_that_does_not_fit_is_refused_at_the_person(
    world: World, service: str | None
) -> None:
    before = world.state.digest()
    assert refusal(world, entry(service=service)) == (
        422,
        "data/attributes/person",
        "person cannot track on this service",
    )
    assert world.state.digest() == before


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({"date": None}, "data/attributes/date"),
        ({"date": "23.11.2026"}, "data/attributes/date"),
        ({"date": 20261123}, "data/attributes/date"),
        ({"time": None}, "data/attributes/time"),
        ({"time": -1}, "data/attributes/time"),
        ({"time": 1.5}, "data/attributes/time"),
        ({"time": True}, "data/attributes/time"),
        ({"time": 1441}, "data/attributes/time"),
        ({"billable_time": "x"}, "data/attributes/billable_time"),
        # The standard policy forbids the future.
        ({"date": "2026-11-24"}, "data/attributes/date"),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(
    world: World, attributes: dict[str, Any], pointer: str
) -> None:
    status, found, _ = refusal(world, entry(**attributes))
    assert (status, found) == (422, pointer)


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("20510112", (422, "data/attributes/task")),
        # The vendor's code: a relation to nothing is 403.
        ("1", (403, "")),
        ("20510901", (403, "")),
    ],
)
def test_a_task_of_another_project_is_refused(
    world: World, task: str, answer: tuple[int, str]
) -> None:
    assert refusal(world, entry(task=task))[:2] == answer


def test_a_strict_policy_wants_note_and_task_and_no_more_than_a_day(world: World) -> None:
    complete = {"person": "9106", "task": "20510089", "note": "Texts"}
    for missing, pointer in (("note", "note"), ("task", "task")):
        data = entry(**{**complete, missing: None})
        assert refusal(world, data, token=STRICT)[1] == f"data/attributes/{pointer}"
    assert refusal(world, entry(**complete, time=481), token=STRICT)[1] == "data/attributes/time"
    assert send(world, "POST", data=entry(**complete, time=480), token=STRICT).status == 201


def test_somebody_else_s_time_is_for_managers(world: World) -> None:
    assert refusal(world, entry(person="9105"))[0] == 403
    assert send(world, "POST", data=entry(person="9105"), token=MANAGER).status == 201
    others = next(
        e.id
        for e in world.state.all("time_entries")
        if e.relations["person"].id == "9105"  # type: ignore[union-attr]
    )
    with pytest.raises(Problem) as caught:
        send(world, "DELETE", f"time_entries/{others}")
    assert caught.value.http_status == 404


def test_an_update_changes_what_it_names_and_nothing_else(world: World) -> None:
    data = {"type": "anything", "attributes": {"time": 30, "colour": "red"}}
    changed = send(world, "PATCH", "time_entries/163000412", data)
    assert changed.document is not None
    attributes = changed.document["data"]["attributes"]
    assert (attributes["time"], attributes["billable_time"]) == (30, 30)
    assert attributes["note"] == "Wireframes <b>v2</b>"
    assert "colour" not in attributes


def test_a_deleted_entry_is_gone_and_its_number_is_not_given_again(world: World) -> None:
    made = send(world, "POST", data=entry())
    assert made.document is not None
    number = made.document["data"]["id"]
    assert send(world, "DELETE", f"time_entries/{number}") == Answer(204, None)
    with pytest.raises(Problem, match="not found"):
        send(world, "GET", f"time_entries/{number}")
    again = send(world, "POST", data=entry())
    assert again.document is not None
    assert again.document["data"]["id"] > number


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "update", "delete"]),
        st.sampled_from(["16880011", "16880015", "16880031"]),
        st.integers(0, 600),
    ),
    max_size=12,
)


@settings(max_examples=25)
@given(STEPS)
def test_totals_stay_the_sum_of_the_entries(steps: list[tuple[str, str, int]]) -> None:
    world = fresh()
    mine: dict[str, tuple[str, int]] = {}

    def worked(kind: str, number: str) -> int:
        document = send(world, "GET", f"{kind}/{number}").document
        assert document is not None
        return int(document["data"]["attributes"]["worked_time"])

    services = ("16880011", "16880015", "16880031")
    before = {number: worked("services", number) for number in services}
    budget = worked("deals", "4287001")
    for action, service, minutes in steps:
        if action == "create":
            made = send(world, "POST", data=entry(service=service, time=minutes)).document
            assert made is not None
            mine[made["data"]["id"]] = (service, minutes)
        elif mine and action == "update":
            number = next(iter(mine))
            send(world, "PATCH", f"time_entries/{number}", {"attributes": {"time": minutes}})
            mine[number] = (mine[number][0], minutes)
        elif mine:
            number, _ = mine.popitem()
            send(world, "DELETE", f"time_entries/{number}")
    for service in services:
        added = sum(minutes for where, minutes in mine.values() if where == service)
        assert worked("services", service) == before[service] + added
    added = sum(minutes for where, minutes in mine.values() if where != "16880031")
    assert worked("deals", "4287001") == budget + added
