"""What the roles of the simulator see and may change."""

from __future__ import annotations

from typing import Any

import pytest

from harness.simulation import ANA, CLIENT, DIRECTOR, MANAGER, Simulation, document, link

MONEY = ("cost", "price", "revenue", "profit", "budget_total", "budget_used", "margin", "quantity")


def amounts(attributes: dict[str, Any]) -> set[str]:
    return {name for name in attributes if any(word in name for word in MONEY)}


@pytest.mark.parametrize("path", ["deals/4287001", "services/16880011", "time_entries/163000412"])
async def test_members_see_no_amount_in_any_form(sim: Simulation, path: str) -> None:
    seen = amounts(await sim.one(path))
    # What overtime is multiplied by, and how revenue is spread, is no amount.
    assert {name for name in seen if "_distribution_" not in name} <= {"overtime_cost_multiplier"}
    assert len(amounts(await sim.as_(MANAGER).one(path))) > 5


async def test_members_keep_the_flag_invoiced_and_lose_the_amount_of_that_name(
    sim: Simulation,
) -> None:
    assert (await sim.one("time_entries/163000412"))["invoiced"] is False
    assert "invoiced" not in await sim.one("deals/4287001")


async def test_reports_hide_amounts_from_members(sim: Simulation) -> None:
    for path in ("reports/budget_reports", "reports/time_entry_reports", "reports/time_reports"):
        for row in (await sim.get(path))["data"]:
            assert amounts(row["attributes"]) == set(), path
    boss = await sim.as_(MANAGER).get("reports/budget_reports")
    assert "total_budget_total" in boss["data"][0]["attributes"]


@pytest.mark.parametrize(("token", "count"), [(DIRECTOR, 11), (MANAGER, 0), (ANA, 0), (CLIENT, 0)])
async def test_cost_rates_are_the_administrators(sim: Simulation, token: str, count: int) -> None:
    assert len(await sim.as_(token).ids("salaries")) == count


@pytest.mark.parametrize(
    ("method", "path", "data", "allowed"),
    [
        ("PATCH", "projects/30201", document("projects", {"name": "x"}), {MANAGER, DIRECTOR}),
        ("PATCH", "projects/30201/archive", None, {MANAGER, DIRECTOR}),
        ("PATCH", "deals/4287001", document("deals", {"name": "x"}), {MANAGER, DIRECTOR}),
        ("PATCH", "people/9106", document("people", {"title": "x"}), {DIRECTOR}),
        ("PATCH", "tasks/20510087", document("tasks", {"title": "x"}), {ANA, MANAGER, DIRECTOR}),
        ("DELETE", "task_lists/52010", None, set()),
        ("PATCH", "events/901/archive", None, {DIRECTOR}),
    ],
)
async def test_who_may_write_what(
    sim: Simulation, method: str, path: str, data: Any, allowed: set[str]
) -> None:
    body = None if data is None else {"data": data}
    for token in (CLIENT, ANA, MANAGER, DIRECTOR):
        answer = await sim.as_(token).send(method, path, body)
        assert (answer.status_code in (200, 409)) == (token in allowed), (token, answer.status_code)


async def test_a_read_only_token_reads(sim: Simulation) -> None:
    reader = sim.as_("simulator-ana-kovac-read-only")
    assert await reader.ids("projects") == await sim.ids("projects")
    status, faults = await reader.refused("PATCH", "tasks/20510087", document("tasks"))
    assert (status, faults[0][0]) == (403, "access_denied")


async def test_the_second_organization_has_its_own_of_everything(sim: Simulation) -> None:
    there = sim.as_("simulator-other-organization", "1300")
    for kind in ("people", "projects", "companies", "tasks", "task_lists", "services", "comments"):
        assert await there.ids(kind), kind
        assert not set(await there.ids(kind)) & set(await sim.ids(kind)), kind
    entry = document(
        "time_entries",
        {"date": "2026-11-23", "time": 30},
        person=link("people", "9202"),
        service=link("services", "16880301"),
        task=link("tasks", "20510901"),
    )
    await there.write("POST", "time_entries", entry)


