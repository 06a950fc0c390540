"""Timers, timesheets, approvals, and days that take no more changes."""

from __future__ import annotations

from typing import Any

import pytest

from harness.simulation import DIRECTOR, HORVAT, MANAGER, Simulation, document, link

BOSS_SERVICE = "16880035"
"""On a budget with time approval."""


def entry(service: str = "16880011", person: str = "9104", **attributes: Any) -> Any:
    return document(
        "time_entries",
        {"date": "2026-11-23", "time": 60, **attributes},
        person=link("people", person),
        service=link("services", service),
    )


async def freeze(sim: Simulation) -> None:
    await sim.control("PUT", "clock", {"freeze": True})


async def test_a_timer_makes_an_entry_and_adds_whole_minutes_at_its_stop(sim: Simulation) -> None:
    await freeze(sim)
    data = document("timers", {"note": "lost"}, service=link("services", "16880011"))
    answer = await sim.send("POST", "timers?include=time_entry", {"data": data})
    assert answer.status_code == 201
    timer = answer.json()["data"]
    (made,) = answer.json()["included"]
    assert timer["attributes"] == {
        "person_id": 9104,
        "started_at": "2026-11-23T09:00:00.000+01:00",
        "stopped_at": None,
        "total_time": 0,
    }
    values = made["attributes"]
    assert (values["date"], values["time"], values["note"]) == ("2026-11-23", 0, None)
    assert (values["track_method_id"], values["approved"]) == (2, True)
    await sim.control("PUT", "clock", {"advance": 185})
    stopped = await sim.write("PATCH", f"timers/{timer['id']}/stop")
    assert stopped["attributes"]["total_time"] == 3
    assert (await sim.one(f"time_entries/{made['id']}"))["billable_time"] == 3
    again = document("timers", None, time_entry=link("time_entries", made["id"]))
    second = await sim.write("POST", "timers", again)
    assert second["attributes"]["total_time"] == 3
    await sim.control("PUT", "clock", {"advance": 119})
    assert (await sim.send("PUT", f"timers/{second['id']}/stop")).status_code == 200
    assert (await sim.one(f"time_entries/{made['id']}"))["time"] == 4
    runs = await sim.get(f"timers?filter[time_entry_id]={made['id']}")
    assert [run["attributes"]["total_time"] for run in runs["data"]] == [3, 4]


async def test_a_new_timer_stops_the_running_one(sim: Simulation) -> None:
    await freeze(sim)
    data = document("timers", None, service=link("services", "16880011"))
    first = await sim.write("POST", "timers", data)
    await sim.control("PUT", "clock", {"advance": 60})
    second = await sim.write("POST", "timers", data)
    running = await sim.ids("timers?filter[stopped_at][eq]=")
    assert running == [second["id"]]
    assert (await sim.one(f"timers/{first['id']}"))["total_time"] == 1


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (document("timers"), ("invalid_attribute_value", "service")),
        (
            document("timers", None, service=link("services", "16880021")),
            ("invalid_attribute_value", "person"),
        ),
        (
            document("timers", {"person_id": 9105}, service=link("services", "16880011")),
            ("access_denied", ""),
        ),
        (
            document("timers", None, time_entry=link("time_entries", "163000901")),
            ("access_denied", ""),
        ),
    ],
)
async def test_timers_that_do_not_start(sim: Simulation, data: Any, fault: tuple[str, str]) -> None:
    before = sim.world.state.digest()
    _, faults = await sim.refused("POST", "timers", data)
    assert faults[0][:2] == fault
    assert sim.world.state.digest() == before


async def test_a_colleague_s_timer_is_not_found(sim: Simulation) -> None:
    assert await sim.ids("timers") == []
    assert (await sim.refused("PATCH", "timers/14335001/stop"))[0] == 404


async def test_stopping_twice_is_a_conflict_without_detail(sim: Simulation) -> None:
    boss = sim.as_(MANAGER)
    await boss.write("PATCH", "timers/14335001/stop")
    status, faults = await boss.refused("PATCH", "timers/14335001/stop")
    assert (status, faults) == (409, [("timer_already_stopped", "", None)])


