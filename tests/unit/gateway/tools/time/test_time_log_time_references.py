"""log_time: how projects, services and people are found by what somebody calls them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from harness.mcpkit import simulated_tools
from harness.timetools import DESIGN, checked, written


@pytest.mark.parametrize(
    ("entry", "service", "task"),
    [
        ({"service": "16880015"}, "16880015", None),
        ({"project": "30201", "service": "Project management"}, "16880015", None),
        ({"project": 30201, "service": 16880015}, "16880015", None),
        ({"project": "Website relaunch", "service": "manag"}, "16880015", None),
        ({"task": "Design tokens"}, "16880011", "20510088"),
        ({"task": "20510088"}, "16880011", "20510088"),
        (
            {"task": "https://app.productive.io/1200-nls/tasks/20510088"},
            "16880011",
            "20510088",
        ),
        ({"project": "mobile app", "task": "#12"}, "16880042", "20510212"),
        ({"project": "website care", "task": "#13"}, "16880031", "20510113"),
        ({"task": "startseite übersetzen", "service": "design"}, "16880011", "20510089"),
        ({"task": "#91"}, "16880015", "20510091"),
        ({"project": "Website relaunch (30201)", "service": "Design"}, "16880011", None),
        ({"project": "P-14", "service": "Design"}, "16880011", None),
        ({"project": "“Website relaunch”,", "service": "Design (16880011)"}, "16880011", None),
        ({"service": "Design (16880011): Website relaunch, Relaunch phase 2"}, "16880011", None),
        ({"service": "Website relaunch / Design"}, "16880011", None),
        ({"service": "Website relaunch (30201) / Design"}, "16880011", None),
        ({"task": "tokens design"}, "16880011", "20510088"),
        ({"task": "wireframes homepage", "service": "design"}, "16880011", "20510087"),
        ({"task": "Design tokens (20510088)"}, "16880011", "20510088"),
        ({"task": "#88 Design tokens"}, "16880011", "20510088"),
        ({"task": "88"}, "16880011", "20510088"),
        ({"task": "88", "project": "30201"}, "16880011", "20510088"),
        ({"task": "12", "project": "mobile app"}, "16880042", "20510212"),
        ({"task": "Website relaunch / Design tokens"}, "16880011", "20510088"),
        (
            {"task": "https://app.productive.io/1200/projects/30201/tasks/task/20510088?board=1"},
            "16880011",
            "20510088",
        ),
        (
            {
                "project": "https://app.productive.io/1200-nls/projects/30201/tasks?board=1",
                "service": "app.productive.io/1200-nls/services/16880011",
            },
            "16880011",
            None,
        ),
    ],
)
async def test_references_resolve_to_one_service(
    entry: dict[str, Any], service: str, task: str | None
) -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({**entry, "hours": 1})
        (result,) = checked(answer)["results"]
        assert result["entry"]["service"]["id"] == service
        assert result["entry"].get("task", {}).get("id") == task


@pytest.mark.parametrize(
    ("entry", "code", "field", "candidates"),
    [
        (
            {"project": "website", "service": "design"},
            "ambiguous_reference",
            "project",
            {"30201", "30202", "30205"},
        ),
        ({"project": "Websight relaunch"}, "unknown_reference", "project", None),
        ({"project": "Bakery shop"}, "not_in_use", "project", None),
        ({"project": "30301"}, "unknown_reference", "project", None),
        (
            {"project": "relaunch", "service": "copywriting"},
            "unknown_reference",
            "service",
            {"16880011", "16880015"},
        ),
        (
            {"service": "Project management"},
            "ambiguous_reference",
            "service",
            {"16880015", "16880035", "16880045"},
        ),
        ({"service": "16880012"}, "cannot_track", "service", set()),
        ({"service": "16880019"}, "cannot_track", "service", set()),
        ({"service": "16880021"}, "cannot_track", "service", set()),
        ({"service": "16889999"}, "unknown_reference", "service", set()),
        ({"project": "relaunch", "service": "16880012"}, "cannot_track", "service", set()),
        ({"project": "relaunch", "service": "16880042"}, "cannot_track", "service", set()),
        (
            {"project": "relaunch"},
            "ambiguous_reference",
            "service",
            {"16880011", "16880015"},
        ),
        (
            {"task": "#87"},
            "ambiguous_reference",
            "service",
            {"16880011", "16880015"},
        ),
        ({"task": "#12"}, "ambiguous_reference", "task", {"20510112", "20510212"}),
        ({"task": "12"}, "ambiguous_reference", "task", {"20510112", "20510212"}),
        ({"task": "#4711"}, "unknown_reference", "task", None),
        ({"task": "no such thing"}, "unknown_reference", "task", None),
        ({"project": "mobile app", "task": "20510087"}, "invalid_value", "task", set()),
        ({"task": "https://app.productive.io/1200/people/9104"}, "invalid_value", "task", set()),
        ({}, "invalid_value", None, set()),
    ],
)
async def test_ambiguous_reference_is_asked_and_nothing_is_written(
    entry: dict[str, Any], code: str, field: str | None, candidates: set[str] | None
) -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({**entry, "hours": 1})
        assert answer.is_error
        error = checked(answer)["error"]
        assert error["code"] == code
        assert error["field"] == ("entries[0]" + (f".{field}" if field else ""))
        if candidates is not None:
            found = {one["id"] for one in error.get("candidates", [])}
            assert found >= candidates if candidates else found == set()
        assert all(one["id"] in answer.text for one in error.get("candidates", []))
        assert written(tools) == []


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"service": "16880021"}, "its budget Relaunch phase 1 is closed"),
        ({"service": "16880012"}, "it is for other people"),
        ({"project": "relaunch", "service": "16880042"}, "it belongs to Mobile app, not to"),
        ({"project": "Bakery shop"}, "The project Bakery shop (30206) is archived."),
    ],
)
async def test_what_exists_and_takes_no_time_is_not_called_unknown(
    entry: dict[str, Any], reason: str
) -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({**entry, "hours": 1})
        assert reason in checked(answer)["error"]["message"]


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("https://evil.example/1200-nls/tasks/20510088", "does not lead to app.productive.io"),
        ("https://app.productive.io/999/tasks/20510088", "leads to the organization 999"),
        ("https://app.productive.io/1200-nls/people/9104", "leads to a person, not to a task"),
        ("https://app.productive.io/1200-nls/tasks?filter=LTE", "does not lead to one record"),
    ],
)
async def test_link_that_cannot_be_used_says_why(link: str, message: str) -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({"task": link, "hours": 1})
        error = checked(answer)["error"]
        assert (error["code"], error["field"]) == ("invalid_value", "entries[0].task")
        assert message in error["message"]
        assert written(tools) == []


async def test_id_beside_another_name_decides_and_the_answer_warns() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({"task": "Homepage wireframes (20510088)", "hours": 1})
        (result,) = checked(answer)["results"]
        assert result["entry"]["task"]["id"] == "20510088"
        (warning,) = answer.structured["warnings"]
        assert "has the id of Design tokens (20510088); the id decided, not the name." in warning
        assert warning in answer.text


async def test_miss_is_looked_up_again_by_the_longest_word() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({"task": "the homepage wireframes draft", "hours": 1})
        error = checked(answer)["error"]
        assert error["code"] == "unknown_reference"
        assert error["candidates"][0] == {
            "id": "20510087",
            "name": "Homepage wireframes",
            "context": error["candidates"][0]["context"],
        }
        assert error["candidates"][0]["context"].startswith("#87, Website relaunch")


async def test_project_made_a_moment_ago_is_found() -> None:
    async with simulated_tools() as tools:
        await tools.log(DESIGN)
        project = tools.world.state.get("projects", "30202")
        assert project is not None
        tools.world.state.put(
            dataclasses.replace(
                project, id="30299", attributes={**project.attributes, "name": "Zeppelin"}
            )
        )
        tools.time.now += 60
        answer = await tools.log({"project": "Zeppelin", "hours": 1})
        assert "There is no open budget in Zeppelin" in checked(answer)["error"]["message"]


async def test_unrelated_projects_are_not_offered() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({"project": "Zeppelin", "hours": 1})
        error = checked(answer)["error"]
        assert error["code"] == "unknown_reference"
        assert "candidates" not in error


async def test_candidates_of_one_name_are_told_apart() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({"project": "Rebrand", "hours": 1})
        contexts = [one["context"] for one in checked(answer)["error"]["candidates"]]
        assert len(contexts) == len(set(contexts)) == 2


async def test_candidates_beyond_the_fifth_are_counted() -> None:
    async with simulated_tools() as tools:
        design = tools.world.state.get("services", "16880011")
        assert design is not None
        for number in range(12):
            copy = dataclasses.replace(
                design,
                id=str(16889000 + number),
                attributes={**design.attributes, "name": f"Sketch {number}"},
            )
            tools.world.state.put(copy)
        answer = await tools.log({"project": "30201", "service": "sketch", "hours": 1})
        error = checked(answer)["error"]
        assert len(error["candidates"]) == 5
        assert error["more_candidates"] == 7
        answer = await tools.log({"project": "30201", "hours": 1})
        assert checked(answer)["error"]["more_candidates"] == 9
        assert "and 9 more" in answer.text


async def test_services_are_offered_with_budget_and_hours_left() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({"task": "#87", "hours": 1})
        (first, *_) = checked(answer)["error"]["candidates"]
        assert first["context"].startswith("Website relaunch, Relaunch phase 2, ")
        assert first["context"].endswith(" h left")


async def test_only_service_in_use_is_chosen_and_named() -> None:
    async with simulated_tools() as tools:
        answer = await tools.log({"project": "mobile app", "hours": 1})
        (result,) = checked(answer)["results"]
        assert result["entry"]["service"]["id"] == "16880042"
        hows = {one["how"] for one in answer.structured["resolved"]}
        assert "only service you used here in the last four weeks" in hows


async def test_project_without_a_trackable_budget_is_reported() -> None:
    async with simulated_tools() as tools:
        for service in list(tools.world.state.all("services")):
            if service.id == "16880061":
                tools.world.state.remove(service)
        answer = await tools.log({"project": "Company website", "hours": 1})
        assert checked(answer)["error"]["code"] == "cannot_track"
