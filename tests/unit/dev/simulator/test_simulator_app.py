"""The simulator over HTTP: headers, faults, the control surface, the landing page."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from productive_dev.serving import serving
from productive_dev.simulator.app import simulator
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.sockets import listen, port_of

MONDAY = datetime(2026, 11, 23, 9, tzinfo=ZoneInfo("Europe/Zagreb")).timestamp()
ANA = {"X-Auth-Token": "simulator-ana-kovac", "X-Organization-Id": "1200"}
WRITE = {**ANA, "Content-Type": "application/vnd.api+json"}
NEW_ENTRY = json.dumps(
    {
        "data": {
            "type": "time_entries",
            "attributes": {"date": "2026-11-23", "time": 60},
            "relationships": {
                "person": {"data": {"type": "people", "id": "9104"}},
                "service": {"data": {"type": "services", "id": "16880011"}},
            },
        }
    }
)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = simulator(SimulatorConfig(clock=lambda: MONDAY, control=True))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sim"
    ) as client:
        yield client


async def entries(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await http.get("/__simulator/time_entries")).json()
    return found


async def test_answers_have_the_original_s_headers(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v2/users", headers=ANA)
    assert answer.headers["content-type"] == "application/vnd.api+json; charset=utf-8"
    assert len(answer.headers["x-request-id"]) == 36
    assert 0 <= float(answer.headers["x-runtime"]) < 5


async def test_a_deletion_is_answered_with_nothing_at_all(http: httpx.AsyncClient) -> None:
    answer = await http.delete("/api/v2/time_entries/163000412", headers=ANA)
    assert answer.status_code == 204
    assert answer.content == b""
    assert "content-type" not in answer.headers


async def test_the_landing_page_says_what_it_is(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    assert "<h1>This is a simulator.</h1>" in page
    assert "simulator-ana-kovac" in page


async def test_without_control_there_is_no_control_surface() -> None:
    transport = httpx.ASGITransport(simulator())
    async with httpx.AsyncClient(transport=transport, base_url="http://sim") as client:
        for name in ("reset", "clock", "faults", "tokens", "log", "time_entries"):
            assert (await client.get(f"/__simulator/{name}")).status_code == 404


async def test_the_limit_ends_when_the_clock_moves_on(http: httpx.AsyncClient) -> None:
    await http.put("/__simulator/clock", json={"freeze": True})
    headers = {**ANA, "X-Auth-Token": "simulator-slow"}
    statuses = [(await http.get("/api/v2/users", headers=headers)).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    limited = await http.get("/api/v2/users", headers=headers)
    assert limited.headers["x-ratelimit-reset"] == "10"
    await http.put("/__simulator/clock", json={"advance": 10})
    assert (await http.get("/api/v2/users", headers=headers)).status_code == 200


async def test_a_clock_set_to_another_time_dates_what_is_written(http: httpx.AsyncClient) -> None:
    set_to = {"freeze": "2026-11-25T23:30:00+01:00"}
    assert (await http.put("/__simulator/clock", json=set_to)).json()["now"] > MONDAY
    made = await http.post("/api/v2/time_entries", content=NEW_ENTRY, headers=WRITE)
    assert made.json()["data"]["attributes"]["created_at"] == "2026-11-25T23:30:00.000+01:00"
    assert (await http.put("/__simulator/clock", json={"release": True})).json()["now"] == MONDAY


async def test_a_fault_hits_as_many_requests_as_it_says(http: httpx.AsyncClient) -> None:
    fault = {"times": 2, "status": 429, "retry_after": 3, "path": "/services"}
    await http.put("/__simulator/faults", json=[fault])
    assert (await http.get("/api/v2/users", headers=ANA)).status_code == 200
    for _ in range(2):
        answer = await http.get("/api/v2/services", headers=ANA)
        assert (answer.status_code, answer.headers["x-ratelimit-reset"]) == (429, "3")
    assert (await http.get("/api/v2/services", headers=ANA)).status_code == 200
    assert (await http.get("/__simulator/faults")).json() == []


@pytest.mark.parametrize("applied", [False, True])
async def test_a_failed_write_takes_effect_or_not_as_ordered(
    http: httpx.AsyncClient, applied: bool
) -> None:
    before = len(await entries(http))
    fault = {"method": "POST", "status": 503, "applied": applied}
    await http.put("/__simulator/faults", json=[fault])
    answer = await http.post("/api/v2/time_entries", content=NEW_ENTRY, headers=WRITE)
    assert answer.status_code == 503
    assert len(await entries(http)) == before + applied


async def test_a_cut_connection_breaks_the_answer_of_a_write_that_was_applied(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, logger="uvicorn.error")
    app = simulator(SimulatorConfig(clock=lambda: MONDAY, control=True))
    listener = listen(0)
    address = f"http://127.0.0.1:{port_of(listener)}"
    async with serving(app, listener), httpx.AsyncClient(base_url=address) as http:
        before = len(await entries(http))
        fault = {"method": "POST", "cut": True, "applied": True}
        await http.put("/__simulator/faults", json=[fault])
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post("/api/v2/time_entries", content=NEW_ENTRY, headers=WRITE)
        assert len(await entries(http)) == before + 1


async def test_reset_brings_the_seed_back(http: httpx.AsyncClient) -> None:
    first = (await http.post("/__simulator/reset")).json()
    await http.delete("/api/v2/time_entries/163000412", headers=ANA)
    assert (await http.post("/__simulator/reset")).json() == first
    assert "163000412" in {entry["id"] for entry in await entries(http)}


async def test_a_token_can_be_made_and_revoked(http: httpx.AsyncClient) -> None:
    new = {"value": "sandbox-mia", "people": {"1200": "9108"}}
    headers = {**ANA, "X-Auth-Token": "sandbox-mia"}
    await http.post("/__simulator/tokens", json=new)
    assert (await http.get("/api/v2/users", headers=headers)).status_code == 200
    await http.post("/__simulator/tokens", json={"value": "sandbox-mia", "revoked": True})
    assert (await http.get("/api/v2/users", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("tokens", {"value": "looks-real", "people": {}}),
        ("faults", [{"colour": "red"}]),
        ("clock", {"freeze": "yesterday"}),
    ],
)
async def test_an_order_that_is_not_understood_is_answered_in_words(
    http: httpx.AsyncClient, path: str, order: Any
) -> None:
    method = "POST" if path == "tokens" else "PUT"
    answer = await http.request(method, f"/__simulator/{path}", json=order)
    assert answer.status_code == 400
    assert "not understood" in answer.json()["error"]


async def test_the_log_tells_requests_and_never_tokens(http: httpx.AsyncClient) -> None:
    await http.get("/api/v2/people?filter[query]=ana", headers=ANA)
    await http.get("/api/v2/people", headers={**ANA, "X-Auth-Token": "a-real-token-by-mistake"})
    await http.post("/api/v2/time_entries", content=NEW_ENTRY, headers=WRITE)
    answer = await http.get("/__simulator/log")
    first, second, third = answer.json()
    assert (first["path"], first["token"], first["status"]) == ("/people", "member", 200)
    assert first["query"] == "filter[query]=ana"
    assert (second["token"], second["status"]) == (None, 401)
    assert third["body"]["data"]["attributes"]["time"] == 60
    assert "simulator-ana-kovac" not in answer.text
    assert "a-real-token-by-mistake" not in answer.text
    await http.delete("/__simulator/log")
    assert (await http.get("/__simulator/log")).json() == []