async def test_a_timesheet_submits_a_day_and_its_removal_opens_it(sim: Simulation) -> None:
    made = await sim.write("POST", "time_entries", entry())
    sheet = await sim.write("POST", "timesheets", document("timesheets", {"date": "2026-11-23"}))
    assert (await sim.one(f"time_entries/{made['id']}"))["submitted"] is True
    include = await sim.get(f"time_entries/{made['id']}", include="timesheet")
    assert include["data"]["relationships"]["timesheet"]["data"]["id"] == sheet["id"]
    status, faults = await sim.refused("POST", "time_entries", entry())
    assert (status, faults[0][:2]) == (422, ("timesheet_submitted", "date"))
    later = document("time_entries", {"time": 5})
    assert (await sim.refused("PATCH", f"time_entries/{made['id']}", later))[0] == 422
    assert (await sim.refused("DELETE", f"time_entries/{made['id']}"))[0] == 422
    twice = document("timesheets", {"date": "2026-11-23"})
    status, faults = await sim.refused("POST", "timesheets", twice)
    assert (status, faults[0][1:]) == (422, ("date", "has already been taken"))
    assert (await sim.send("DELETE", f"timesheets/{sheet['id']}")).status_code == 204
    assert (await sim.one(f"time_entries/{made['id']}"))["submitted"] is False
    await sim.write("PATCH", f"time_entries/{made['id']}", later)


async def test_timesheets_are_one_s_own_and_a_manager_s(sim: Simulation) -> None:
    mine = await sim.get("timesheets?filter[person_id]=9104&sort=date")
    assert [s["attributes"]["date"] for s in mine["data"]] == ["2026-11-09", "2026-11-10"]
    assert await sim.ids("timesheets?filter[person_id]=9105") == []
    others = document("timesheets", {"date": "2026-11-20"}, person=link("people", "9105"))
    assert (await sim.refused("POST", "timesheets", others))[0] == 403
    await sim.as_(MANAGER).write("POST", "timesheets", others)
    assert len(await sim.as_(HORVAT).ids("timesheets")) == 4
    assert (await sim.send("PATCH", "timesheets/301")).status_code == 404


async def test_approval_is_asked_given_taken_back_and_refused_twice(sim: Simulation) -> None:
    boss, owner = sim.as_(MANAGER), sim.as_(DIRECTOR)
    made = await boss.write("POST", "time_entries", entry(BOSS_SERVICE, "9103"))
    path = f"time_entries/{made['id']}"
    assert made["attributes"]["approved"] is False
    awaited = "time_entries?filter[awaiting_approval_from_approver_id]=9103"
    assert made["id"] in await boss.ids(awaited)
    included = (await boss.get(path, include="approval_statuses"))["included"]
    assert [item["type"] for item in included] == ["approval_statuses"]
    approved = await owner.write("PATCH", f"{path}/approve")
    assert approved["attributes"]["approved_at"] == "2026-11-23T09:00:00.000+01:00"
    assert (await owner.refused("PATCH", f"{path}/approve"))[0] == 409
    assert made["id"] not in await boss.ids(awaited)
    await owner.write("PATCH", f"{path}/unapprove")
    assert (await owner.refused("PATCH", f"{path}/unapprove"))[0] == 409
    reason = document("time_entries", {"rejected_reason": "Wrong budget"})
    rejected = await owner.write("PATCH", f"{path}/reject", reason)
    assert rejected["attributes"]["rejected_reason"] == "Wrong budget"
    assert made["id"] in await boss.ids("time_entries?filter[status]=3")
    edited = await boss.write("PATCH", path, document("time_entries", {"time": 45}))
    assert edited["attributes"]["rejected"] is False, "a rejected entry is submitted again"
    assert edited["attributes"]["submitted"] is True


