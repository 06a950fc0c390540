"""start_timer and stop_timer."""

from __future__ import annotations

from typing import Any

import pytest

from harness.mcpkit import SimulatedTools, person, principal, simulated_tools
from harness.timetools import stored
from harness.toolkit import said_alike
from productive_contract.mapping import Access
from productive_dev.simulator.faults import Fault
from productive_gateway.tools.registry import Answer
from productive_gateway.tools.time.start_timer import start_timer
from productive_gateway.tools.time.stop_timer import stop_timer

DESIGN = {"project": "relaunch", "service": "design"}


def running(tools: SimulatedTools, number: int = 9104) -> list[Any]:
    """Return the running timers of a person in the simulator."""
    return [
        timer
        for timer in tools.world.state.all("timers")
        if timer.attributes["person_id"] == number and timer.attributes["stopped_at"] is None
    ]


async def start(tools: SimulatedTools, **arguments: Any) -> dict[str, Any]:
    answer = await tools.call("start_timer", **arguments)
    said_alike(answer, start_timer)
    return answer.structured


async def stop(tools: SimulatedTools, **arguments: Any) -> Answer:
    answer = await tools.call("stop_timer", **arguments)
    said_alike(answer, stop_timer)
    return answer


async def test_timer_starts_with_note_and_stops_with_its_hours() -> None:
    async with simulated_tools() as tools:
        started = await start(tools, **DESIGN, note="Header")
        number = started["timer"]["entry"]["id"]
        assert len(running(tools)) == 1
        assert stored(tools, number)["note"] == "Header"
        assert started["timer"]["since"] == "2026-11-23T09:00+01:00"
        tools.time.now += 90 * 60
        answer = await stop(tools)
        assert answer.structured["entry"]["id"] == number
        assert answer.structured["entry"]["hours"] == 1.5
        assert answer.text.startswith("Stopped: 1.50 h on Website relaunch / Design.")
        assert stored(tools, number)["time"] == 90
        assert running(tools) == []


@pytest.mark.parametrize(
    ("arguments", "service", "task"),
    [
        ({"task": "#88"}, "16880011", "20510088"),
        ({"project": "mobile app"}, "16880042", None),
        ({"service": "16880051"}, "16880051", None),
        ({"task": "Design tokens", "service": "Project management"}, "16880015", "20510088"),
    ],
)
async def test_timer_runs_on_the_service_that_is_meant(
    arguments: dict[str, Any], service: str, task: str | None
) -> None:
    async with simulated_tools() as tools:
        entry = (await start(tools, **arguments))["timer"]["entry"]
        assert entry["service"]["id"] == service
        assert entry.get("task", {}).get("id") == task
        record = tools.world.state.get("time_entries", entry["id"])
        assert record is not None
        ref = record.to_one("task")
        assert (ref.id if ref else None) == task


async def test_starting_stops_the_running_one_and_says_so() -> None:
    async with simulated_tools() as tools:
        first = await start(tools, **DESIGN)
        tools.time.now += 3600
        second = await start(tools, task="#88")
        assert second["stopped_previous"]["id"] == first["timer"]["entry"]["id"]
        assert second["stopped_previous"]["hours"] == 1
        (timer,) = running(tools)
        assert timer.id == second["timer"]["id"]


async def test_timer_that_runs_on_the_same_is_left_running() -> None:
    async with simulated_tools() as tools:
        first = await start(tools, **DESIGN)
        tools.time.now += 600
        again = await start(tools, **DESIGN)
        assert again["timer"]["id"] == first["timer"]["id"]
        assert len(tools.requests("POST", "/timers")) == 1
        assert tools.requests("PATCH") == []


async def test_timer_starts_anew_after_it_was_stopped() -> None:
    async with simulated_tools() as tools:
        first = await start(tools, **DESIGN)
        tools.time.now += 60
        await stop(tools)
        second = await start(tools, **DESIGN)
        assert second["timer"]["id"] != first["timer"]["id"]
        assert len(running(tools)) == 1


async def test_timer_goes_on_with_an_entry() -> None:
    async with simulated_tools() as tools:
        logged = await tools.log({**DESIGN, "hours": 1})
        number = logged.structured["results"][0]["entry"]["id"]
        started = await start(tools, entry=number)
        assert started["timer"]["entry"]["id"] == number
        tools.time.now += 30 * 60
        answer = await stop(tools)
        assert answer.structured["entry"]["hours"] == 1.5


async def test_note_of_stopping_is_added_to_that_of_starting() -> None:
    async with simulated_tools() as tools:
        await start(tools, **DESIGN, note="Header")
        tools.time.now += 600
        entry = (await stop(tools, note="a < b")).structured["entry"]
        assert stored(tools, entry["id"])["note"] == "Header<br>a &lt; b"


