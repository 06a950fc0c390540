from __future__ import annotations

import pytest

from harness.mcpkit import simulated_tools
from harness.tasktools import READ_ONLY, ask, ok, record, refused
from productive_dev.simulator.records import Record


async def test_a_task_comes_with_all_that_belongs_to_it() -> None:
    async with simulated_tools() as tools:
        answer = await ok(tools, "get_task", task="#87")
        task = answer["task"]
        assert (task["id"], task["number"], task["due"]) == ("20510087", "87", "2026-11-27")
        assert (task["estimate"], task["worked"]) == (8.0, 3.25)
        assert task["url"] == "https://app.productive.io/1200/tasks/20510087"
        assert "Three variants" in task["description"]
        values = {one["field"]: one["value"] for one in answer["custom_fields"]}
        assert values == {
            "Priority": "High",
            "Labels": "UX",
            "Story points": "5",
            "Reviewer": "Marko Čavić (9103)",
        }
        assert [one["id"] for one in answer["todos"]] == ["77120", "77121", "77122"]
        assert [one.get("closed", False) for one in answer["todos"]] == [False, True, True]
        assert {one["id"] for one in answer["subtasks"]} == {"20510092", "20510093", "20510094"}
        (dependency,) = answer["dependencies"]
        assert dependency["kind"] == "is blocked by"
        assert dependency["other"]["id"] == "20510088"
        assert answer["attachments"][0]["name"] == "wireframes.png"
        assert answer["comments"][0]["id"] == "880014"


@pytest.mark.parametrize(
    "reference",
    [
        "20510087",
        "#87",
        "87",
        "Homepage wireframes",
        "wireframes homepage",
        "Homepage wireframes (20510087)",
        "https://app.productive.io/1200-northlight/tasks/task/20510087?board=1",
        "https://app.productive.io/1200/projects/30201/tasks/task/20510087",
    ],
)
async def test_every_form_of_reference_finds_the_task(reference: str) -> None:
    async with simulated_tools() as tools:
        assert (await ok(tools, "get_task", task=reference))["task"]["id"] == "20510087"


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("#12", "ambiguous_reference"),
        ("20510901", "unknown_reference"),
        ("there is none", "unknown_reference"),
        ("https://app.productive.io/1300/tasks/20510901", "invalid_value"),
        ("https://elsewhere.example/1200/tasks/20510087", "invalid_value"),
    ],
)
async def test_a_task_that_is_not_one_of_this_organization_is_refused(
    reference: str, code: str
) -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "get_task", task=reference)
        assert (error["code"], error["field"]) == (code, "task")


async def test_a_number_of_two_tasks_offers_both_with_their_projects() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "get_task", task="#12")
        assert {one["id"] for one in error["candidates"]} == {"20510112", "20510212"}
        assert all("#12" in one["context"] for one in error["candidates"])


async def test_a_task_must_be_named() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "get_task")
        assert error["code"] == "invalid_value"
        assert not tools.requests("GET", "/tasks")


async def test_a_long_description_and_many_comments_fit_into_one_answer() -> None:
    async with simulated_tools() as tools:
        comment = record(tools, "comments", "880011")
        for number in range(890001, 890041):
            tools.world.state.put(
                Record(
                    "comments",
                    str(number),
                    comment.organization,
                    {**comment.attributes, "body": "<p>" + "A long remark. " * 200 + "</p>"},
                    {**comment.relations, "task": record(tools, "tasks", "20510088").ref},
                )
            )
        answer = await ask(tools, "get_task", task="#88", comments=8)
        assert answer.structured["more_comments"] == 33
        assert len(answer.structured["comments"]) == 8
        assert "(cut)" in answer.structured["task"]["description"]
        assert len(answer.text) < 8_000


async def test_orders_in_a_comment_are_quoted() -> None:
    async with simulated_tools() as tools:
        answer = await ask(tools, "get_task", task="#87")
        orders = [line for line in answer.text.splitlines() if "SYSTEM" in line]
        assert orders
        assert all(line.strip().startswith(">") for line in orders)


async def test_another_persons_private_task_does_not_exist() -> None:
    async with simulated_tools() as tools:
        error = await refused(tools, "get_task", task="Salary round")
        assert error["code"] == "unknown_reference"


async def test_whoever_may_only_read_can_look_at_a_task() -> None:
    async with simulated_tools() as tools:
        answer = await ask(tools, "get_task", READ_ONLY, task="#87")
        assert not answer.is_error
