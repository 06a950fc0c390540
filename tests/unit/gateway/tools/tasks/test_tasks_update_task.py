from __future__ import annotations

from typing import Any

import pytest

from harness.mcpkit import SimulatedTools, simulated_tools
from harness.tasktools import (
    READ_ONLY,
    ask,
    ok,
    record,
    refused,
    state,
    undone,
    writes,
)
from productive_dev.simulator.faults import Fault
from productive_dev.simulator.records import Record

WIREFRAMES = "20510087"


def task(tools: SimulatedTools, number: str = WIREFRAMES) -> Record:
    return record(tools, "tasks", number)


def target(found: Record, relation: str) -> str | None:
    ref = found.to_one(relation)
    return ref.id if ref else None


def changed(answer: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {
        one["field"]: (one.get("before"), one.get("after")) for one in answer.get("changed", [])
    }


async def test_a_status_is_set_by_its_name_with_one_write() -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "update_task", task="#87", status="in review")
        assert target(task(tools), "workflow_status") == "6103"
        before, after = changed(answer)["status"]
        assert (before, after) == ("To do (6101) · not started", "In review (6103) · started")
        assert answer["task"]["status"]["name"] == "In review"
        assert writes(tools) == [("PATCH", f"/tasks/{WIREFRAMES}")]


@pytest.mark.parametrize(
    ("given", "attributes", "relations"),
    [
        ({"title": " New  title "}, {"title": "New title"}, {}),
        ({"due": "1 Dec", "start": "none"}, {"due_date": "2026-12-01", "start_date": None}, {}),
        ({"due": "none"}, {"due_date": None}, {}),
        ({"assignee": "none"}, {}, {"assignee": None}),
        ({"assignee": "Marko Čavić"}, {}, {"assignee": "9103"}),
        # 3.25 h were worked, so 6.75 of 10 h remain.
        ({"estimate_hours": 10}, {"initial_estimate": 600, "remaining_time": 405}, {}),
        ({"estimate_hours": 1}, {"initial_estimate": 60, "remaining_time": 0}, {}),
        ({"remaining_hours": "2:30"}, {"initial_estimate": 480, "remaining_time": 150}, {}),
        (
            {"estimate_hours": 4, "remaining_hours": 3},
            {"initial_estimate": 240, "remaining_time": 180},
            {},
        ),
        ({"task_list": "52011"}, {}, {"task_list": "52011"}),
        (
            {"add_tags": ["urgent"], "remove_tags": ["Design"]},
            {"tag_list": ["urgent"]},
            {},
        ),
        ({"add_tags": "urgent"}, {"tag_list": ["design", "urgent"]}, {}),
        ({"status": "done"}, {"closed": True}, {"workflow_status": "6104"}),
    ],
)
async def test_fields_are_written_and_nothing_else_changes(
    given: dict[str, Any], attributes: dict[str, Any], relations: dict[str, Any]
) -> None:
    async with simulated_tools() as tools:
        before = state(tools)
        await ok(tools, "update_task", task="#87", **given)
        found = task(tools)
        assert {name: found.attributes[name] for name in attributes} == attributes
        assert {name: target(found, name) for name in relations} == relations
        after = state(tools)
        moved = {f"tasks/{WIREFRAMES}"}
        if "task_list" in given:
            # Subtasks are where their parent is.
            moved |= {f"tasks/{number}" for number in ("20510092", "20510093", "20510094")}
        assert {key for key in after if after[key] != before.get(key)} == moved


async def test_custom_fields_are_merged_by_name_and_shown_by_name() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools,
            "update_task",
            task="#87",
            custom_fields={"Priority": "low", "Story points": "none", "Release date": "1 Dec"},
        )
        assert task(tools).attributes["custom_fields"] == {
            "3311": "48122",
            "3312": ["48131"],
            "3314": "2026-12-01",
            "3315": "9103",
        }
        assert changed(answer) == {
            "Priority": ("High", "Low"),
            "Story points": ("5", None),
            "Release date": (None, "2026-12-01"),
        }


@pytest.mark.parametrize(
    ("mode", "expected"), [("replace", "More"), ("append", "Three variants desktop tablet More")]
)
async def test_the_description_is_replaced_or_added_to(mode: str, expected: str) -> None:
    async with simulated_tools() as tools:
        await ok(tools, "update_task", task="#87", description="More", description_mode=mode)
        answer = await ok(tools, "get_task", task="#87")
        words = answer["task"]["description"].replace("-", " ").split()
        assert " ".join(words) == expected


async def test_todos_are_added_closed_and_reopened_by_their_text() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools,
            "update_task",
            task="#87",
            add_todos=["Send it"],
            close_todos=["mobile variant"],
            reopen_todos=["77122"],
        )
        closed = {
            one.attributes["description"]: one.attributes["closed"]
            for one in tools.world.state.pointing("todos", "task", task(tools).ref)
        }
        assert closed == {
            "Mobile variant": True,
            "Ask for the logo": True,
            "Check contrast": False,
            "Send it": False,
        }
        assert changed(answer)["todo Mobile variant"] == ("open", "done")
        assert not any(method == "PATCH" and "/tasks" in path for method, path in writes(tools))


async def test_dependencies_are_added_and_removed_by_the_other_task() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools,
            "update_task",
            task="#87",
            blocks=["#89"],
            relates_to=["Go-live"],
            remove_dependencies=["#88"],
        )
        found = {
            (one.attributes["type_id"], target(one, "dependent_task"))
            for one in tools.world.state.pointing("task_dependencies", "task", task(tools).ref)
        }
        assert found == {(1, "20510089"), (3, "20510095")}
        assert sum(one["field"] == "dependency" for one in answer["changed"]) == 3
        again = await ok(tools, "update_task", task="#87", blocks=["#89"])
        assert "changed" not in again