async def test_less_than_a_minute_is_said() -> None:
    async with simulated_tools() as tools:
        await start(tools, **DESIGN)
        tools.time.now += 30
        answer = await stop(tools)
        assert "less than a minute" in answer.structured["warnings"][0]


async def test_discarding_is_confirmed_and_deletes_what_the_run_made() -> None:
    async with simulated_tools() as tools:
        entry = (await start(tools, **DESIGN))["timer"]["entry"]
        tools.time.now += 600
        asked = await stop(tools, discard=True)
        assert asked.structured["error"]["code"] == "needs_confirmation"
        assert len(running(tools)) == 1
        tools.time.now += 60
        token = asked.structured["error"]["confirm"]
        done = await stop(tools, discard=True, confirm=token)
        assert done.structured["discarded"] is True
        assert running(tools) == []
        assert tools.world.state.get("time_entries", entry["id"]) is None


async def test_discarding_leaves_the_hours_that_an_entry_had_before() -> None:
    async with simulated_tools() as tools:
        logged = await tools.log({**DESIGN, "hours": 1})
        number = logged.structured["results"][0]["entry"]["id"]
        await start(tools, entry=number)
        tools.time.now += 1800
        asked = await stop(tools, discard=True)
        done = await stop(tools, discard=True, confirm=asked.structured["error"]["confirm"])
        assert done.structured["entry"]["hours"] == 1
        assert stored(tools, number)["time"] == 60


async def test_nothing_runs() -> None:
    async with simulated_tools() as tools:
        answer = await stop(tools)
        assert answer.structured["error"]["code"] == "not_found"
        assert tools.requests("PATCH") == []


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({}, "invalid_value", "project"),
        ({"project": "website"}, "ambiguous_reference", "project"),
        ({"task": "#87"}, "ambiguous_reference", "service"),
        ({"project": "Bakery shop"}, "not_in_use", "project"),
        ({"service": "16880012"}, "cannot_track", "service"),
        ({"entry": "my last one"}, "invalid_value", "entry"),
        ({"entry": "163000901"}, "not_found", None),
        ({"entry": "163000501"}, "period_locked", "entry"),
    ],
)
async def test_timer_that_cannot_start_leaves_the_running_one_alone(
    arguments: dict[str, Any], code: str, field: str | None
) -> None:
    async with simulated_tools() as tools:
        await start(tools, service="16880051")
        answer = await tools.call("start_timer", **arguments)
        said_alike(answer)
        assert answer.structured["error"]["code"] == code
        assert answer.structured["error"].get("field") == field
        assert len(running(tools)) == 1


async def test_refusal_after_the_running_one_was_stopped_is_told_with_it() -> None:
    async with simulated_tools() as tools:
        await start(tools, service="16880051")
        tools.time.now += 3600
        tools.world.faults.put([Fault(method="POST", path="/timers", status=403)])
        answer = await tools.call("start_timer", **DESIGN)
        assert answer.is_error
        assert "The timer before is stopped (1.00 h on Internal / Meetings)" in answer.text
        assert running(tools) == []


@pytest.mark.parametrize("applied", [True, False])
async def test_lost_answer_of_starting_is_found_out_by_looking(*, applied: bool) -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(method="POST", path="/timers", cut=True, applied=applied)])
        answer = await tools.call("start_timer", **DESIGN)
        said_alike(answer)
        assert answer.is_error is not applied
        assert len(running(tools)) == applied
        assert len(tools.requests("POST")) == 1


@pytest.mark.parametrize("applied", [True, False])
async def test_lost_answer_of_stopping_is_found_out_by_looking(*, applied: bool) -> None:
    async with simulated_tools() as tools:
        await start(tools, **DESIGN)
        tools.time.now += 600
        tools.world.faults.put([Fault(method="PATCH", cut=True, applied=applied)])
        answer = await tools.call("stop_timer")
        said_alike(answer)
        assert answer.is_error is not applied
        assert len(running(tools)) == (not applied)


async def test_costs_are_within_what_is_declared() -> None:
    async with simulated_tools() as tools:
        await start(tools, task="#88")
        tools.time.now += 600
        before = len(tools.requests())
        await start(tools, project="mobile app", note="x")
        assert len(tools.requests()) - before <= start_timer.cost.reads + start_timer.cost.writes
        tools.time.now += 600
        before = len(tools.requests())
        await stop(tools, note="y")
        assert len(tools.requests()) - before <= stop_timer.cost.reads + stop_timer.cost.writes


async def test_read_only_person_has_no_timer_here() -> None:
    async with simulated_tools() as tools:
        reader = principal(person(access=Access(read_only=True)))
        for name, arguments in (("start_timer", DESIGN), ("stop_timer", {})):
            answer = await tools.call(name, reader, **arguments)
            assert answer.structured["error"]["code"] == "not_allowed_here"
