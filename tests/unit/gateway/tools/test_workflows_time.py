"""Workflows of the time toolset as scripts: whatever a call is given was said before.

A model has only the question and the answers before. So each argument of each call must stand in
one of them, or be a word that the tool's schema offers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.mcpkit import SimulatedTools, simulated_tools
from harness.timetools import stored
from harness.toolkit import said_alike
from productive_gateway.tools.registry import TOOLS, Answer

SCHEMAS = {tool.name: tool.input_schema for tool in TOOLS}


class Conversation:
    """A question, and the calls that answer it."""

    def __init__(self, tools: SimulatedTools, question: str) -> None:
        self.tools = tools
        self.said = [question]
        self.calls = 0
        self.sent = 0

    async def call(self, name: str, **arguments: Any) -> Answer:
        for value in scalars(arguments):
            offered = value in str(SCHEMAS[name]) or value in {"True", "False"}
            said = value.replace("_", " ").casefold(), value.casefold()
            assert offered or any(one in text.casefold() for text in self.said for one in said)
        before = len(self.tools.requests())
        answer = await self.tools.call(name, **arguments)
        self.sent = len(self.tools.requests()) - before
        self.calls += 1
        said_alike(answer)
        self.said.append(answer.text)
        return answer

    def ask_user(self, reply: str) -> None:
        """Let the user say something."""
        self.said.append(reply)


def scalars(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from scalars(value)
    elif isinstance(node, list):
        for value in node:
            yield from scalars(value)
    else:
        yield f"{node:g}" if isinstance(node, float) else str(node)


def hours_on(tools: SimulatedTools, *days: str) -> list[float]:
    """Return Ana's hours of some days in the simulator."""
    found = dict.fromkeys(days, 0.0)
    for entry in tools.world.state.all("time_entries"):
        who = entry.to_one("person")
        if who is not None and who.id == "9104" and entry.attributes["date"] in found:
            found[entry.attributes["date"]] += entry.attributes["time"] / 60
    return list(found.values())


async def test_workflow_1_two_hours_are_one_call() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, 'Log 2 h today on "Website relaunch", design')
        entry = {"project": "Website relaunch", "service": "design", "hours": 2, "date": "today"}
        answer = await talk.call("log_time", entries=[entry])
        assert answer.structured["results"][0]["ok"]
        assert hours_on(tools, "2026-11-23") == [2]
        assert (talk.calls, talk.sent) == (1, 7)


async def test_workflow_1_ambiguous_service_is_asked_and_repeated_by_its_id() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, "Log 2 h on the website relaunch")
        entry = {"project": "website relaunch", "hours": 2}
        unclear = await talk.call("log_time", entries=[entry])
        first = unclear.structured["error"]["candidates"][0]
        answer = await talk.call("log_time", entries=[{**entry, "service": first["id"]}])
        assert answer.structured["results"][0]["ok"]
        assert hours_on(tools, "2026-11-23") == [2]


async def test_workflow_2_a_week_is_one_call() -> None:
    async with simulated_tools() as tools:
        question = (
            "Log last week: monday to friday 2026-11-16 2026-11-17 2026-11-18 2026-11-19 "
            "2026-11-20, 1.5 h meetings in Internal each day, and 0.5 h project management on the "
            "website relaunch"
        )
        talk = Conversation(tools, question)
        days = [f"2026-11-{day}" for day in (16, 17, 18, 19, 20)]
        before = hours_on(tools, *days)
        entries = [
            entry
            for day in days
            for entry in (
                {"project": "Internal", "service": "meetings", "hours": 1.5, "date": day},
                {
                    "project": "website relaunch",
                    "service": "project management",
                    "hours": 0.5,
                    "date": day,
                },
            )
        ]
        answer = await talk.call("log_time", entries=entries)
        assert all(row["ok"] for row in answer.structured["results"])
        after = hours_on(tools, *days)
        assert [new - old for old, new in zip(before, after, strict=True)] == [2] * 5
        assert talk.calls == 1
        assert talk.sent <= 12
        assert len(tools.requests("POST")) == 1


