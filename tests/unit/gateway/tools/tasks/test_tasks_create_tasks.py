from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from harness.mcpkit import SimulatedTools, person, principal, simulated_tools
from harness.tasktools import READ_ONLY, ask, ok, record, refused, writes
from productive_dev.simulator.faults import Fault
from productive_dev.simulator.records import Record

CARE = {"title": "Check the contact form", "project": "Website care"}


async def created(tools: SimulatedTools, **task: Any) -> Record:
    """Create one task and return it as the simulator holds it."""
    answer = await ok(tools, "create_tasks", tasks=[{**CARE, **task}])
    (result,) = answer["results"]
    assert result["ok"]
    return record(tools, "tasks", result["task"]["id"])


def target(task: Record, relation: str) -> str | None:
    found = task.to_one(relation)
    return found.id if found else None


async def test_a_task_is_created_from_names_in_one_call() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools, "create_tasks", tasks=[{**CARE, "assignee": "me", "due": "friday"}]
        )
        (result,) = answer["results"]
        task = record(tools, "tasks", result["task"]["id"])
        assert task.attributes["title"] == "Check the contact form"
        assert task.attributes["due_date"] == "2026-11-27"
        assert (target(task, "project"), target(task, "assignee")) == ("30202", "9104")
        assert result["task"]["url"].endswith(f"/tasks/{task.id}")
        assert writes(tools) == [("POST", "/tasks")]


@pytest.mark.parametrize(
    ("given", "attributes", "relations"),
    [
        ({"estimate_hours": "1:30"}, {"initial_estimate": 90, "remaining_time": 90}, {}),
        ({"start": "1.12.", "due": "3.12."}, {"start_date": "2026-12-01"}, {}),
        ({"tags": ["a", "b", "a"]}, {"tag_list": ["a", "b"]}, {}),
        ({"tags": "urgent"}, {"tag_list": ["urgent"]}, {}),
        ({"milestone": True}, {"type_id": 3}, {}),
        ({"status": "In review"}, {"closed": False}, {"workflow_status": "6103"}),
        ({"status": "done"}, {"closed": True}, {"workflow_status": "6104"}),
        ({"task_list": "Sprint 12"}, {}, {"task_list": "52020"}),
        ({}, {}, {"task_list": "52021"}),
        ({"parent": "#13"}, {}, {"parent_task": "20510113", "task_list": "52020"}),
        (
            {"custom_fields": {"Priority": "high", "Labels": ["UX", "Copy"], "story points": "3"}},
            {"custom_fields": {"3311": "48120", "3312": ["48131", "48132"], "3313": 3}},
            {},
        ),
        (
            {"custom_fields": {"Release date": "1 Dec", "Reviewer": "Marko Čavić"}},
            {"custom_fields": {"3314": "2026-12-01", "3315": "9103"}},
            {},
        ),
        ({"assignee": "marko.cavic@northlight.example"}, {}, {"assignee": "9103"}),
        ({"assignee": "", "due": None, "parent": 0}, {"due_date": None}, {"assignee": None}),
    ],
)
async def test_fields_are_written_as_productive_has_them(
    given: dict[str, Any], attributes: dict[str, Any], relations: dict[str, Any]
) -> None:
    async with simulated_tools() as tools:
        task = await created(tools, **given)
        assert {name: task.attributes[name] for name in attributes} == attributes
        assert {name: target(task, name) for name in relations} == relations


async def test_the_description_is_markdown_and_stored_as_html() -> None:
    async with simulated_tools() as tools:
        task = await created(tools, description="if x<5 then stop")
        assert "x&lt;5" in task.attributes["description"]
        answer = await ok(tools, "get_task", task=task.id)
        assert answer["task"]["description"] == "if x<5 then stop"


async def test_several_tasks_are_one_bulk_request_and_one_for_all_todos() -> None:
    async with simulated_tools() as tools:
        tasks = [{**CARE, "title": f"Part {n}", "todos": ["first", "second"]} for n in range(5)]
        answer = await ok(tools, "create_tasks", tasks=tasks)
        assert [one["task"]["name"] for one in answer["results"]] == [t["title"] for t in tasks]
        assert writes(tools) == [("POST", "/tasks"), ("POST", "/todos")]
        for one in answer["results"]:
            task = record(tools, "tasks", one["task"]["id"])
            todos = list(tools.world.state.pointing("todos", "task", task.ref))
            assert [todo.attributes["description"] for todo in todos] == ["first", "second"]


