from __future__ import annotations

from typing import Any

import httpx
import pytest

from harness.mcpkit import SimulatedTools, person, principal, simulated_tools
from harness.timetools import MANAGER
from harness.toolkit import said_alike
from productive_contract.mapping import Access
from productive_dev.simulator.faults import Fault
from productive_gateway.people.principal import Principal
from productive_gateway.tools.registry import Answer
from productive_gateway.tools.time.submit_timesheet import submit_timesheet


def submitted(tools: SimulatedTools, number: str = "9104") -> set[str]:
    """Return the days that a person submitted, in the simulator."""
    return {
        sheet.attributes["date"]
        for sheet in tools.world.state.all("timesheets")
        if (ref := sheet.to_one("person")) is not None and ref.id == number
    }


async def submit(
    tools: SimulatedTools, who: Principal | None = None, **arguments: Any
) -> tuple[Answer, Answer]:
    """Submit after confirming; return the preview and the answer."""
    asked = await tools.call("submit_timesheet", who, **arguments)
    said_alike(asked)
    assert asked.structured["error"]["code"] == "needs_confirmation", asked.text
    token = asked.structured["error"]["confirm"]
    done = await tools.call("submit_timesheet", who, **arguments, confirm=token)
    said_alike(done, submit_timesheet)
    return asked, done


async def test_week_is_submitted_after_its_gaps_were_shown() -> None:
    async with simulated_tools() as tools:
        before = submitted(tools)
        asked, done = await submit(tools, period="last_week")
        assert "Mon 2026-11-16: 2.75 of 8 h (5.25 h missing)" in asked.text
        days = {f"2026-11-{day}" for day in range(16, 23)}
        assert submitted(tools) == before | days
        assert done.text.startswith("Submitted 7 of 7 days, last week")
        assert all(day["submitted"] for day in done.structured["days"])
        assert len(tools.requests("POST", "/timesheets")) == 1


async def test_nothing_is_submitted_without_confirmation() -> None:
    async with simulated_tools() as tools:
        before = submitted(tools)
        for _ in range(2):
            answer = await tools.call("submit_timesheet", period="last_week")
            assert answer.structured["error"]["code"] == "needs_confirmation"
        wrong = await tools.call("submit_timesheet", period="last_week", confirm="yes")
        assert wrong.is_error
        assert submitted(tools) == before
        assert tools.requests("POST") == []


async def test_confirmation_is_void_after_the_hours_changed() -> None:
    async with simulated_tools() as tools:
        before = submitted(tools)
        asked = await tools.call("submit_timesheet", period="2026-11-16")
        await tools.log({"service": "16880011", "hours": 1, "date": "2026-11-16", "note": "more"})
        done = await tools.call(
            "submit_timesheet", period="2026-11-16", confirm=asked.structured["error"]["confirm"]
        )
        assert done.is_error
        assert submitted(tools) == before


async def test_days_that_cannot_be_submitted_are_left_out_with_the_reason() -> None:
    async with simulated_tools() as tools:
        _, done = await submit(tools, period="2026-11-09..2026-11-25")
        reasons = {day["date"][-2:]: day.get("reason") for day in done.structured["days"]}
        assert reasons["09"] == reasons["10"] == "it is submitted already"
        assert reasons["24"] == reasons["25"] == "it is still to come"
        assert reasons["11"] is None
        assert not {"2026-11-24", "2026-11-25"} & submitted(tools)


@pytest.mark.parametrize("period", ["2026-11-09..2026-11-10", "tomorrow", "2026-09-21..2026-09-25"])
async def test_nothing_left_to_submit_is_said_without_a_question(period: str) -> None:
    async with simulated_tools() as tools:
        answer = await tools.call("submit_timesheet", period=period)
        said_alike(answer, submit_timesheet)
        assert answer.text.startswith("Nothing is left to be submitted")
        assert tools.requests("POST") == []


async def test_day_with_a_running_timer_is_left_out() -> None:
    async with simulated_tools() as tools:
        await tools.call("start_timer", service="16880011")
        answer = await tools.call("submit_timesheet", period="today")
        said_alike(answer, submit_timesheet)
        assert "a timer is running" in answer.structured["days"][0]["reason"]


async def test_submitting_is_undone() -> None:
    async with simulated_tools() as tools:
        before = submitted(tools)
        _, done = await submit(tools, period="last_week")
        undone = await tools.call("undo", handle=done.structured["undo"])
        assert not undone.is_error, undone.text
        assert submitted(tools) == before
        await submit(tools, period="last_week")
        assert len(submitted(tools)) == len(before) + 7


async def test_refused_bulk_request_is_submitted_day_by_day() -> None:
    async with simulated_tools() as tools:

        def refuse(request: httpx.Request) -> httpx.Response | None:
            bulk = "ext=bulk" in request.headers.get("content-type", "")
            return httpx.Response(404, json={"errors": [{"code": "x"}]}) if bulk else None

        tools.transport.answer = refuse
        _, done = await submit(tools, period="2026-11-16..2026-11-17")
        assert [day.get("submitted") for day in done.structured["days"]] == [True, True]


@pytest.mark.parametrize("applied", [True, False])
async def test_lost_answer_is_found_out_by_looking(*, applied: bool) -> None:
    async with simulated_tools() as tools:
        before = submitted(tools)
        asked = await tools.call("submit_timesheet", period="2026-11-16")
        token = asked.structured["error"]["confirm"]
        tools.world.faults.put([Fault(method="POST", cut=True, applied=applied)])
        done = await tools.call("submit_timesheet", period="2026-11-16", confirm=token)
        said_alike(done)
        assert done.is_error is not applied
        assert submitted(tools) == before | ({"2026-11-16"} if applied else set())


async def test_manager_submits_for_somebody_else_and_a_colleague_cannot() -> None:
    async with simulated_tools() as tools:
        asked, _ = await submit(tools, MANAGER, period="2026-11-16", person="Ana Kovač")
        assert "Submit 1 days of Ana Kovač (9104)" in asked.text
        assert "2026-11-16" in submitted(tools)
        luca = principal(person("simulator-luca-moretti", user_id=9107))
        other = await tools.call("submit_timesheet", luca, period="2026-11-17", person="Ana Kovač")
        token = other.structured["error"]["confirm"]
        done = await tools.call(
            "submit_timesheet", luca, period="2026-11-17", person="Ana Kovač", confirm=token
        )
        assert done.structured["error"]["code"] == "forbidden"
        assert "2026-11-17" not in submitted(tools)


async def test_cost_is_within_what_is_declared() -> None:
    async with simulated_tools() as tools:
        await submit(tools, period="last_week")
        cost = submit_timesheet.cost
        assert len(tools.requests()) <= 1 + 2 * (cost.reads + cost.writes)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"period": "whenever"}, "invalid_value"),
        ({"period": "2026"}, "invalid_value"),
        ({"person": "Ana"}, "ambiguous_reference"),
    ],
)
async def test_wrong_arguments_are_named(arguments: dict[str, Any], code: str) -> None:
    async with simulated_tools() as tools:
        answer = await tools.call("submit_timesheet", **arguments)
        said_alike(answer)
        assert answer.structured["error"]["code"] == code


async def test_read_only_person_submits_nothing() -> None:
    async with simulated_tools() as tools:
        reader = principal(person(access=Access(read_only=True)))
        answer = await tools.call("submit_timesheet", reader)
        assert answer.structured["error"]["code"] == "not_allowed_here"
