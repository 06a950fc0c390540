"""log_time: what is written, what it costs, and what the answer says."""

from __future__ import annotations

import asyncio
from typing import Any

import jsonschema
import pytest
from structlog.testing import capture_logs

from harness.mcpkit import person, principal, simulated_tools
from harness.timetools import DESIGN, checked, codes, count, rounds, stored, written
from productive_dev.simulator.faults import Fault
from productive_gateway.productive.wire.client import ProductiveSession
from productive_gateway.tools.time.log_time import log_time


async def test_time_is_logged_by_names_in_one_call() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({**DESIGN, "note": "Wireframes v2"})
        assert not answer.is_error
        (result,) = checked(answer)["results"]
        number = result["entry"].pop("id")
        assert result == {
            "ok": True,
            "entry": {
                "date": "2026-11-23",
                "hours": 2.0,
                "project": {"id": "30201", "name": "Website relaunch"},
                "budget": {"id": "4287001", "name": "Relaunch phase 2"},
                "service": {"id": "16880011", "name": "Design"},
                "note": "Wireframes v2",
            },
        }
        assert answer.structured["day_totals"] == [
            {"date": "2026-11-23", "tracked": 2.0, "capacity": 8.0}
        ]
        assert answer.structured["resolved"] == [
            {
                "input": "relaunch",
                "kind": "project",
                "id": "30201",
                "name": "Website relaunch",
                "how": "unique word match",
            },
            {
                "input": "design",
                "kind": "service",
                "id": "16880011",
                "name": "Design",
                "how": "exact name",
            },
        ]
        assert answer.text.startswith(
            "Logged 2.00 h on Website relaunch / Design (today 2.00 of 8 h).\n"
        )
        assert stored(tools, number)["time"] == 120
        assert stored(tools, number)["note"] == "Wireframes v2"


async def test_text_of_one_entry_names_all_its_ids() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({"task": "Design tokens", "hours": 1})
        entry = answer.structured["results"][0]["entry"]
        for number in (
            entry["id"],
            *(entry[name]["id"] for name in ("project", "budget", "service", "task")),
        ):
            assert f"({number})" in answer.text


async def test_one_entry_by_names_costs_seven_requests_at_first_and_three_then() -> None:
    async with simulated_tools() as tools:
        await tools.log(DESIGN)
        paths = [entry.path for entry in tools.world.log]
        assert paths[0] == "/organization_memberships"
        assert sorted(paths[1:5]) == ["/bookings", "/holidays", "/projects", "/time_entries"]
        assert paths[5:] == ["/services", "/time_entries"]
        await tools.log({**DESIGN, "hours": 1})
        rest = [f"{entry.method} {entry.path}" for entry in list(tools.world.log)[7:]]
        assert sorted(rest) == ["GET /bookings", "GET /time_entries", "POST /time_entries"]


async def test_one_entry_by_names_takes_four_round_trips_at_first_and_two_then() -> None:
    async with simulated_tools() as tools:
        _, first = await rounds(tools, tools.log(DESIGN))
        _, then = await rounds(tools, tools.log({**DESIGN, "hours": 1}))
        assert (first, then) == (4, 2)


async def test_calls_share_the_failure_of_what_they_all_need() -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(path="/organization_memberships", status=503, times=99)])
        answers = await asyncio.gather(*(tools.log({**DESIGN, "hours": n + 1}) for n in range(5)))
        assert {answer.structured["error"]["code"] for answer in answers} == {"upstream_error"}
        assert len(tools.requests()) == 3


async def test_ten_entries_are_one_bulk_request_among_ten() -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        answer = await tools.log(*({**DESIGN, "hours": hours / 4} for hours in range(1, 11)))
        assert [row["ok"] for row in checked(answer)["results"]] == [True] * 10
        assert count(tools) == before + 10
        assert len(tools.requests("POST")) == 1
        assert len(tools.requests()) == 10


async def test_fifty_entries_are_logged_within_the_size_of_an_answer() -> None:
    async with simulated_tools() as tools:
        entries = [
            {"service": "16880011", "date": f"2026-11-{day:02}", "hours": hours / 4}
            for day in (11, 12, 13, 16, 17)
            for hours in range(1, 11)
        ]
        answer = await tools.log(*entries)
        assert [row["ok"] for row in answer.structured["results"]] == [True] * 50
        assert len(tools.requests("POST")) == 1
        assert len(answer.text) < 8_000


