"""Faults that a test orders, the clock, and the log, through the control surface."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from harness.simulation import HORVAT, MANAGER, MONDAY, Simulation, document, link
from productive_dev.serving import serving
from productive_dev.simulator.app import CLIENT_GONE, simulator
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.sockets import listen, port_of

ENTRY = document(
    "time_entries",
    {"date": "2026-11-23", "time": 60},
    person=link("people", "9104"),
    service=link("services", "16880011"),
)


async def order(sim: Simulation, **fault: Any) -> None:
    await sim.control("PUT", "faults", [fault])


async def statuses(sim: Simulation, count: int, path: str = "projects") -> list[int]:
    return [(await sim.send("GET", path)).status_code for _ in range(count)]


async def test_some_requests_pass_before_a_fault(sim: Simulation) -> None:
    await order(sim, skip=1, times=2, status=503, path="/projects")
    assert await statuses(sim, 4) == [200, 503, 503, 200]


async def test_a_limit_at_the_second_of_four_writes(sim: Simulation) -> None:
    await order(sim, method="POST", skip=1, status=429, retry_after=2)
    answers = [await sim.send("POST", "time_entries", {"data": ENTRY}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 429, 201, 201]
    assert answers[1].headers["x-ratelimit-reset"] == "2"
    (error,) = answers[1].json()["errors"]
    assert (error["status"], error["title"]) == (429, "Too many requests")
    assert {"limit", "period"} <= error.keys()


async def test_a_fault_may_be_meant_for_one_person(sim: Simulation) -> None:
    await order(sim, person="manager", status=500)
    assert await statuses(sim, 1) == [200]
    assert await statuses(sim.as_(MANAGER), 2) == [500, 200]


async def test_a_token_is_revoked_in_the_middle(sim: Simulation) -> None:
    await order(sim, skip=1, revoke=True)
    assert await statuses(sim, 3) == [200, 401, 401]
    assert await statuses(sim.as_(HORVAT), 1) == [200]
    await sim.control("POST", "tokens", {"value": sim.token, "revoked": False})
    assert await statuses(sim, 1) == [200]


async def test_a_slow_answer_takes_its_time(sim: Simulation) -> None:
    await order(sim, delay=0.05, path="/projects")
    answer = await sim.send("GET", "projects")
    assert answer.status_code == 200
    assert float(answer.headers["x-runtime"]) >= 0.05


@pytest.mark.parametrize("applied", [True, False])
async def test_a_client_that_goes_leaves_the_write_done_or_not(*, applied: bool) -> None:
    app = simulator(SimulatorConfig(clock=lambda: MONDAY, control=True))
    world = app.state.world
    headers = {
        "x-auth-token": "simulator-ana-kovac",
        "x-organization-id": "1200",
        "content-type": "application/vnd.api+json",
    }
    listener = listen(0)
    address = f"http://127.0.0.1:{port_of(listener)}"
    async with serving(app, listener), httpx.AsyncClient(base_url=address) as http:
        before = len(list(world.state.all("time_entries")))
        fault = {"method": "POST", "hang": True, "applied": applied}
        await http.put("/__simulator/faults", json=[fault])
        asked = asyncio.create_task(
            http.post("/api/v2/time_entries", json={"data": ENTRY}, headers=headers)
        )
        async with asyncio.timeout(5):
            while not world.log:  # noqa: ASYNC110  # the log has no event
                await asyncio.sleep(0.005)
        assert not asked.done()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert len(list(world.state.all("time_entries"))) == before + applied
        assert world.log[0].status == CLIENT_GONE


async def test_the_log_says_who_asked_what_and_what_it_cost(sim: Simulation) -> None:
    await sim.control("DELETE", "log")
    await sim.ids("tasks", **{"filter[status]": "1"})
    await sim.as_("simulator-director", "1300").get("projects")
    first, second = await sim.control("GET", "log")
    assert (first["method"], first["path"], first["status"]) == ("GET", "/tasks", 200)
    assert "filter[status]=1" in first["query"]
    assert (first["person"], first["token"], first["organization"]) == ("9104", "member", "1200")
    assert (second["person"], second["organization"]) == ("9201", "1300")


async def test_limits_can_be_set_and_reports_have_their_own(sim: Simulation) -> None:
    await sim.control("PUT", "clock", {"freeze": True})
    await sim.control("PUT", "limits", {"per_token": 3, "per_organization": 100})
    assert await statuses(sim, 4) == [200, 200, 200, 429]
    await sim.control("PUT", "limits", {"per_token": 100, "per_organization": 1000})
    found = await statuses(sim, 11, "reports/time_reports")
    assert found == [200] * 10 + [429]
    assert await statuses(sim, 1) == [200]


async def test_records_can_be_read_and_put_past_all_rules(sim: Simulation) -> None:
    change = {
        "attributes": {"time_zone": "Pacific Time (US & Canada)"},
        "relations": {"owner": {"type": "people", "id": "9103"}},
    }
    await sim.control("PUT", "records/organizations/1200", change)
    found = await sim.control("GET", "records/organizations/1200")
    assert found["relations"]["owner"] == "9103"
    made = await sim.write("POST", "time_entries", ENTRY)
    assert made["attributes"]["created_at"] == "2026-11-23T00:00:00.000-08:00"
    everything = await sim.control("GET", "records/time_entries")
    assert {record["organization"] for record in everything} == {"1200", "1300"}
    missing = await sim.http.get("/__simulator/records/tasks/1")
    assert missing.status_code == 400


async def test_an_unchanged_document_is_not_sent_again(sim: Simulation) -> None:
    headers = {"x-auth-token": sim.token, "x-organization-id": "1200"}
    first = await sim.http.get("/api/v2/projects", headers=headers)
    headers["if-none-match"] = first.headers["etag"]
    again = await sim.http.get("/api/v2/projects", headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    await sim.as_(MANAGER).write("PATCH", "projects/30201", document("projects", {"name": "Other"}))
    assert (await sim.http.get("/api/v2/projects", headers=headers)).status_code == 200