async def test_members_do_not_approve_nor_change_what_is_approved(sim: Simulation) -> None:
    made = await sim.write("POST", "time_entries", entry("16880031"))
    path = f"time_entries/{made['id']}"
    assert (await sim.refused("PATCH", f"{path}/approve"))[0] == 403
    status = (await sim.as_(MANAGER).get(path, include="approval_statuses"))["included"][0]["id"]
    await sim.as_(MANAGER).write("PATCH", f"approval_statuses/{status}/approve")
    assert (await sim.one(path))["approved"] is True
    later = document("time_entries", {"time": 5})
    assert (await sim.refused("PATCH", path, later))[0] == 403
    assert (await sim.refused("DELETE", path))[0] == 403


@pytest.mark.parametrize(
    ("token", "data", "fault"),
    [
        # The books of the month before last are closed.
        ("simulator-ana-kovac", entry(date="2026-09-30"), ("locked_period", "date")),
        # Nobody tracks without a cost rate valid on that day.
        ("simulator-ana-kovac", entry(date="2023-02-05"), ("no_cost_rate", "person")),
        (
            "simulator-tomislav-kralj",
            entry(person="9112"),
            ("no_cost_rate", "person"),
        ),
        # The service itself stops tracking at its limit.
        ("simulator-ana-kovac", entry("16880082", time=61), ("invalid_attribute_value", "time")),
        ("simulator-ana-kovac", entry("16880011", "9202"), ("access_denied", "")),
    ],
)
async def test_time_that_is_refused(
    sim: Simulation, token: str, data: Any, fault: tuple[str, str]
) -> None:
    _, faults = await sim.as_(token).refused("POST", "time_entries", data)
    assert fault in [found[:2] for found in faults]


async def test_all_faults_of_an_entry_are_named(sim: Simulation) -> None:
    wrong = entry(time=9000, billable_time=-1, date="2026-12-24")
    status, faults = await sim.refused("POST", "time_entries", wrong)
    assert status == 422
    assert [where for _, where, _ in faults] == ["time", "billable_time", "date"]


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        (
            {"restrict_time_entry_overlap": True},
            entry(started_at="2026-11-23T09:00:00.000+01:00"),
            entry(started_at="2026-11-23T09:30:00.000+01:00"),
        ),
        ({"time_range_mandatory": True}, entry(started_at="2026-11-23T09:00:00+01:00"), entry()),
        ({"working_day_limit": 100}, entry(), entry()),
        ({"restrict_tracking_over_budget": True}, entry("16880081"), entry("16880042")),
        ({"holiday_limit": 0}, entry(), entry(date="2026-11-18")),
    ],
)
async def test_the_company_s_rules(
    sim: Simulation, rule: dict[str, Any], first: Any, second: Any
) -> None:
    await sim.control("PUT", "records/time_tracking_policies/501", {"attributes": rule})
    await sim.write("POST", "time_entries", first)
    assert (await sim.refused("POST", "time_entries", second))[0] == 422


async def test_an_invoiced_entry_is_not_changed_and_its_flag_is_seen(sim: Simulation) -> None:
    path = "time_entries/163000412"
    await sim.control("PUT", f"records/{path}", {"attributes": {"invoiced": True}})
    assert (await sim.one(path))["invoiced"] is True
    status, faults = await sim.refused("PATCH", path, document("time_entries", {"time": 5}))
    assert (status, faults[0][0]) == (422, "time_entry_invoiced")


async def test_an_exception_lifts_the_lock_for_one_person(sim: Simulation) -> None:
    order = {"attributes": {"time_unlocked": True}}
    await sim.control("PUT", "records/people/9104", order)
    await sim.write("POST", "time_entries", entry(date="2026-09-30"))


async def test_billable_time_is_nothing_on_a_service_that_is_not_billed(sim: Simulation) -> None:
    made = await sim.write("POST", "time_entries", entry("16880051", billable_time=None))
    assert made["attributes"]["billable_time"] == made["attributes"]["recognized_time"] == 0
    kept = await sim.write("POST", "time_entries", entry(billable_time=15))
    longer = document("time_entries", {"time": 90, "billable_time": 20})
    changed = await sim.write("PATCH", f"time_entries/{kept['id']}", longer)
    assert changed["attributes"]["billable_time"] == 20