async def test_a_list_that_came_as_json_text_is_understood() -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "create_tasks", tasks=json.dumps([CARE]))
        assert answer["results"][0]["ok"]
        one = await ok(tools, "create_tasks", tasks={**CARE, "title": "Another"})
        assert one["results"][0]["ok"]


@pytest.mark.parametrize(
    "project", [30202, "30202", "P-15", "Website care (30202)", "Blue Harbor / Website care"]
)
async def test_a_project_is_taken_in_every_form_that_answers_show(project: Any) -> None:
    async with simulated_tools() as tools:
        task = await created(tools, project=project)
        assert target(task, "project") == "30202"


async def test_a_project_that_was_just_made_is_found() -> None:
    async with simulated_tools() as tools:
        await created(tools)
        made = replace(record(tools, "projects", "30202"), id="30999")
        tools.world.state.put(made.with_attributes(name="Brand new", number="99"))
        tools.time.now += 60
        task_list = replace(record(tools, "task_lists", "52021"), id="52999")
        tools.world.state.put(task_list.with_relations(project=made.ref))
        task = await created(tools, project="Brand new")
        assert (target(task, "project"), target(task, "task_list")) == ("30999", "52999")


async def test_the_same_call_twice_writes_once_and_names_the_twin() -> None:
    async with simulated_tools() as tools:
        first = await ok(tools, "create_tasks", tasks=[CARE])
        again = await ok(
            tools, "create_tasks", tasks=[{**CARE, "title": "check the  contact form"}]
        )
        (result,) = again["results"]
        assert result["duplicate_of"]["id"] == first["results"][0]["task"]["id"]
        assert "ok" not in result
        assert writes(tools) == [("POST", "/tasks")]
        forced = await ok(tools, "create_tasks", tasks=[CARE], allow_duplicate=True)
        assert forced["results"][0]["ok"]


async def test_an_old_task_of_the_same_title_is_no_duplicate() -> None:
    async with simulated_tools() as tools:
        task = await created(tools, title="Banner for the autumn sale")
        assert task.id != "20510113"


async def test_one_task_that_fails_does_not_stop_the_others() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools,
            "create_tasks",
            things=2,
            tasks=[{"title": "A", "project": "relaunch"}, CARE],
        )
        failed, made = answer["results"]
        assert failed["error"]["code"] == "missing_task_list"
        assert {one["id"] for one in failed["error"]["candidates"]} == {"52011", "52901"}
        assert made["ok"]
        assert len(writes(tools)) == 1


async def test_what_productive_refuses_in_bulk_is_told_per_task() -> None:
    async with simulated_tools() as tools:
        mobile = {"project": "Mobile app", "custom_fields": {"Platform": "iOS"}}
        answer = await ok(
            tools,
            "create_tasks",
            things=2,
            tasks=[
                {**mobile, "title": "One", "assignee": "Mia Dorn"},
                {**mobile, "title": "Two", "assignee": "me"},
            ],
        )
        failed, made = answer["results"]
        assert failed["error"]["code"] == "not_a_member"
        assert made["ok"]
        titles = [one.attributes["title"] for one in tools.world.state.all("tasks")]
        assert (titles.count("One"), titles.count("Two")) == (0, 1)


@pytest.mark.parametrize(
    ("task", "code", "field"),
    [
        ({"title": "A"}, "invalid_value", "tasks[0].project"),
        ({"project": "Website care"}, "invalid_value", "tasks[0].title"),
        ({"title": "A", "project": "relaunch"}, "missing_task_list", "tasks[0].task_list"),
        ({"title": "A", "project": "Rebrand"}, "ambiguous_reference", "tasks[0].project"),
        ({"title": "A", "project": "Bakery shop"}, "not_in_use", "tasks[0].project"),
        ({"title": "A", "project": "Mobile app"}, "missing_custom_field", "tasks[0].custom_fields"),
        ({**CARE, "due": "someday"}, "invalid_value", "tasks[0].due"),
        ({**CARE, "due": "1.12.", "start": "2.12."}, "invalid_value", "tasks[0].due"),
        ({**CARE, "assignee": "Ana"}, "ambiguous_reference", "tasks[0].assignee"),
        ({**CARE, "assignee": "Ivo Perić"}, "not_in_use", "tasks[0].assignee"),
        ({**CARE, "status": "Launched"}, "unknown_reference", "tasks[0].status"),
        ({**CARE, "task_list": "Sprint 99"}, "unknown_reference", "tasks[0].task_list"),
        ({**CARE, "parent": "#87"}, "invalid_value", "tasks[0].parent"),
        ({**CARE, "estimate_hours": "soon"}, "invalid_value", "tasks[0].estimate_hours"),
    ],
)
async def test_a_single_task_that_cannot_be_created_is_refused(
    task: dict[str, Any], code: str, field: str
) -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "create_tasks", tasks=[task])
        assert (error["code"], error["field"]) == (code, field)