async def test_error_of_many_entries_is_told_once() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log(*({"project": "website", "hours": n / 4} for n in range(1, 51)))
        assert checked(answer)["error"]["code"] == "ambiguous_reference"
        first, second, *rest = answer.structured["results"]
        assert first["error"]["candidates"]
        assert second["error"]["message"] == "The same as entries[0]."
        assert len(rest) == 48
        mixed = await tools.log({"project": "website", "hours": 1}, DESIGN)
        assert "candidates" in checked(mixed)["results"][0]["error"]


async def test_entry_is_written_with_relationships() -> None:
    async with simulated_tools() as tools:
        await tools.log({"task": "#88", "hours": "45m", "billable_hours": 0})
        (body,) = written(tools)
        assert body["data"]["attributes"] == {
            "date": "2026-11-23",
            "time": 45,
            "billable_time": 0,
        }
        assert {
            name: link["data"]["id"] for name, link in body["data"]["relationships"].items()
        } == {
            "person": "9104",
            "service": "16880011",
            "task": "20510088",
        }


async def test_good_entries_are_written_although_another_is_ambiguous() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log(
            {"project": "website", "hours": 1},
            {**DESIGN, "date": "yesterday"},
            {**DESIGN, "hours": "90m"},
        )
        assert not answer.is_error
        results = checked(answer)["results"]
        assert [result.get("ok", False) for result in results] == [False, True, True]
        assert answer.structured["day_totals"] == [
            {"date": "2026-11-22", "tracked": 2.0, "capacity": 0},
            {"date": "2026-11-23", "tracked": 1.5, "capacity": 8.0},
        ]
        assert answer.text.startswith("Logged 2 of 3 entries, 3.50 h.\n")
        assert "Website care (30202)" in answer.text
        (body,) = written(tools)
        assert len(body["data"]) == 2


async def test_everything_is_looked_up_before_the_first_write() -> None:
    async with simulated_tools() as tools:
        await tools.log(DESIGN, {"task": "#88", "hours": 1}, {"service": "16880015", "hours": 1})
        methods = [entry.method for entry in tools.world.log]
        first = methods.index("POST")
        assert methods[first:] == ["POST", "GET"]
        assert [entry.path for entry in list(tools.world.log)[first:]] == ["/time_entries"] * 2


async def test_equal_names_are_looked_up_once_for_many_entries() -> None:
    async with simulated_tools() as tools:
        same = {"task": "Design tokens"}
        await tools.log(
            *({**DESIGN, "hours": hours} for hours in (1, 2, 3)),
            *({**same, "hours": hours} for hours in (1, 2, 3)),
        )
        assert len(tools.requests("GET", "/projects")) == 1
        assert len(tools.requests("GET", "/services")) == 1
        assert len(tools.requests("GET", "/tasks")) == 1


async def test_audit_line_counts_the_writes() -> None:
    async with simulated_tools() as tools:
        with capture_logs() as lines:
            await tools.log(DESIGN, {**DESIGN, "hours": 1, "note": "canary-note"})
        (line,) = lines
        assert (line["tool"], line["writes"], line["arguments"]) == ("log_time", 1, "entries")
        assert "canary" not in str(line)


async def test_projects_of_a_very_large_organization_are_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("productive_gateway.productive.wire.client.PAGE", 1)
    pages = ProductiveSession.pages

    def one_page(session: Any, path: str, query: Any, *, most: int = 10) -> Any:
        return pages(session, path, query, most=1 if path == "/projects" else most)

    monkeypatch.setattr(ProductiveSession, "pages", one_page)
    for reference in ("relaunch", "30201"):
        async with simulated_tools() as tools:
            answer = await tools.log({**DESIGN, "project": reference})
            assert checked(answer)["results"][0]["ok"]
            assert len(tools.requests("GET", "/projects")) == 2


@pytest.mark.attack("M-14")
async def test_nothing_is_logged_with_another_persons_token() -> None:
    async with simulated_tools() as tools:
        who = principal(person("simulator-ana-horvat"))
        answer = await tools.call("log_time", who, entries=[DESIGN])
        assert checked(answer)["error"]["code"] == "wrong_token_owner"
        assert [entry.path for entry in tools.world.log] == ["/organization_memberships"]


async def test_argument_schema_is_flat_short_and_matches_the_tool() -> None:
    schema = log_time.input_schema
    for entry in (DESIGN, {"task": "#87", "start": "9:00", "end": "10:00"}):
        jsonschema.validate({"entries": [entry]}, schema)
    for wrong in ({"entries": []}, {"entries": [{"hours": True}]}, {}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
    for word in ("null", "$ref", "$defs", "anyOf"):
        assert word not in str(schema)
    assert len(str(schema)) < 1800


async def test_single_error_has_one_result_with_the_same_code() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({"project": "website", "hours": 1})
        assert codes(answer) == [checked(answer)["error"]["code"]]