async def test_bookings_take_ids_as_attributes_and_know_allowances(sim: Simulation) -> None:
    vacation = {
        "person_id": 9104,
        "event_id": 901,
        "started_on": "2026-12-21",
        "ended_on": "2026-12-28",
        "time": 480,
    }
    made = await sim.write("POST", "bookings", document("bookings", vacation))
    # Monday to Monday, without the weekend and Christmas Day.
    assert (made["attributes"]["total_working_days"], made["attributes"]["total_time"]) == (5, 2400)
    assert made["attributes"]["stage_type"] is None
    luka = sim.as_("simulator-luka-babic")
    data = document("bookings", {**vacation, "person_id": 9106})
    status, faults = await luka.refused("POST", "bookings", data)
    assert (status, faults) == (
        422,
        [("entitlements_required", "event", "has no allowance for this person")],
    )
    assert (await sim.refused("POST", "bookings", data))[0] == 403
    used = (await sim.get("entitlements?filter[person_id]=9104"))["data"][0]["attributes"]
    assert (used["allocated"], used["used"]) == (24, 8.0)


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ({"booking_method_id": 1, "time": 240}, (240, 4.0, None, 1200)),
        ({"booking_method_id": 2, "percentage": 50}, (240, 4.0, 50, 1200)),
        ({"booking_method_id": 3, "total_time": 960}, (0, None, None, 960)),
    ],
)
async def test_three_ways_to_book(
    sim: Simulation, values: dict[str, Any], total: tuple[Any, ...]
) -> None:
    days = {"started_on": "2026-12-07", "ended_on": "2026-12-13"}
    ids = {"person_id": "9104", "service_id": "16880011"}
    made = await sim.write("POST", "bookings", document("bookings", {**ids, **days, **values}))
    names = ("time", "hours", "percentage", "total_time")
    assert tuple(made["attributes"][name] for name in names) == total


async def test_a_booking_is_for_a_service_or_an_absence(sim: Simulation) -> None:
    days = {"person_id": "9104", "started_on": "2026-12-07", "ended_on": "2026-12-07"}
    for ids in ({}, {"service_id": "16880011", "event_id": "903"}):
        assert (await sim.refused("POST", "bookings", document("bookings", {**days, **ids})))[
            0
        ] == 422


async def test_an_active_kind_of_absence_is_not_removed(sim: Simulation) -> None:
    admin = sim.as_(DIRECTOR)
    status, faults = await admin.refused("DELETE", "events/903")
    assert (status, faults[0][0]) == (409, "record_not_archived")
    await admin.write("PATCH", "events/903/archive")
    assert (await admin.send("DELETE", "events/903")).status_code == 204


async def test_a_client_s_budget_is_not_for_the_own_company(sim: Simulation) -> None:
    budget = document(
        "deals",
        {"name": "x", "budget": True, "deal_type_id": 2},
        company=link("companies", "7009"),
        responsible=link("people", "9103"),
    )
    _, faults = await sim.as_(MANAGER).refused("POST", "deals", budget)
    assert faults == [("invalid_attribute_value", "company", "can not be internal company")]


async def test_a_budget_is_closed_and_opened_by_put_and_patch(sim: Simulation) -> None:
    boss = sim.as_(MANAGER)
    closed = await boss.write("PUT", "deals/4287001/close")
    assert closed["attributes"]["closed_at"] is not None
    assert (await boss.refused("PATCH", "deals/4287001/close"))[0] == 409
    assert "16880011" not in await boss.ids("services?filter[budget_status]=1")
    await boss.write("PATCH", "deals/4287001/open")


async def test_quick_search_names_kinds_and_states(sim: Simulation) -> None:
    query = {"filter[query]": "re", "filter[type]": "project,person", "filter[status]": "all"}
    found = (await sim.get("search/quick", **query))["data"]
    kinds = [item["attributes"]["record_type"] for item in found]
    assert kinds == sorted(kinds, key=["project", "person"].index)
    rebrands = [i["attributes"] for i in found if i["attributes"]["title"] == "Rebrand"]
    assert {a["subtitle"] for a in rebrands} == {"Alpine Rail AG", "Nordic Foods Oy"}
    closed = {**query, "filter[query]": "bakery", "filter[status]": "active"}
    assert (await sim.get("search/quick", **closed))["data"] == []
    assert (await sim.send("GET", "search/quick?filter[query]=x")).status_code == 400


async def test_tags_are_those_of_records(sim: Simulation) -> None:
    tags = (await sim.get("tags?filter[taggable_type]=tasks"))["data"]
    assert [tag["attributes"]["name"] for tag in tags] == ["design"]


@pytest.mark.parametrize(
    "query", ["group=colour", "sort=colour", "filter[colour]=1", "include=colour"]
)
async def test_a_report_refuses_what_it_does_not_know(sim: Simulation, query: str) -> None:
    assert (await sim.send("GET", f"reports/time_entry_reports?{query}")).status_code == 400


@pytest.mark.parametrize("group", ["person", "project", "service", "task", "day", "week", "month"])
async def test_every_group_of_a_report_sums_up_to_the_same(sim: Simulation, group: str) -> None:
    boss = sim.as_(MANAGER)
    whole = (await boss.get("reports/time_entry_reports?group=organization"))["data"]
    rows = (await boss.get(f"reports/time_entry_reports?group={group}&page[size]=200"))["data"]
    sums = [sum(r["attributes"]["total_time"] for r in found) for found in (whole, rows)]
    assert sums[0] == sums[1] > 0
