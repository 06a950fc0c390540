from __future__ import annotations

from dataclasses import replace

import pytest

from harness.mcpkit import person, principal, simulated_tools
from harness.tasktools import READ_ONLY, ask, confirmed, ok, record, refused, state
from productive_contract.mapping import Access
from productive_dev.simulator.records import Ref
from productive_gateway.tools.core.delete_item import delete_item
from productive_gateway.tools.registry import TOOLS

WITHOUT_TASKS = principal(person(access=Access(toolsets=("core",))))


@pytest.mark.parametrize(
    ("kind", "item", "collection", "says"),
    [
        ("task", "20510092", "tasks", ("Mobile variant (20510092)", "Website relaunch")),
        ("task", "Mobile variant (20510092)", "tasks", ()),
        ("task", "https://app.productive.io/1200/tasks/20510092", "tasks", ()),
        ("todo", "77121", "todos", ("Ask for the logo",)),
        ("comment", "880012", "comments", ("Looks good, please check spacing.", "Ana Kovač")),
        ("dependency", "(64001)", "task_dependencies", ("Design tokens",)),
    ],
)
async def test_the_user_sees_what_goes_before_it_is_deleted_for_good(
    kind: str, item: str, collection: str, says: tuple[str, ...]
) -> None:
    async with simulated_tools() as tools:
        answer = await confirmed(tools, "delete_item", says=says, kind=kind, item=item)
        assert tools.world.state.get(collection, answer["id"]) is None
        assert "undo" not in answer
        last = await ask(tools, "delete_item", kind=kind, item=item)
        assert last.structured["error"]["code"] == "not_found"


async def test_a_time_entry_is_deleted_by_whoever_may_track_time() -> None:
    # A tool of the toolset time, so that the toolset is switched on.
    timed = replace(delete_item, name="time_tool", toolset="time")
    async with simulated_tools(tools=(*TOOLS, timed)) as tools:
        entry = next(
            one
            for one in tools.world.state.all("time_entries")
            if one.to_one("person") == Ref("people", "9104")
            and one.attributes["date"] > "2026-11-15"
        )
        answer = await confirmed(
            tools, "delete_item", says=("Ana Kovač (9104)",), kind="time_entry", item=entry.id
        )
        assert answer["kind"] == "time_entry"
        assert tools.world.state.get("time_entries", entry.id) is None


async def test_the_answer_says_that_it_cannot_be_undone() -> None:
    async with simulated_tools() as tools:
        asked = await ask(tools, "delete_item", kind="todo", item="77121")
        token = asked.structured["error"]["confirm"]
        answer = await ask(tools, "delete_item", kind="todo", item="77121", confirm=token)
        assert answer.text.startswith(
            "Deleted the todo Ask for the logo (77121). This cannot be undone."
        )


async def test_what_goes_with_a_task_is_counted() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "delete_item", kind="task", item="20510087")
        for words in ("3 subtasks, 3 todos, 4 comments", "time that was tracked on it stays"):
            assert words in error["message"]


async def test_a_confirmation_is_void_once_more_would_be_lost() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "delete_item", kind="task", item="20510092")
        await ok(tools, "update_task", task="20510092", add_todos=["New"])
        before = state(tools)
        answer = await ask(
            tools, "delete_item", kind="task", item="20510092", confirm=error["confirm"]
        )
        assert answer.structured["error"]["code"] == "confirm_changed"
        assert state(tools) == before


@pytest.mark.parametrize(
    ("kind", "item", "code"),
    [
        ("task", "Mobile variant", "invalid_value"),
        ("task", "#92", "invalid_value"),
        ("task", "https://app.productive.io/1200/projects/30201", "invalid_value"),
        ("task", "20510901", "not_found"),
        ("comment", "880301", "not_found"),
        ("comment", "999", "not_found"),
        ("page", "81001", "invalid_value"),
    ],
)
async def test_only_an_id_of_a_visible_thing_is_taken(kind: str, item: str, code: str) -> None:
    async with simulated_tools() as tools:
        assert (await refused(tools, "delete_item", kind=kind, item=item))["code"] == code


async def test_somebody_elses_comment_is_refused_by_productive() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "delete_item", kind="comment", item="880011")
        answer = await ask(
            tools, "delete_item", kind="comment", item="880011", confirm=error["confirm"]
        )
        assert answer.structured["error"]["code"] == "forbidden"
        assert record(tools, "comments", "880011")


async def test_access_decides_what_may_be_deleted() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "delete_item", READ_ONLY, kind="todo", item="77121")
        assert error["code"] == "not_allowed_here"
        error = await refused(tools, "delete_item", WITHOUT_TASKS, kind="todo", item="77121")
        assert error["code"] == "not_allowed_here"


async def test_orders_in_a_comment_stay_within_the_preview() -> None:
    async with simulated_tools() as tools:
        answer = await ask(tools, "delete_item", kind="comment", item="880014")
        assert not any(line.startswith("#") for line in answer.text.splitlines())
