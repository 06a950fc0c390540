from __future__ import annotations

from typing import Any

from harness.mcpkit import SimulatedTools, person, principal, simulated_tools
from harness.tasktools import MANAGER, READ_ONLY, ask, ok, record, refused, state, undone, writes
from productive_dev.simulator.records import Record

TASKS = [
    {"title": "One", "project": "Website care", "todos": ["a", "b"]},
    {"title": "Two", "project": "Website care"},
]


async def error_of(tools: SimulatedTools, handle: str, who: Any = None) -> dict[str, Any]:
    before = state(tools)
    answer = await ask(tools, "undo", who, things=10, handle=handle)
    assert answer.is_error, answer.text
    assert state(tools) == before
    error: dict[str, Any] = answer.structured["error"]
    return error


async def test_creating_several_tasks_with_todos_is_taken_back_as_one() -> None:
    async with simulated_tools() as tools:
        before = state(tools)
        made = await ok(tools, "create_tasks", tasks=TASKS)
        answer = await undone(tools, made)
        assert state(tools) == before
        assert [one["done"] for one in answer["undone"]] == ["deleted"] * 4
        assert "task One (" in answer["undone"][-1]["what"]


async def test_a_handle_works_once() -> None:
    async with simulated_tools() as tools:
        made = await ok(tools, "create_tasks", tasks=TASKS)
        await undone(tools, made)
        assert (await error_of(tools, made["undo"]))["code"] == "undo_used"


async def test_what_somebody_changed_since_is_not_taken_back() -> None:
    async with simulated_tools() as tools:
        done = await ok(tools, "update_task", task="#87", status="In review", due="1 Dec")
        await ok(tools, "update_task", MANAGER, task="#87", due="2 Dec")
        error = await error_of(tools, done["undo"])
        assert error["code"] == "changed_since"
        assert "due" in error["message"]


async def test_a_change_of_another_field_does_not_matter() -> None:
    async with simulated_tools() as tools:
        done = await ok(tools, "update_task", task="#87", status="In review")
        await ok(tools, "update_task", MANAGER, task="#87", due="2 Dec")
        await undone(tools, done)
        task = record(tools, "tasks", "20510087")
        status = task.to_one("workflow_status")
        assert status is not None
        assert (status.id, task.attributes["due_date"]) == ("6101", "2026-12-02")


async def test_a_new_task_that_others_work_on_is_not_deleted() -> None:
    async with simulated_tools() as tools:
        made = await ok(tools, "create_tasks", tasks=TASKS)
        number = made["results"][0]["task"]["id"]
        comment = record(tools, "comments", "880011")
        tools.world.state.put(
            Record(
                "comments",
                "890001",
                comment.organization,
                comment.attributes,
                {**comment.relations, "task": record(tools, "tasks", number).ref},
            )
        )
        error = await error_of(tools, made["undo"])
        assert error["code"] == "changed_since"
        assert "1 comments" in error["message"]


async def test_what_was_deleted_since_is_not_taken_back() -> None:
    async with simulated_tools() as tools:
        made = await ok(tools, "create_tasks", tasks=TASKS[1:])
        number = made["results"][0]["task"]["id"]
        tools.world.state.remove(record(tools, "tasks", number))
        assert (await error_of(tools, made["undo"]))["code"] == "changed_since"


async def test_a_handle_is_of_one_person_and_fifteen_minutes() -> None:
    async with simulated_tools() as tools:
        made = await ok(tools, "create_tasks", tasks=TASKS)
        horvat = principal(
            person("simulator-ana-horvat", user_id=9105, email="h@northlight.example")
        )
        assert (await error_of(tools, made["undo"], horvat))["code"] == "undo_another_person"
        tools.time.now += 901
        assert (await error_of(tools, made["undo"]))["code"] == "undo_expired"


async def test_a_handle_that_was_never_issued_is_refused() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "undo", handle="undo_AAAA")
        assert error["code"] == "undo_unknown"
        assert not writes(tools)


async def test_a_reader_undoes_nothing() -> None:
    async with simulated_tools() as tools:
        made = await ok(tools, "create_tasks", tasks=TASKS)
        assert (await error_of(tools, made["undo"], READ_ONLY))["code"] == "not_allowed_here"
