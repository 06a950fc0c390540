from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import httpx
import pytest

from harness.readkit import HOSTILE, MANAGER, READ_ONLY, reading
from productive_gateway.productive.records.tasks import OpenTask
from productive_gateway.tools.core.get_project import get_project
from productive_gateway.tools.core.project_report import task_counts

RELAUNCH = "30201"
TODAY = "2026-11-23"


@pytest.mark.parametrize(
    "project",
    [
        "Website relaunch",
        "relaunch",
        "14",
        "P-14",
        "Website relaunch (30201)",
        "Blue Harbor GmbH / Website relaunch",
        30201,
        "https://app.productive.io/1200-northlight/projects/30201/tasks?board=1",
    ],
)
async def test_project_is_read_by_every_form_of_its_name(project: Any) -> None:
    async with reading(get_project) as asked:
        answer = await asked.ask(project=project)
        assert answer.structured["project"] == {
            "id": RELAUNCH,
            "name": "Website relaunch",
            "number": "14",
            "kind": "client",
            "company": {"id": "7001", "name": "Blue Harbor GmbH"},
            "manager": {"id": "9103", "name": "Marko Čavić"},
            "last_activity": "2026-11-22",
        }
        assert answer.structured["url"] == "https://app.productive.io/1200/projects/30201"
        beside = ["/task_lists", "/workflow_statuses"]
        assert asked.sent == ["/projects", "/projects/30201", *beside]


async def test_project_says_which_lists_and_statuses_its_tasks_may_have() -> None:
    async with reading(get_project) as asked:
        answer = await asked.ask(project="Website relaunch")
        lists = {(one["id"], one["folder"]["name"]) for one in answer.structured["task_lists"]}
        # An archived list is not among them.
        assert lists == {("52010", "Delivery"), ("52011", "Delivery"), ("52901", "Ideas")}
        assert [one["name"] for one in answer.structured["statuses"]] == [
            "To do",
            "In progress",
            "In review",
            "Done",
        ]


@pytest.mark.parametrize(
    ("project", "code"),
    [
        ("Rebrand", "ambiguous_reference"),
        ("Space station", "unknown_reference"),
        ("https://app.productive.io/1300/projects/30301", "invalid_value"),
        ("https://app.productive.io/1200/tasks/20510087", "invalid_value"),
        (None, "invalid_value"),
        (0, "invalid_value"),
    ],
)
@pytest.mark.parametrize("report", [False, True])
async def test_refused_project_is_explained(project: Any, code: str, report: bool) -> None:
    async with reading(get_project) as asked:
        error = await asked.refused(project=project, report=report)
        assert (error["code"], error["field"]) == (code, "project")
        assert set(asked.sent) <= {"/projects"}


async def test_archived_project_is_said_to_be_archived() -> None:
    async with reading(get_project) as asked:
        answer = await asked.ask(project="Bakery shop", report=True)
        assert answer.text.startswith("Bakery shop (30206) is archived: ")
        assert answer.structured["project"]["archived"] is True
        assert "The project Bakery shop (30206) is archived." in answer.structured["warnings"]


async def test_candidates_of_one_name_have_what_tells_them_apart() -> None:
    async with reading(get_project) as asked:
        error = await asked.refused(project="Rebrand")
        assert {one["context"] for one in error["candidates"]} == {
            "P-18, Alpine Rail AG",
            "1-2025-2, Nordic Foods Oy",
        }


async def test_project_that_was_just_made_is_found() -> None:
    async with reading(get_project) as asked:
        await asked.ask(project="Website relaunch")
        asked.tools.time.now += 60
        links = {
            name: {"data": {"type": kind, "id": number}}
            for name, kind, number in (
                ("company", "companies", "7001"),
                ("project_manager", "people", "9103"),
                ("workflow", "workflows", "610"),
            )
        }
        attributes = {"name": "Moon landing", "project_type_id": 2}
        await asked.write(
            "POST",
            "/projects",
            {"type": "projects", "attributes": attributes, "relationships": links},
        )
        project = await asked.found("project", project="Moon landing")
        assert project["name"] == "Moon landing"


async def test_parts_of_a_report_are_read_at_the_same_time() -> None:
    async with reading(get_project) as asked:
        await asked.ask(project="Website relaunch")
        waiting = asyncio.Barrier(6)

        async def all_six(_: httpx.Request) -> None:
            async with asyncio.timeout(10):
                await waiting.wait()

        asked.tools.transport.before = all_six
        await asked.ask(project="Website relaunch", report=True)
        assert len(asked.sent) == 6


async def test_report_counts_what_the_project_has() -> None:
    async with reading(get_project) as asked:
        report = await asked.found(who=MANAGER, project="Website relaunch", report=True)
        open_tasks = [
            task
            for task in asked.records("tasks", closed=False)
            if (ref := task.to_one("project")) is not None and ref.id == RELAUNCH
        ]
        overdue = [task for task in open_tasks if (task.attributes["due_date"] or "9") < TODAY]
        assert report["tasks"]["open"] == len(open_tasks)
        assert report["tasks"]["overdue"] == len(overdue)
        statuses = {row["status"]: row["tasks"] for row in report["tasks"]["by_status"]}
        assert sum(statuses.values()) == len(open_tasks)
        milestones = [task.id for task in open_tasks if task.attributes["type_id"] == 3]
        assert [row["id"] for row in report["tasks"]["next_milestones"]] == milestones[:3]


