"""Bulk requests of the simulator."""

from __future__ import annotations

from typing import Any

import pytest

from harness.simulation import BULK, DIRECTOR, HORVAT, JSON_API, MANAGER, Simulation, document, link


def entry(minutes: int, person: str = "9104", **attributes: Any) -> Any:
    return document(
        "time_entries",
        {"date": "2026-11-20", "time": minutes, **attributes},
        person=link("people", person),
        service=link("services", "16880011"),
    )


async def bulk(sim: Simulation, method: str, path: str, items: Any) -> Any:
    return await sim.send(method, path, {"data": items}, bulk=True)


async def test_fifty_entries_are_made_in_one_request(sim: Simulation) -> None:
    before = len(await sim.ids("time_entries"))
    path = "time_entries?include=service"
    answer = await bulk(sim, "POST", path, [entry(n) for n in range(1, 51)])
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert [item["attributes"]["time"] for item in made] == list(range(1, 51))
    assert len(answer.json()["included"]) == 1
    assert len(await sim.ids("time_entries")) == before + 50
    assert [entry_.status for entry_ in sim.world.log].count(201) == 1


async def test_bulk_updates_and_deletions(sim: Simulation) -> None:
    made = (await bulk(sim, "POST", "time_entries", [entry(5), entry(6)])).json()["data"]
    ids = [item["id"] for item in made]
    changes = [document("time_entries", {"note": "both"}, number) for number in ids]
    changed = await bulk(sim, "PATCH", "time_entries", changes)
    assert [item["attributes"]["note"] for item in changed.json()["data"]] == ["both"] * 2
    gone = await bulk(
        sim, "DELETE", "time_entries", [{"type": "time_entries", "id": i} for i in ids]
    )
    assert gone.status_code == 204
    assert not set(ids) & set(await sim.ids("time_entries"))


@pytest.mark.parametrize(
    ("items", "status", "pointers"),
    [
        (
            [entry(5), entry(-1), entry(5, date=None)],
            422,
            ["data/1/attributes/time", "data/2/attributes/date"],
        ),
        ([entry(5), entry(5, "9105")], 403, [None]),
        ([], 400, [None]),
        ({}, 400, [None]),
        ([entry(1)] * 201, 400, [None]),
    ],
)
async def test_a_bulk_request_is_all_or_nothing(
    sim: Simulation, items: Any, status: int, pointers: list[str | None]
) -> None:
    before = sim.world.state.digest()
    answer = await bulk(sim, "POST", "time_entries", items)
    assert answer.status_code == status
    assert [e["source"].get("pointer") for e in answer.json()["errors"]] == pointers
    assert sim.world.state.digest() == before


@pytest.mark.parametrize(
    ("content", "accept", "status"),
    [
        (BULK, JSON_API, 404),
        (BULK, "*/*", 404),
        (JSON_API, BULK, 400),
        ("application/json", BULK, 415),
    ],
)
async def test_both_headers_must_ask_for_bulk(
    sim: Simulation, content: str, accept: str, status: int
) -> None:
    answer = await sim.http.post(
        "/api/v2/time_entries",
        json={"data": [entry(5)]},
        headers={
            "x-auth-token": sim.token,
            "x-organization-id": "1200",
            "content-type": content,
            "accept": accept,
        },
    )
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "deals"), ("DELETE", "projects"), ("POST", "people"), ("PATCH", "timesheets")],
)
async def test_what_has_no_bulk_form(sim: Simulation, method: str, path: str) -> None:
    assert (await bulk(sim.as_(DIRECTOR), method, path, [document(path)])).status_code == 404


async def test_time_is_approved_in_bulk(sim: Simulation) -> None:
    boss = sim.as_(MANAGER)
    waiting = await boss.ids("time_entries?filter[status]=2")
    assert waiting
    items = [{"type": "time_entries", "id": number} for number in waiting]
    assert (await bulk(sim, "PATCH", "time_entries/approve", items)).status_code == 404
    assert (await bulk(boss, "PATCH", "time_entries/approve", items)).status_code == 200
    assert await boss.ids("time_entries?filter[status]=2") == []
    assert (await bulk(boss, "PATCH", "time_entries/approve", items)).status_code == 409
    assert (await boss.send("PATCH", "time_entries/approve", {"data": items})).status_code == 404


async def test_days_are_submitted_in_bulk(sim: Simulation) -> None:
    days = ("2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20")
    items = [document("timesheets", {"date": day}) for day in days]
    answer = await bulk(sim.as_(HORVAT), "POST", "timesheets", items)
    assert answer.status_code == 201
    assert len(answer.json()["data"]) == 5
    assert (await bulk(sim.as_(HORVAT), "POST", "timesheets", items)).status_code == 422
