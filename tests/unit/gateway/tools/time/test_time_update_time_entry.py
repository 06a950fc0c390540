from __future__ import annotations

from typing import Any

import pytest

from harness.mcpkit import person, principal, simulated_tools
from harness.timetools import MANAGER, stored
from harness.toolkit import said_alike
from productive_contract.mapping import Access
from productive_dev.simulator.faults import Fault
from productive_gateway.tools.time.update_time_entry import update_time_entry

ENTRY = "163000515"
"""Ana's, on Friday 2026-11-20: 2 h of Mobile app / Design / Onboarding screens, "Sprint work"."""


@pytest.mark.parametrize(
    ("arguments", "changed", "attributes", "links"),
    [
        ({"hours": 1.5}, [("hours", "2.00 h", "1.50 h")], {"time": 90}, {}),
        ({"hours": "1:30"}, [("hours", "2.00 h", "1.50 h")], {"time": 90}, {}),
        (
            {"date": "thursday"},
            [("date", "2026-11-20", "2026-11-19")],
            {"date": "2026-11-19", "time": 120},
            {},
        ),
        ({"note": "a < b"}, [("note", "Sprint work", "a < b")], {"note": "a &lt; b"}, {}),
        ({"note": "none"}, [("note", "Sprint work", None)], {"note": None}, {}),
        ({"billable_hours": 1}, [("billable", "2.00 h", "1.00 h")], {"billable_time": 60}, {}),
        (
            {"start": "09:00", "end": "10:00"},
            [("from", None, "2026-11-20T09:00+01:00"), ("hours", "2.00 h", "1.00 h")],
            {"time": 60, "started_at": "2026-11-20T09:00:00.000+01:00"},
            {},
        ),
        (
            {"task": "none"},
            [("task", "Onboarding screens (20510212) · number 12", None)],
            {},
            {"task": None, "service": "16880042"},
        ),
        (
            {"project": "Website relaunch (30201)", "service": "Design"},
            [
                ("service", "Design (16880042)", "Design (16880011)"),
                ("task", "Onboarding screens (20510212) · number 12", None),
                ("project", "Mobile app (30203)", "Website relaunch (30201)"),
            ],
            {"time": 120},
            {"service": "16880011", "task": None},
        ),
        (
            {"task": "Design tokens"},
            [
                ("service", "Design (16880042)", "Design (16880011)"),
                (
                    "task",
                    "Onboarding screens (20510212) · number 12",
                    "Design tokens (20510088) · number 88",
                ),
                ("project", "Mobile app (30203)", "Website relaunch (30201)"),
            ],
            {},
            {"service": "16880011", "task": "20510088"},
        ),
        (
            {"service": "Project management"},
            [("service", "Design (16880042)", "Project management (16880045)")],
            {},
            {"service": "16880045", "task": "20510212"},
        ),
        ({"hours": 2, "note": "Sprint work", "task": "#12"}, [], {"time": 120}, {}),
        ({}, [], {"time": 120}, {}),
    ],
)
async def test_entry_is_corrected_and_moved(
    arguments: dict[str, Any],
    changed: list[tuple[str, str | None, str | None]],
    attributes: dict[str, Any],
    links: dict[str, str | None],
) -> None:
    async with simulated_tools() as tools:
        answer = await tools.call("update_time_entry", entry=ENTRY, **arguments)
        said_alike(answer, update_time_entry)
        told = [
            (one["field"], one.get("before"), one.get("after"))
            for one in answer.structured.get("changed", [])
        ]
        assert sorted(told) == sorted(changed)
        assert {name: stored(tools, ENTRY)[name] for name in attributes} == attributes
        record = tools.world.state.get("time_entries", ENTRY)
        assert record is not None
        for name, number in links.items():
            ref = record.to_one(name)
            assert (ref.id if ref else None) == number
        assert len(tools.requests("PATCH")) == bool(changed)
        assert len(tools.requests()) - 1 <= update_time_entry.cost.reads + 1


@pytest.mark.parametrize("form", [ENTRY, f"({ENTRY})", int(ENTRY)])
async def test_entry_is_named_as_answers_show_it(form: Any) -> None:
    async with simulated_tools() as tools:
        answer = await tools.call("update_time_entry", entry=form, hours=1)
        assert answer.structured["entry"]["hours"] == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"invoiced": True}, "it is invoiced"),
        ({"submitted": True}, "its day is submitted"),
        ({"date": "2026-09-15"}, "the books are closed up to 2026-09-30"),
    ],
)
async def test_locked_entry_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    async with simulated_tools() as tools:
        stored(tools, ENTRY).update(change)
        answer = await tools.call("update_time_entry", entry=ENTRY, hours=1)
        said_alike(answer)
        assert answer.structured["error"]["code"] == "period_locked"
        assert reason in answer.structured["error"]["message"]
        assert tools.requests("PATCH") == []


