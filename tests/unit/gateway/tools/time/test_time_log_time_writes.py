"""How log_time writes: once, whatever happens to requests and answers."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from harness.mcpkit import SimulatedTools, person, principal, simulated_tools
from harness.timetools import DESIGN, checked, codes, count, written
from productive_dev.simulator.faults import Fault

SEVERAL = (DESIGN, {**DESIGN, "hours": 1}, {**DESIGN, "hours": 3})


def fault(tools: SimulatedTools, **members: Any) -> None:
    tools.world.faults.put([Fault(**{"method": "POST", **members})])


@pytest.mark.parametrize("lost", [{"cut": True}, {"status": 500}, {"status": 503}])
@pytest.mark.parametrize("entries", [SEVERAL[:1], SEVERAL])
async def test_lost_answer_is_found_out_by_looking(
    lost: dict[str, Any], entries: tuple[Any, ...]
) -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        fault(tools, applied=True, **lost)
        answer = await tools.log(*entries)
        assert not answer.is_error
        assert [row["ok"] for row in checked(answer)["results"]] == [True] * len(entries)
        assert all(row["entry"]["id"] in answer.text for row in answer.structured["results"])
        assert count(tools) == before + len(entries)
        assert len(written(tools)) == 1


@pytest.mark.parametrize("lost", [{"cut": True}, {"status": 500}, {"status": 503}])
@pytest.mark.parametrize("entries", [SEVERAL[:1], SEVERAL])
async def test_write_that_is_not_there_after_a_lost_answer_is_unknown_and_not_repeated(
    lost: dict[str, Any], entries: tuple[Any, ...]
) -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        fault(tools, **lost)
        answer = await tools.log(*entries)
        assert answer.is_error
        assert codes(answer) == ["timeout"] * len(entries)
        assert checked(answer)["error"]["code"] == "timeout"
        assert "may or may not" in answer.text
        assert len(written(tools)) == 1
        assert count(tools) == before
        # What the message says to do.
        check = await tools.log(DESIGN, dry_run=True)
        assert checked(check)["results"][0]["ok"]


async def test_lost_answer_beside_an_equal_entry_does_not_count_that_one() -> None:
    async with simulated_tools() as tools:
        await tools.log(DESIGN)
        fault(tools, cut=True)
        answer = await tools.log({**DESIGN, "allow_duplicate": True})
        assert checked(answer)["error"]["code"] == "timeout"


async def test_lost_answer_that_cannot_be_looked_for_is_unknown() -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put(
            [
                Fault(method="POST", cut=True, applied=True),
                Fault(method="GET", path="/time_entries", status=503, skip=1, times=9),
            ]
        )
        answer = await tools.log(DESIGN)
        assert checked(answer)["error"]["code"] == "timeout"
        assert len(written(tools)) == 1


async def test_short_rate_limit_is_waited_out_and_everything_is_written_once() -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        fault(tools, status=429, retry_after=2)
        answer = await tools.log(*SEVERAL)
        assert [row["ok"] for row in checked(answer)["results"]] == [True] * 3
        assert tools.time.slept == [2.0]
        assert count(tools) == before + 3


async def test_long_rate_limit_is_said_at_once_for_every_entry() -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        fault(tools, status=429, retry_after=60)
        answer = await tools.log(*SEVERAL)
        assert codes(answer) == ["rate_limited"] * 3
        assert checked(answer)["error"]["retry_after_s"] == 60
        assert "None of 3 entries is known to be logged" in answer.text
        assert len(written(tools)) == 1
        assert count(tools) == before


async def test_read_only_token_is_reported() -> None:
    async with simulated_tools() as tools:
        who = principal(person("simulator-ana-kovac-read-only"))
        answer = await tools.call("log_time", who, entries=[DESIGN])
        assert checked(answer)["error"]["code"] == "forbidden"


async def test_failure_before_the_first_write_ends_the_call() -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(method="GET", path="/services", status=503, times=3)])
        answer = await tools.log(DESIGN, {**DESIGN, "hours": 1})
        assert answer.is_error
        assert checked(answer)["error"]["code"] == "upstream_error"
        assert "nothing was changed" in answer.text
        assert written(tools) == []


async def test_refused_bulk_request_is_written_singly_and_only_the_bad_entry_fails() -> None:
    async with simulated_tools() as tools:
        before = count(tools)

        async def submit(request: httpx.Request) -> None:
            # A colleague's program submits a day between the checks and the write.
            if request.method == "POST" and not tools.requests("POST"):
                tools.transport.before = None
                await tools.post(
                    "/timesheets",
                    {"type": "timesheets", "attributes": {"date": "2026-11-20"}},
                )

        tools.transport.before = submit
        answer = await tools.log(
            DESIGN, {**DESIGN, "date": "2026-11-20"}, {**DESIGN, "date": "2026-11-19"}
        )
        assert codes(answer) == ["", "day_submitted", ""]
        assert [row.get("ok", False) for row in checked(answer)["results"]] == [True, False, True]
        assert count(tools) == before + 2
        posts = [entry.status for entry in tools.requests("POST", "/time_entries")]
        assert posts == [422, 201, 422, 201]


async def test_bulk_that_was_written_in_part_before_it_was_refused_is_not_repeated() -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        links = {"person_id": 9104, "service_id": 16880011}
        first = {"type": "time_entries", "attributes": {"date": "2026-11-23", "time": 120, **links}}

        async def write_one(request: httpx.Request) -> None:
            if request.method == "POST":
                tools.transport.before = None
                await tools.post("/time_entries", first)

        def refuse(request: httpx.Request) -> httpx.Response | None:
            if request.method != "POST" or "ext=bulk" not in request.headers["content-type"]:
                return None
            return httpx.Response(422, json={"errors": [{"code": "x", "detail": "no"}]})

        tools.transport.before, tools.transport.answer = write_one, refuse
        answer = await tools.log(*SEVERAL)
        assert [row["ok"] for row in checked(answer)["results"]] == [True] * 3
        assert count(tools) == before + 3


@pytest.mark.parametrize(
    "refusal",
    [
        httpx.Response(404, json={"errors": [{"code": "route_not_found"}]}),
        httpx.Response(415, json={"errors": [{"code": "unsupported_content_type"}]}),
    ],
)
async def test_organization_without_bulk_gets_single_requests(refusal: httpx.Response) -> None:
    async with simulated_tools() as tools:
        before = count(tools)

        def answer_bulk(request: httpx.Request) -> httpx.Response | None:
            bulk = "ext=bulk" in request.headers.get("content-type", "")
            return refusal if bulk else None

        tools.transport.answer = answer_bulk
        answer = await tools.log(*SEVERAL)
        assert [row["ok"] for row in checked(answer)["results"]] == [True] * 3
        assert count(tools) == before + 3


async def test_single_requests_stop_after_an_answer_that_stays_lost() -> None:
    async with simulated_tools() as tools:
        sent = 0

        async def lose_the_second(request: httpx.Request) -> None:
            nonlocal sent
            if request.method == "POST" and "ext=bulk" not in request.headers["content-type"]:
                sent += 1
                if sent == 2:
                    raise httpx.ReadTimeout("slow", request=request)

        def answer_bulk(request: httpx.Request) -> httpx.Response | None:
            bulk = "ext=bulk" in request.headers.get("content-type", "")
            return httpx.Response(404, json={"errors": [{"code": "x"}]}) if bulk else None

        tools.transport.before, tools.transport.answer = lose_the_second, answer_bulk
        answer = await tools.log(*SEVERAL)
        assert not answer.is_error
        assert codes(answer) == ["", "timeout", "not_tried"]
        assert checked(answer)["day_totals"][0]["tracked"] == 2.0
        assert sent == 2


async def test_entry_that_productive_wrote_differently_is_no_success() -> None:
    async with simulated_tools() as tools:
        odd = {
            "id": "5",
            "type": "time_entries",
            "attributes": {"date": "2026-11-23", "time": 60, "note": None},
        }

        def answer_oddly(request: httpx.Request) -> httpx.Response | None:
            return httpx.Response(201, json={"data": odd}) if request.method == "POST" else None

        tools.transport.answer = answer_oddly
        answer = await tools.log({**DESIGN, "note": "Wireframes"})
        assert answer.is_error
        assert checked(answer)["error"]["code"] == "write_not_effective"
        assert "5 was written" in answer.text
        for name in ("hours", "note", "service"):
            assert name in answer.structured["error"]["message"]


async def test_entry_of_several_that_productive_wrote_differently_is_shown() -> None:
    async with simulated_tools() as tools:

        async def change(request: httpx.Request) -> None:
            if request.method == "GET" and tools.requests("POST"):
                for record in tools.world.state.all("time_entries"):
                    if record.attributes["date"] == "2026-11-23" and record.attributes["time"]:
                        record.attributes["time"] = 30  # type: ignore[index]
                        break

        tools.transport.before = change
        answer = await tools.log(DESIGN, {**DESIGN, "hours": 1})
        assert not answer.is_error
        assert codes(answer) == ["write_not_effective", ""]
        (wrong, _) = checked(answer)["results"]
        assert wrong["entry"]["hours"] == 0.5
        assert "did not apply: hours" in wrong["error"]["message"]
        assert answer.structured["day_totals"][0]["tracked"] == 1.5


@pytest.mark.parametrize("entries", [SEVERAL[:1], SEVERAL])
async def test_success_without_the_entry_is_unknown(entries: tuple[Any, ...]) -> None:
    async with simulated_tools() as tools:

        def answer_nothing(request: httpx.Request) -> httpx.Response | None:
            empty = httpx.Response(201, json={"data": []})
            return empty if request.method == "POST" else None

        tools.transport.answer = answer_nothing
        answer = await tools.log(*entries)
        assert codes(answer) == ["timeout"] * len(entries)


@pytest.mark.parametrize("entries", [SEVERAL[:1], SEVERAL])
async def test_same_call_twice_at_once_writes_once(entries: tuple[Any, ...]) -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        one, other = await asyncio.gather(tools.log(*entries), tools.log(*entries))
        assert count(tools) == before + len(entries)
        found = [
            [
                (row.get("entry") or row["duplicate_of"])["id"]
                for row in answer.structured["results"]
            ]
            for answer in (one, other)
        ]
        assert found[0] == found[1]
        assert not one.is_error
        assert not other.is_error


@pytest.mark.parametrize("entries", [SEVERAL[:1], SEVERAL])
async def test_what_was_deleted_since_can_be_logged_again(entries: tuple[Any, ...]) -> None:
    async with simulated_tools() as tools:
        before = count(tools)
        first = await tools.log(*entries)
        for row in first.structured["results"]:
            record = tools.world.state.get("time_entries", row["entry"]["id"])
            assert record is not None
            tools.world.state.remove(record)
        tools.time.now += 10
        again = await asyncio.gather(tools.log(*entries), tools.log(*entries))
        assert count(tools) == before + len(entries), again


async def test_several_that_cannot_be_read_back_count_as_written() -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put(
            [Fault(method="GET", path="/time_entries", status=503, skip=1, times=3)]
        )
        answer = await tools.log(*SEVERAL)
        assert all(row["ok"] and row["entry"]["id"] for row in checked(answer)["results"])
        assert "could not be read back" in answer.structured["warnings"][0]
        assert answer.structured["warnings"][0] in answer.text
