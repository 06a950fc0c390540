from __future__ import annotations

from typing import Any

import pytest

from harness.mcpkit import SimulatedTools, simulated_tools
from harness.tasktools import READ_ONLY, ask, confirmed, ok, record, refused, state, undone, writes
from productive_dev.simulator.records import Record


def in_order(tools: SimulatedTools, kind: str, project: str) -> list[str]:
    found = [
        one
        for one in tools.world.state.all(kind)
        if (home := one.to_one("project")) is not None and home.id == project
    ]
    key = "placement" if kind == "task_lists" else "position"
    return [one.id for one in sorted(found, key=lambda one: int(one.attributes[key] or 0))]


def target(found: Record, relation: str) -> str | None:
    ref = found.to_one(relation)
    return ref.id if ref else None


async def test_a_new_list_is_in_the_only_folder_and_known_at_once() -> None:
    async with simulated_tools() as tools:
        await ok(tools, "list_tasks", project="Website care", task_list="Backlog")
        answer = await ok(
            tools, "organize_project", project="Website care", action="create", name="Sprint 13"
        )
        made = record(tools, "task_lists", answer["task_list"]["id"])
        assert (made.attributes["name"], target(made, "folder")) == ("Sprint 13", "41002")
        task = {"title": "New", "project": "Website care", "task_list": "Sprint 13"}
        placed = await ok(tools, "create_tasks", tasks=[task])
        assert placed["results"][0]["task"]["list"]["id"] == made.id


async def test_a_folder_is_created_and_taken_back_by_archiving_it() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools,
            "organize_project",
            project="relaunch",
            kind="folder",
            action="create",
            name="Phase 2",
        )
        number = answer["folder"]["id"]
        assert target(record(tools, "folders", number), "project") == "30201"
        back = await undone(tools, answer)
        assert back["undone"] == [{"done": "archived", "what": f"folder Phase 2 ({number})"}]
        # Productive deletes neither folders nor lists.
        assert record(tools, "folders", number).attributes["archived_at"] is not None


@pytest.mark.parametrize(
    ("arguments", "attribute", "relation"),
    [
        ({"action": "rename", "item": "Sprint 12", "name": "Sprint 13"}, "Sprint 13", "41001"),
        ({"action": "move", "item": "Sprint 12", "to": "Ideas"}, "Sprint 12", "41901"),
    ],
)
async def test_lists_are_renamed_and_moved_and_undo_brings_them_back(
    arguments: dict[str, Any], attribute: str, relation: str
) -> None:
    async with simulated_tools() as tools:
        before = state(tools)
        answer = await ok(tools, "organize_project", project="relaunch", **arguments)
        found = record(tools, "task_lists", "52010")
        assert (found.attributes["name"], target(found, "folder")) == (attribute, relation)
        await undone(tools, answer)
        assert state(tools) == before


async def test_the_user_is_asked_before_a_list_is_archived() -> None:
    async with simulated_tools() as tools:
        before = state(tools)
        answer = await confirmed(
            tools,
            "organize_project",
            says=("Archive the task list", "Sprint 12 (52020)", "2 open tasks"),
            project="Website care",
            action="archive",
            item="Sprint 12",
        )
        assert record(tools, "task_lists", "52020").attributes["archived_at"] is not None
        assert any("stay open" in one for one in answer["warnings"])
        await undone(tools, answer)
        assert state(tools) == before


async def test_an_archived_list_is_restored_at_once() -> None:
    async with simulated_tools() as tools:
        arguments = {"project": "relaunch", "action": "restore", "item": "Sprint 11"}
        await ok(tools, "organize_project", **arguments)
        assert record(tools, "task_lists", "52902").attributes["archived_at"] is None
        again = await ok(tools, "organize_project", **arguments)
        assert "undo" not in again
        assert len(writes(tools)) == 1


@pytest.mark.parametrize(
    ("arguments", "kind", "expected"),
    [
        ({"item": "Sprint 12", "after": "52011"}, "task_lists", ["52011", "52010"]),
        ({"item": "52011", "before": "Sprint 12"}, "task_lists", ["52011", "52010"]),
        ({"kind": "folder", "item": "Ideas", "before": "Delivery"}, "folders", ["41901", "41001"]),
    ],
)
async def test_lists_and_folders_are_put_in_order_and_back(
    arguments: dict[str, Any], kind: str, expected: list[str]
) -> None:
    async with simulated_tools() as tools:
        before = in_order(tools, kind, "30201")
        answer = await ok(
            tools, "organize_project", project="relaunch", action="reposition", **arguments
        )
        assert in_order(tools, kind, "30201")[:2] == expected
        await undone(tools, answer)
        assert in_order(tools, kind, "30201") == before


async def test_a_list_is_copied_under_another_name_once() -> None:
    async with simulated_tools() as tools:
        arguments = {
            "project": "relaunch",
            "action": "copy",
            "item": "Sprint 12",
            "name": "Sprint 15",
        }
        answer = await ok(tools, "organize_project", **arguments)
        made = record(tools, "task_lists", answer["task_list"]["id"])
        assert (made.attributes["name"], target(made, "folder")) == ("Sprint 15", "41001")
        again = await ask(tools, "organize_project", **arguments)
        assert again.structured["error"]["code"] == "duplicate"


async def test_the_user_is_asked_before_something_goes_to_another_project() -> None:
    async with simulated_tools() as tools:
        answer = await confirmed(
            tools,
            "organize_project",
            says=("Move the task list to Website care (30202)", "Backlog (52011)"),
            project="relaunch",
            action="move",
            item="52011",
            to_project="Website care",
        )
        assert target(record(tools, "task_lists", "52011"), "project") == "30202"
        assert "undo" not in answer
        assert any("cannot be undone" in one for one in answer["warnings"])


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({"action": "create", "name": "x"}, "missing_folder", "to"),
        ({"action": "create", "to": "Ideas"}, "invalid_value", "name"),
        ({"action": "create", "to": "Ideas", "name": "backlog"}, "duplicate", "name"),
        ({"action": "create", "to": "Phase 1", "name": "x"}, "not_in_use", "to"),
        ({"action": "rename", "name": "x"}, "invalid_value", "item"),
        ({"action": "rename", "item": "Backlog", "name": "x"}, "ambiguous_reference", "item"),
        ({"action": "archive", "item": "Sprint 99"}, "unknown_reference", "item"),
        ({"action": "reposition", "item": "Sprint 12"}, "invalid_value", "before"),
        ({"action": "move", "item": "Sprint 12"}, "missing_folder", "to"),
        ({"action": "move", "kind": "folder", "item": "Ideas"}, "invalid_value", "to_project"),
        ({"action": "delete", "item": "Sprint 12"}, "invalid_value", "action"),
        ({"project": "Bakery shop", "action": "create", "name": "x"}, "not_in_use", "project"),
        ({"project": "Rebrand", "action": "create", "name": "x"}, "ambiguous_reference", "project"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    arguments: dict[str, Any], code: str, field: str
) -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "organize_project", **{"project": "relaunch", **arguments})
        assert (error["code"], error["field"]) == (code, field)


async def test_a_reader_organizes_nothing() -> None:
    async with simulated_tools() as tools:
        error = await refused(
            tools,
            "organize_project",
            READ_ONLY,
            project="Website care",
            action="create",
            name="x",
        )
        assert error["code"] == "not_allowed_here"