async def test_approved_entry_is_locked_only_where_somebody_approves() -> None:
    async with simulated_tools() as tools:
        deal = tools.world.state.get("deals", "4287004")
        assert deal is not None
        deal.attributes["time_approval"] = True  # type: ignore[index]
        answer = await tools.call("update_time_entry", entry=ENTRY, hours=1)
        assert "it is approved" in answer.structured["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({"entry": "the one of yesterday"}, "invalid_value", "entry"),
        ({"entry": "1"}, "not_found", None),
        ({"hours": "two days"}, "invalid_value", "hours"),
        ({"date": "someday"}, "invalid_value", "date"),
        ({"start": "09:00"}, "invalid_value", "start"),
        ({"date": "2026-11-10"}, "day_submitted", "date"),
        ({"date": "2026-09-10"}, "period_locked", "date"),
        ({"date": "tomorrow"}, "policy_violation", "date"),
        ({"hours": 23}, "invalid_value", "hours"),
        ({"project": "website"}, "ambiguous_reference", "project"),
        ({"project": "relaunch"}, "ambiguous_reference", "service"),
        ({"project": "Bakery shop"}, "not_in_use", "project"),
        ({"service": "16880012"}, "cannot_track", "service"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_written(
    arguments: dict[str, Any], code: str, field: str | None
) -> None:
    async with simulated_tools() as tools:
        before = dict(stored(tools, ENTRY))
        answer = await tools.call("update_time_entry", **{"entry": ENTRY, **arguments})
        said_alike(answer)
        assert answer.structured["error"]["code"] == code
        assert answer.structured["error"].get("field") == field
        assert dict(stored(tools, ENTRY)) == before


async def test_change_is_undone() -> None:
    async with simulated_tools() as tools:
        before = dict(stored(tools, ENTRY))
        answer = await tools.call(
            "update_time_entry", entry=ENTRY, hours=1, date="thursday", note="x", task="none"
        )
        undone = await tools.call("undo", handle=answer.structured["undo"])
        assert not undone.is_error, undone.text
        after = dict(stored(tools, ENTRY))
        for name in ("date", "time", "note"):
            assert after[name] == before[name]
        record = tools.world.state.get("time_entries", ENTRY)
        assert record is not None
        task = record.to_one("task")
        assert task is not None
        assert task.id == "20510212"


async def test_entry_of_somebody_else_is_confirmed_first() -> None:
    async with simulated_tools() as tools:
        asked = await tools.call("update_time_entry", MANAGER, entry=ENTRY, hours=1)
        said_alike(asked)
        assert asked.structured["error"]["code"] == "needs_confirmation"
        assert stored(tools, ENTRY)["time"] == 120
        token = asked.structured["error"]["confirm"]
        done = await tools.call("update_time_entry", MANAGER, entry=ENTRY, hours=1, confirm=token)
        assert not done.is_error, done.text
        assert stored(tools, ENTRY)["time"] == 60


async def test_colleague_does_not_see_the_entry() -> None:
    async with simulated_tools() as tools:
        luca = principal(person("simulator-luca-moretti", user_id=9107))
        answer = await tools.call("update_time_entry", luca, entry=ENTRY, hours=1)
        assert answer.structured["error"]["code"] == "not_found"


async def test_read_only_person_changes_nothing() -> None:
    async with simulated_tools() as tools:
        reader = principal(person(access=Access(read_only=True)))
        answer = await tools.call("update_time_entry", reader, entry=ENTRY, hours=1)
        assert answer.structured["error"]["code"] == "not_allowed_here"


async def test_lost_answer_is_unknown() -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(method="PATCH", cut=True, applied=True)])
        answer = await tools.call("update_time_entry", entry=ENTRY, hours=1)
        assert answer.structured["error"]["code"] == "timeout"


async def test_holiday_and_too_many_billable_hours_are_warned_of() -> None:
    async with simulated_tools() as tools:
        answer = await tools.call(
            "update_time_entry", entry=ENTRY, date="2026-11-18", billable_hours=5
        )
        said_alike(answer, update_time_entry)
        told = " ".join(answer.structured["warnings"])
        assert "holiday (Remembrance Day)" in told
        assert "billable hours (5.00) are more" in told


async def test_implied_service_is_named() -> None:
    async with simulated_tools() as tools:
        answer = await tools.call("update_time_entry", entry=ENTRY, project="Company website")
        hows = [one["how"] for one in answer.structured["resolved"]]
        assert "only service you can track on" in hows