async def test_report_sums_the_hours_of_two_weeks() -> None:
    async with reading(get_project) as asked:
        report = await asked.found(who=MANAGER, project="Website relaunch", report=True)
        state = asked.tools.world.state
        tracked = {
            weeks: sum(
                entry.attributes["time"]
                for entry in asked.records("time_entries")
                if (deal := state.follow(entry, "service", "deal")) is not None
                and (ref := deal.to_one("project")) is not None
                and ref.id == RELAUNCH
                and weeks[0] <= entry.attributes["date"] <= weeks[1]
            )
            for weeks in (("2026-11-23", "2026-11-29"), ("2026-11-16", "2026-11-22"))
        }
        assert [row["tracked"] for row in report["hours"]] == [
            minutes / 60 for minutes in tracked.values()
        ]
        assert report["hours"][1]["tracked"] > 0


async def test_report_shows_budgets_with_what_is_used() -> None:
    async with reading(get_project) as asked:
        (budget,) = await asked.found(
            "budgets", who=MANAGER, project="Website relaunch", report=True
        )
        assert budget == {
            "name": "Relaunch phase 2",
            "id": "4287001",
            "used": "20553.86",
            "total": "25065.69",
            "currency": "EUR",
            "used_percent": 82,
            "over_warning": True,
            "worked": 292.75,
            "budgeted": 310.0,
            "ends": "2027-01-02",
        }
        (over,) = await asked.found("budgets", who=MANAGER, project="Mobile app", report=True)
        assert (over["used_percent"], over["over_budget"], over["currency"]) == (107, True, "USD")
        assert "over_warning" not in over


async def test_amounts_that_the_person_may_not_see_are_said() -> None:
    async with reading(get_project) as asked:
        answer = await asked.ask(project="Website relaunch", report=True)
        (budget,) = answer.structured["budgets"]
        assert {"used", "total", "used_percent"}.isdisjoint(budget)
        assert "Your rights in Productive hide the amounts of these budgets." in answer.text


async def test_report_has_people_and_the_changes_of_a_week() -> None:
    async with reading(get_project) as asked:
        report = await asked.found(project="Website relaunch", report=True)
        members = {
            ref.id
            for one in asked.records("memberships")
            if (at := one.to_one("project")) is not None and at.id == RELAUNCH
            if (ref := one.to_one("person")) is not None
        }
        assert {one["id"] for one in report["people"]} == members
        assert report["changes"][-2]["changes"] == [
            {"field": "due date", "before": "2026-11-25", "after": "2026-11-27"}
        ]
        assert all("project" not in event for event in report["changes"])


async def test_report_asks_everything_at_once_and_remembers_the_project() -> None:
    async with reading(get_project) as asked:
        parts = {"/activities", "/deals", "/memberships", "/projects/30201", "/tasks"}
        parts.add("/time_entries")
        await asked.ask(project="Website relaunch", report=True)
        assert sorted(asked.sent) == sorted({*parts, "/projects"})
        await asked.ask(project="Website relaunch", report=True)
        assert sorted(asked.sent) == sorted(parts)


async def test_part_that_is_refused_is_said_and_the_rest_is_there() -> None:
    async with reading(get_project) as asked:
        asked.refuse("/deals", 403, "access_denied")
        answer = await asked.ask(project="Website relaunch", report=True)
        told = "Productive does not let you see the budgets of this project."
        assert told in answer.structured["warnings"]
        assert "budgets" not in answer.structured
        assert answer.structured["tasks"]["open"] > 0


async def test_request_that_productive_does_not_understand_is_no_missing_right() -> None:
    async with reading(get_project) as asked:
        asked.refuse("/deals", 400, "unsupported_filter")
        error = await asked.refused(project="Website relaunch", report=True)
        assert error["code"] == "upstream_error"


async def test_failing_part_fails_the_report() -> None:
    async with reading(get_project) as asked:
        asked.refuse("/tasks", 401, "invalid_auth_token")
        error = await asked.refused(project="Website relaunch", report=True)
        assert error["code"] == "token_rejected"


async def test_read_only_person_may_see_a_report() -> None:
    async with reading(get_project) as asked:
        report = await asked.found(who=READ_ONLY, project="Website relaunch", report=True)
        assert report["project"]["id"] == RELAUNCH


async def test_words_of_others_stay_within_their_lines() -> None:
    async with reading(get_project) as asked:
        for kind, number, name in (
            ("projects", RELAUNCH, "name"),
            ("deals", "4287001", "name"),
            ("people", "9106", "first_name"),
            ("tasks", "20510087", "title"),
            ("comments", "880012", "body"),
        ):
            asked.change(kind, number, **{name: HOSTILE})
        for entry in asked.records("activities"):
            asked.change("activities", entry.id, item_name=HOSTILE, parent_name=HOSTILE)
        report = await asked.found(who=MANAGER, project=RELAUNCH, report=True)
        assert len(report["project"]["name"]) <= 80


def test_milestones_without_a_day_come_last() -> None:
    tasks = [
        OpenTask(id="1", name="Some day", kind="milestone"),
        OpenTask(id="2", name="Later", kind="milestone", due=date(2026, 12, 24)),
        OpenTask(id="3", name="Sooner", kind="milestone", due=date(2026, 11, 1)),
        OpenTask(id="4", name="No milestone", due=date(2026, 11, 23)),
    ]
    counts = task_counts(tasks, 900, date(2026, 11, 23))
    assert [task.id for task in counts.next_milestones] == ["3", "2", "1"]
    assert (counts.open, counts.overdue) == (900, 1)
