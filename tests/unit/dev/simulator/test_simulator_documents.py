"""JSON:API documents of the simulator: stubs, includes, sparse fields, and whose data they are."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from productive_dev.simulator.api.answer import answer
from productive_dev.simulator.api.call import Call
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.errors import Problem
from productive_dev.simulator.records import Ref
from productive_dev.simulator.resources import RESOURCES
from productive_dev.simulator.resources.search import NAME
from productive_dev.simulator.seed.start import seeded
from productive_dev.simulator.world import World

MONDAY = datetime(2026, 11, 23, 9, tzinfo=ZoneInfo("Europe/Zagreb")).timestamp()
STUB = {"meta": {"included": False}}


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatorConfig(clock=lambda: MONDAY, requests_per_token=10**6))


def get(
    world: World,
    path: str,
    *,
    token: str = "simulator-ana-kovac",
    organization: str | None = "1200",
    **parameters: str,
) -> dict[str, Any]:
    headers = {"x-auth-token": token}
    if organization is not None:
        headers["x-organization-id"] = organization
    call = Call("GET", path, f"http://sim/{path}", tuple(parameters.items()), headers)
    document = answer(world, call).document
    assert document is not None
    return document


def identifiers(value: Any) -> set[tuple[str, str]]:
    """Return the type and id of every resource identifier in a document."""
    if isinstance(value, list):
        return set().union(*(identifiers(item) for item in value))
    if isinstance(value, dict):
        own = {(value["type"], value["id"])} if {"type", "id"} <= value.keys() else set()
        return own.union(*(identifiers(item) for item in value.values()))
    return set()


def test_an_unasked_relation_is_a_stub_and_the_organization_is_not(world: World) -> None:
    entry = get(world, "time_entries/163000412")["data"]
    relations = entry["relationships"]
    assert relations.pop("organization") == {"data": {"type": "organizations", "id": "1200"}}
    assert set(map(str, relations.values())) == {str(STUB)}
    assert {"person", "service", "task", "approver", "creator", "timesheet"} <= relations.keys()


def test_a_time_entry_has_the_recorded_attributes(world: World) -> None:
    attributes = get(world, "time_entries/163000412", token="simulator-manager")["data"][
        "attributes"
    ]
    assert len(attributes) == 44
    assert attributes["date"] == "2026-11-20"
    assert attributes["time"] == 195
    assert attributes["approved_at"] == "2026-11-20T17:41:00.000+01:00"
    assert attributes["overtime_cost_multiplier"] == "1.0"


def test_dotted_includes_come_once_each_and_link_up(world: World) -> None:
    page = get(
        world,
        "time_entries",
        include="service.deal.project.company,service.deal.company,task,person",
        **{"page[size]": "200"},
    )
    included = [(item["type"], item["id"]) for item in page["included"]]
    assert len(included) == len(set(included))
    linked = identifiers([item["relationships"] for item in page["data"]])
    linked |= identifiers([item["relationships"] for item in page["included"]])
    assert {ref for ref in linked if ref[0] != "organizations"} == set(included)


def test_an_empty_relation_that_was_asked_for_is_null(world: World) -> None:
    task = get(world, "tasks/20510087", include="service,parent_task")["data"]
    assert task["relationships"]["service"] == {"data": None}


def test_fields_choose_attributes_and_relations_alike(world: World) -> None:
    page = get(
        world, "services", include="deal", **{"fields[services]": "name", "fields[deals]": "name"}
    )
    assert page["data"][0].keys() == {"id", "type", "attributes"}
    assert page["data"][0]["attributes"].keys() == {"name"}
    assert page["included"], "what was included stays, though nothing points at it"


def test_fields_are_ignored_on_a_single_time_entry(world: World) -> None:
    single = get(world, "time_entries/163000412", **{"fields[time_entries]": "note"})["data"]
    listed = get(world, "time_entries", **{"fields[time_entries]": "note"})["data"][0]
    assert "date" in single["attributes"]
    assert listed["attributes"].keys() == {"note"}


def test_a_membership_hides_even_its_organization_until_asked(world: World) -> None:
    plain = get(world, "organization_memberships")["data"][0]
    asked = get(world, "organization_memberships", include="person,organization")["data"][0]
    assert plain["relationships"]["organization"] == STUB
    assert asked["relationships"]["organization"]["data"]["id"] == "1200"
    assert asked["relationships"]["person"]["data"]["id"] == asked["id"] == "9104"


@pytest.mark.parametrize("organization", ["1200", "1300", "999999"])
def test_memberships_answer_for_all_organizations_whatever_the_header(
    world: World, organization: str
) -> None:
    page = get(
        world,
        "organization_memberships",
        token="simulator-director",
        organization=organization,
        include="organization",
    )
    found = {item["relationships"]["organization"]["data"]["id"] for item in page["data"]}
    assert found == {"1200", "1300"}


def test_users_are_the_caller_alone(world: World) -> None:
    users = get(world, "users", token="simulator-luca-moretti")["data"]
    assert [user["id"] for user in users] == ["5107"]
    assert users[0]["attributes"]["time_zone"] == "America/New_York"


# These speak of the caller, whatever the organization.
OF_THE_CALLER = {"organization_memberships", "organizations", "tags", "users"}


@pytest.mark.parametrize("kind", sorted(RESOURCES.keys() - OF_THE_CALLER - {NAME}))
def test_nothing_of_the_other_organization_shows(world: World, kind: str) -> None:
    def ids(organization: str) -> set[str]:
        page = get(
            world,
            kind,
            token="simulator-director",
            organization=organization,
            **{"page[size]": "200"},
        )
        return {item["id"] for item in page["data"]}

    assert not ids("1200") & ids("1300")


def test_a_record_of_the_other_organization_is_not_found(world: World) -> None:
    with pytest.raises(Problem) as caught:
        get(world, "projects/30301")
    assert (caught.value.http_status, caught.value.code) == (404, "record_not_found")


def test_a_member_sees_their_own_time_and_no_money(world: World) -> None:
    entries = get(world, "time_entries", include="person", **{"page[size]": "200"})
    assert {item["relationships"]["person"]["data"]["id"] for item in entries["data"]} == {"9104"}
    service = get(world, "services/16880011")["data"]["attributes"]
    assert not {"price", "budget_total", "budget_used"} & service.keys()
    assert (
        "price" in get(world, "services/16880011", token="simulator-manager")["data"]["attributes"]
    )


def test_worked_time_is_the_sum_of_the_entries(world: World) -> None:
    task = get(world, "tasks/20510087")["data"]["attributes"]
    assert task["worked_time"] == task["billable_time"] == 195


def test_the_seed_is_the_same_for_the_same_moment() -> None:
    assert seeded(MONDAY).digest() == seeded(MONDAY).digest()
    assert seeded(MONDAY).digest() != seeded(MONDAY + 86400).digest()


@pytest.mark.parametrize("days", range(9))
def test_the_seed_can_be_made_on_any_day_of_the_week(days: int) -> None:
    state = seeded(MONDAY + days * 86400)
    friday = {0: "2026-11-20", 1: "2026-11-23"}
    entry = state.get("time_entries", "163000412")
    assert entry is not None
    assert entry.attributes["date"] == friday.get(days, entry.attributes["date"])
    for record in state.all("time_entries"):
        day = datetime.fromisoformat(record.attributes["date"])
        assert day.weekday() < 5 or record.id == "163000901"


def test_every_reference_of_the_seed_points_at_something() -> None:
    state = seeded(MONDAY)
    for kind in RESOURCES:
        for record in state.all(kind):
            for name, target in record.relations.items():
                refs = (target,) if isinstance(target, Ref) else target or ()
                for ref in refs:
                    found = state.at(ref)
                    assert found is not None, (record.ref, name, ref)
                    shared = ref.type in ("users", "organizations")
                    assert shared or found.organization == record.organization, (record, name)