async def test_workflow_3_last_week_against_capacity_is_one_call() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, "What did I do last week against my capacity?")
        answer = await talk.call("get_timesheet", period="last_week")
        first = answer.text.splitlines()[0]
        assert "15.25 of 32 h tracked; 16.75 h are missing" in first
        assert talk.calls == 1


async def test_workflow_4_missing_hours_are_filled_from_what_was_suggested() -> None:
    async with simulated_tools() as tools:
        booking = {
            "person_id": 9104,
            "service_id": 16880011,
            "started_on": "2026-11-16",
            "ended_on": "2026-11-17",
            "booking_method_id": 1,
            "time": 240,
        }
        await tools.post(
            "/bookings", {"type": "bookings", "attributes": booking}, token="simulator-manager"
        )
        before = hours_on(tools, "2026-11-16", "2026-11-17")
        talk = Conversation(tools, "Fill my missing hours of last week from my bookings")
        sheet = await talk.call("get_timesheet", period="last_week")
        booked = [one for one in sheet.structured["suggestions"] if "booked" in one["why"]]
        assert len(booked) == 2
        talk.ask_user("Yes, log these.")
        answer = await talk.call("log_time", entries=booked)
        assert all(row["ok"] for row in answer.structured["results"])
        assert "Unknown arguments" not in answer.text
        after = hours_on(tools, "2026-11-16", "2026-11-17")
        added = [new - old for old, new in zip(before, after, strict=True)]
        assert added == [one["hours"] for one in booked]
        assert talk.calls == 2


async def test_workflow_5_timer_is_started_switched_and_stopped() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, "Start the clock for design on the website relaunch")
        await talk.call("start_timer", project="website relaunch", service="design")
        tools.time.now += 3600
        talk.ask_user("Now I am in a meeting: meetings, Internal")
        switched = await talk.call("start_timer", project="Internal", service="meetings")
        assert switched.structured["stopped_previous"]["hours"] == 1
        tools.time.now += 1800
        talk.ask_user("Stop, it was the weekly")
        stopped = await talk.call("stop_timer", note="the weekly")
        assert stored(tools, stopped.structured["entry"]["id"])["time"] == 30
        assert hours_on(tools, "2026-11-23") == [1.5]
        assert talk.calls == 3


async def test_workflow_19_timesheet_is_submitted_after_its_preview() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(tools, "Submit my timesheet of last week")
        asked = await talk.call("submit_timesheet", period="last_week")
        assert "missing" in asked.text
        talk.ask_user("Yes")
        token = asked.structured["error"]["confirm"]
        done = await talk.call("submit_timesheet", period="last_week", confirm=token)
        assert done.text.startswith("Submitted 7 of 7 days")
        days = {
            sheet.attributes["date"]
            for sheet in tools.world.state.all("timesheets")
            if (who := sheet.to_one("person")) is not None and who.id == "9104"
        }
        assert {f"2026-11-{day}" for day in range(16, 23)} <= days
        assert talk.calls == 2


async def test_workflow_25_entry_of_a_day_is_corrected_and_moved() -> None:
    async with simulated_tools() as tools:
        talk = Conversation(
            tools, "On friday I logged the wireframes: make that 2.5 hours, and move it to thursday"
        )
        found = await talk.call("list_time", period="friday")
        entry = next(
            row for row in found.structured["entries"] if "Wireframes" in row.get("note", "")
        )
        answer = await talk.call("update_time_entry", entry=entry["id"], hours=2.5, date="thursday")
        assert {one["field"] for one in answer.structured["changed"]} == {"hours", "date"}
        values = stored(tools, entry["id"])
        assert (values["time"], values["date"]) == (150, "2026-11-19")
        assert talk.calls == 2
