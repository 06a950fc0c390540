"""Workflows of tasks."""

from __future__ import annotations

from typing import Any

from benchmarks.workflows.workflow import Step, Workflow, comments, task

from productive_dev.simulator.records import Ref
from productive_dev.simulator.world import World

WIREFRAMES = "20510087"
IN_REVIEW, DONE = "6103", "6104"
FRIDAY = "2026-11-27"


def _created(world: World) -> bool:
    found = [
        one
        for one in world.state.pointing("tasks", "project", Ref("projects", "30202"))
        if one.attributes["title"] == "Check the contact form"
    ]
    return (
        len(found) == 1
        and found[0].to_one("assignee") == Ref("people", "9106")
        and found[0].attributes["due_date"] == FRIDAY
    )


def _has_status(world: World, status: str) -> bool:
    return task(world, WIREFRAMES).to_one("workflow_status") == Ref("workflow_statuses", status)


def _in_review(world: World) -> bool:
    return _has_status(world, IN_REVIEW)


def _closed(world: World) -> bool:
    return _has_status(world, DONE) and comments(world, WIREFRAMES, "variants are final") == 1


def _commented(world: World) -> bool:
    return comments(world, WIREFRAMES, "check the margins") == 1


def _low_priority(world: World) -> bool:
    values: dict[str, Any] = task(world, WIREFRAMES).attributes["custom_fields"]
    return values == {"3311": "48122", "3312": ["48131"], "3313": 5, "3315": "9103"}


ROWS = (
    Workflow(
        6,
        "my tasks of this week",
        "Which of my open tasks are due this week?",
        (Step("list_tasks", {"assignee": "me", "due": "this_week"}),),
        facts=("Design tokens", "Homepage wireframes", "Banner for the autumn sale"),
    ),
    Workflow(
        7,
        "create a task",
        "Create a task in Website care for Luka Babić, due Friday: Check the contact form.",
        (
            Step(
                "create_tasks",
                {
                    "tasks": [
                        {
                            "title": "Check the contact form",
                            "project": "Website care",
                            "assignee": "Luka Babić",
                            "due": "friday",
                        }
                    ]
                },
            ),
        ),
        _created,
    ),
    Workflow(
        8,
        "move a task to In review",
        "Move Homepage wireframes to In review.",
        (Step("update_task", {"task": "Homepage wireframes", "status": "In review"}),),
        _in_review,
    ),
    Workflow(
        9,
        "close a task with a comment",
        "Homepage wireframes is done; comment there: All three variants are final.",
        (
            Step(
                "update_task",
                {
                    "task": "Homepage wireframes",
                    "status": "done",
                    "comment": "All three variants are final.",
                },
            ),
        ),
        _closed,
    ),
    Workflow(
        10,
        "comment on a task",
        "Comment on Homepage wireframes: Please check the margins.",
        (Step("add_comment", {"on": "Homepage wireframes", "body": "Please check the margins."}),),
        _commented,
    ),
    Workflow(
        11,
        "what is this task about",
        "What is Homepage wireframes about, and where does it stand?",
        (Step("get_task", {"task": "Homepage wireframes"}),),
        facts=("Three variants", "To do", "spacing"),
    ),
    Workflow(
        27,
        "set a custom field",
        "Set the priority of Homepage wireframes to Low.",
        (
            Step(
                "update_task",
                {"task": "Homepage wireframes", "custom_fields": {"Priority": "Low"}},
            ),
        ),
        _low_priority,
    ),
)