async def test_a_task_is_placed_beside_another() -> None:
    async with simulated_tools() as tools:
        await ok(tools, "update_task", task="#87", move_after="#90")
        listed = await ok(tools, "list_tasks", project="relaunch", sort="position")
        ids = [one["id"] for one in listed["tasks"]]
        assert ids.index(WIREFRAMES) == ids.index("20510090") + 1


async def test_closing_with_a_comment_is_one_call() -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "update_task", task="#13", status="done", comment="All **done**")
        assert record(tools, "tasks", "20510113").attributes["closed"]
        comment = record(tools, "comments", answer["comment"]["id"])
        assert target(comment, "task") == "20510113"
        # No client has access to this project, so colleagues must be able to see it.
        assert comment.attributes["hidden"] is False
        assert len(writes(tools)) == 2


async def test_open_subtasks_of_a_closed_task_are_told() -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "update_task", task="#87", status="done")
        assert "2 subtasks stay open." in answer["warnings"]
        assert not record(tools, "tasks", "20510092").attributes["closed"]


async def test_what_is_so_already_is_a_success_without_a_write() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools,
            "update_task",
            task="#87",
            status="To do",
            assignee="me",
            due="2026-11-27",
            add_tags=["design"],
            close_todos=["77121"],
            custom_fields={"Priority": "High"},
        )
        assert "changed" not in answer
        assert "undo" not in answer
        assert not writes(tools)


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({"task": "#12", "status": "done"}, "ambiguous_reference", "task"),
        ({"status": "Launched"}, "unknown_reference", "status"),
        ({"assignee": "Ana"}, "ambiguous_reference", "assignee"),
        ({"assignee": "Ivo Perić"}, "not_in_use", "assignee"),
        ({"due": "someday"}, "invalid_value", "due"),
        ({"start": "2026-12-24"}, "invalid_value", "due"),
        ({"task_list": "Backlog"}, "ambiguous_reference", "task_list"),
        ({"custom_fields": {"Priority": "Urgent"}}, "unknown_reference", "custom_fields.Priority"),
        ({"close_todos": ["Nothing"]}, "unknown_reference", "close_todos[0]"),
        ({"blocks": ["#87"]}, "invalid_value", "blocks[0]"),
        ({"blocked_by": ["no such task"]}, "unknown_reference", "blocked_by[0]"),
        ({"remove_dependencies": ["#91"]}, "unknown_reference", "remove_dependencies[0]"),
        ({"move_before": "#88", "move_after": "#89"}, "invalid_value", "move_before"),
        ({"status": "In review", "assignee": "Nobody At All"}, "unknown_reference", "assignee"),
    ],
)
async def test_everything_is_checked_before_the_first_write(
    arguments: dict[str, Any], code: str, field: str
) -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "update_task", **{"task": "#87", **arguments})
        assert (error["code"], error["field"]) == (code, field)


async def test_somebody_outside_of_the_project_is_refused_with_what_to_do() -> None:
    async with simulated_tools() as tools:
        answer = await ask(tools, "update_task", task="Onboarding screens", assignee="Mia Dorn")
        error = answer.structured["error"]
        assert error["code"] == "not_a_member"
        assert target(record(tools, "tasks", "20510212"), "assignee") == "9104"


async def test_a_later_write_that_fails_is_told_beside_what_was_done() -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(method="POST", path="/comments", status=403)])
        answer = await ok(tools, "update_task", task="#13", status="done", comment="Done")
        assert record(tools, "tasks", "20510113").attributes["closed"]
        (failed,) = answer["failed"]
        assert failed["code"] == "forbidden"
        assert failed["message"].startswith("comment: ")


@pytest.mark.parametrize(
    "arguments",
    [
        {"status": "done", "due": "none", "assignee": "none", "estimate_hours": 10},
        {"title": "Another title", "add_tags": ["x"], "remove_tags": ["design"]},
        {"description": "Quite another text", "custom_fields": {"Priority": "Low"}},
        {"add_todos": ["a", "b"], "close_todos": ["Mobile variant"], "comment": "Hello"},
        {"blocks": ["#89"], "remove_dependencies": ["#88"]},
        {"task_list": "52011", "move_after": "#90"},
    ],
)
async def test_undo_brings_back_what_was_before(arguments: dict[str, Any]) -> None:
    async with simulated_tools() as tools:
        before = state(tools)
        order = [one["id"] for one in (await in_order(tools))]
        answer = await ok(tools, "update_task", task="#87", **arguments)
        assert state(tools) != before or "move_after" in arguments
        await undone(tools, answer)
        assert state(tools) == before
        assert [one["id"] for one in (await in_order(tools))] == order


async def test_what_is_too_large_to_be_put_back_is_said() -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "update_task", task="#88", description="Short")
        assert "undo" not in answer
        assert any("cannot be undone with a handle" in one for one in answer["warnings"])


async def in_order(tools: SimulatedTools) -> list[dict[str, Any]]:
    listed = await ok(tools, "list_tasks", project="relaunch", sort="position", state="all")
    tasks: list[dict[str, Any]] = listed["tasks"]
    return tasks


async def test_a_reader_changes_nothing() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "update_task", READ_ONLY, task="#87", status="done")
        assert error["code"] == "not_allowed_here"