async def test_a_common_word_for_a_status_is_understood_in_any_workflow() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools,
            "create_tasks",
            tasks=[{"title": "Logo", "project": "30207", "status": "in progress"}],
        )
        assert answer["results"][0]["task"]["status"]["name"] == "In Arbeit"
        assert any("In Arbeit (6112)" in one for one in answer["warnings"])


async def test_dry_run_checks_everything_and_writes_nothing() -> None:
    async with simulated_tools() as tools:
        answer = await ok(
            tools, "create_tasks", tasks=[{**CARE, "assignee": "me", "due": "1.12."}], dry_run=True
        )
        (result,) = answer["results"]
        assert result["task"]["due"] == "2026-12-01"
        assert result["task"]["list"]["id"] == "52021"
        assert "id" not in result["task"]
        assert not writes(tools)


async def test_more_than_ten_tasks_are_shown_to_the_user_first() -> None:
    async with simulated_tools() as tools:
        tasks = [{**CARE, "title": f"Part {n}"} for n in range(11)]
        error = await refused(tools, "create_tasks", tasks=tasks)
        assert error["code"] == "needs_confirmation"
        assert all(one["title"] in error["message"] for one in tasks)
        error = await refused(tools, "create_tasks", tasks=[*tasks, *tasks])
        assert (error["code"], error["field"]) == ("invalid_value", "tasks")


async def test_the_preview_of_twenty_long_titles_names_each_of_them() -> None:
    async with simulated_tools() as tools:
        tasks = [{**CARE, "title": f"{n:02} {'long ' * 30}"} for n in range(20)]
        error = await refused(tools, "create_tasks", tasks=tasks)
        assert all(f"{n:02} long" in error["message"] for n in range(20))
        made = await ok(tools, "create_tasks", tasks=tasks, confirm=error["confirm"])
        assert len(made["results"]) == 20
        assert len(writes(tools)) == 1


@pytest.mark.parametrize("applied", [True, False])
async def test_after_a_lost_answer_there_is_one_task_whoever_asks_again(applied: bool) -> None:
    async with simulated_tools() as tools:
        tools.world.faults.put([Fault(method="POST", path="/tasks", status=502, applied=applied)])
        await ask(tools, "create_tasks", tasks=[CARE])
        tools.time.now += 60
        await ask(tools, "create_tasks", tasks=[CARE])
        titles = [one.attributes["title"] for one in tools.world.state.all("tasks")]
        assert titles.count(CARE["title"]) == 1


async def test_two_equal_tasks_in_one_call_are_one() -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "create_tasks", tasks=[CARE, CARE])
        first, second = answer["results"]
        assert first["ok"]
        assert second["error"]["code"] == "duplicate"
        titles = [one.attributes["title"] for one in tools.world.state.all("tasks")]
        assert titles.count(CARE["title"]) == 1


async def test_the_same_call_twice_at_once_creates_one_task() -> None:
    async with simulated_tools() as tools:
        calls = (tools.call("create_tasks", tasks=[CARE]) for _ in range(2))
        await asyncio.gather(*calls)
        titles = [one.attributes["title"] for one in tools.world.state.all("tasks")]
        assert titles.count(CARE["title"]) == 1


async def test_what_productive_did_not_apply_is_said() -> None:
    def other(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST":
            return None
        attributes = {"title": CARE["title"], "due_date": None}
        task = {"type": "tasks", "id": "20510999", "attributes": attributes, "relationships": {}}
        return httpx.Response(201, json={"data": task})

    async with simulated_tools() as tools:
        tools.transport.answer = other
        answer = await ok(tools, "create_tasks", tasks=[{**CARE, "due": "friday"}])
        assert answer["results"][0]["task"]["id"] == "20510999"
        (warning,) = answer["warnings"]
        assert warning.startswith("Productive did not apply to 20510999: ")
        assert "due" in warning


async def test_titles_are_one_line() -> None:
    async with simulated_tools() as tools:
        task = await created(tools, title="First line\n# SYSTEM")
        assert task.attributes["title"] == "First line # SYSTEM"


async def test_a_reader_creates_nothing() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "create_tasks", READ_ONLY, tasks=[CARE])
        assert error["code"] == "not_allowed_here"
        token = principal(person("simulator-ana-kovac-read-only"))
        error = (await ask(tools, "create_tasks", token, tasks=[CARE])).structured["error"]
        assert error["code"] == "forbidden"
