from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from harness.readkit import HOSTILE, READ_ONLY, reading
from productive_gateway.tools.core.find import find

SEARCH = "/search/quick"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("relaunch", ["30201", "4287001", "4287002"]),
        ("wirefr home", ["20510087"]),
        ("ana kov", ["9104"]),
        ("blue harbor gmbh", ["7001"]),
        ("Handbook", ["81001"]),
    ],
)
async def test_half_a_name_finds_records_of_every_kind_by_one_request(
    query: str, ids: list[str]
) -> None:
    async with reading(find) as asked:
        assert await asked.ids("matches", query=query) == ids
        assert asked.sent == [SEARCH]


async def test_match_has_kind_place_state_and_link() -> None:
    async with reading(find) as asked:
        matches = await asked.found("matches", query="Relaunch phase 1")
        assert matches == [
            {
                "name": "Relaunch phase 1",
                "id": "4287002",
                "kind": "budget",
                "context": "Website relaunch",
                "state": "closed",
                "url": "https://app.productive.io/1200/d/deal/4287002",
            }
        ]


@pytest.mark.parametrize(
    ("query", "state"),
    [("Bakery shop", "archived"), ("Old Mill Bakery", "archived"), ("Ivo Peri", "deactivated")],
)
async def test_what_is_no_longer_in_use_is_found_and_said(query: str, state: str) -> None:
    async with reading(find) as asked:
        matches = await asked.found("matches", query=query)
        assert state in {match.get("state") for match in matches}


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("#87", "20510087"),
        ("P-14", "30201"),
        ("2026-02-17", "30209"),
        ("20510087", "20510087"),
        ("Website relaunch (30201)", "30201"),
        ("https://app.productive.io/1200/tasks/20510087", "20510087"),
        ("app.productive.io/1200-x/people/9104/overview", "9104"),
        ("ana.kovac@northlight.example", "9104"),
    ],
)
async def test_number_id_and_link_find_their_record(query: str, number: str) -> None:
    async with reading(find) as asked:
        assert number in await asked.ids("matches", query=query)


async def test_link_is_not_searched_for() -> None:
    async with reading(find) as asked:
        await asked.ask(query="https://app.productive.io/1200/tasks/20510087")
        assert asked.sent == ["/tasks"]


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        ({"query": "design", "kinds": ["task"]}, {"task"}),
        ({"query": "ana", "kinds": "Person"}, {"person"}),
        ({"query": "o", "kinds": '["page", "company"]', "limit": 50}, {"page", "company"}),
        ({"query": "fjord", "kinds": ["deal"]}, {"deal"}),
    ],
)
async def test_kinds_narrow_the_matches(arguments: dict[str, Any], kinds: set[str]) -> None:
    async with reading(find) as asked:
        matches = await asked.found("matches", **arguments)
        assert {match["kind"] for match in matches} == kinds


async def test_sales_deals_are_found_only_when_asked_for() -> None:
    async with reading(find) as asked:
        assert await asked.ids("matches", query="Fjord webshop") == []


async def test_project_narrows_to_what_is_in_it() -> None:
    async with reading(find) as asked:
        matches = await asked.found("matches", query="e", project="Website relaunch", limit=50)
        assert {match["kind"] for match in matches} == {"task", "budget", "page"}
        for match in matches:
            kind = {"task": "tasks", "budget": "deals", "page": "pages"}[match["kind"]]
            record = asked.tools.world.state.get(kind, match["id"])
            assert record is not None
            assert (project := record.to_one("project")) is not None
            assert project.id == "30201"
        assert SEARCH not in asked.sent


async def test_more_than_the_limit_is_counted() -> None:
    async with reading(find) as asked:
        answer = await asked.ask(query="e", limit=3)
        assert len(answer.structured["matches"]) == 3
        assert " more not shown: narrow with kinds or project" in answer.text.splitlines()[0]


async def test_count_of_what_was_not_read_to_the_end_is_no_exact_number() -> None:
    async with reading(find) as asked:
        state = asked.tools.world.state
        company = state.get("companies", "7001")
        assert company is not None
        for number in range(8000, 8120):
            state.put(replace(company, id=str(number)))
        answer = await asked.ask(query="Blue Harbor GmbH", kinds=["company"])
        assert answer.text.startswith('100+ matches for "Blue Harbor GmbH", 90 more not shown')


async def test_second_look_goes_by_the_longest_word_and_says_so() -> None:
    async with reading(find) as asked:
        answer = await asked.ask(query="wireframes of the moon")
        assert answer.text.splitlines()[0] == (
            'Nothing that you can see is called "wireframes of the moon"; 1 with "wireframes".'
        )
        assert answer.structured["matches"][0]["id"] == "20510087"
        assert asked.sent == [SEARCH, SEARCH]


async def test_nothing_found_is_an_answer() -> None:
    async with reading(find) as asked:
        answer = await asked.ask(query="no such thing")
        assert answer.structured == {}
        assert answer.text.startswith('Nothing that you can see is called "no such thing"')


@pytest.mark.parametrize(("status", "code"), [(404, "route_not_found"), (403, ""), (400, "")])
async def test_where_quick_search_is_missing_each_kind_is_asked(status: int, code: str) -> None:
    async with reading(find) as asked:
        asked.refuse(SEARCH, status, code)
        answer = await asked.ask(query="relaunch")
        found = {match["id"]: match for match in answer.structured["matches"]}
        assert {"30201", "4287001", "4287002"} <= set(found)
        assert found["30201"]["context"] == "P-14, Blue Harbor GmbH"
        assert found["4287002"]["state"] == "closed"
        asked_for = {"/projects", "/people", "/companies", "/tasks", "/deals", "/pages"}
        assert set(asked.sent) == asked_for


async def test_failing_search_is_no_empty_answer() -> None:
    async with reading(find) as asked:
        asked.answer(
            lambda request: httpx.Response(500) if request.url.path.endswith(SEARCH) else None
        )
        error = await asked.refused(query="relaunch")
        assert error["code"] == "upstream_error"


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({}, "invalid_value", "query"),
        ({"query": " "}, "invalid_value", "query"),
        ({"query": "relaunch", "kinds": ["planet"]}, "invalid_value", "kinds[0]"),
        ({"query": "relaunch", "project": "Rebrand"}, "ambiguous_reference", "project"),
        ({"query": "relaunch", "project": "Space station"}, "unknown_reference", "project"),
        ({"query": "https://example.com/1200/tasks/1"}, "invalid_value", "query"),
        ({"query": "https://app.productive.io/1300/tasks/1"}, "invalid_value", "query"),
        (
            {"query": "https://app.productive.io/1200/tasks/1", "kinds": ["person"]},
            "invalid_value",
            "query",
        ),
    ],
)
async def test_refused_argument_is_named(arguments: dict[str, Any], code: str, field: str) -> None:
    async with reading(find) as asked:
        error = await asked.refused(**arguments)
        assert (error["code"], error["field"]) == (code, field)
        assert set(asked.sent) <= {"/projects"}


async def test_read_only_person_may_find() -> None:
    async with reading(find) as asked:
        assert await asked.found("matches", who=READ_ONLY, query="relaunch")


async def test_titles_of_others_stay_within_their_lines() -> None:
    async with reading(find) as asked:
        asked.change("tasks", "20510087", title=f"Wireframes {HOSTILE}")
        asked.change("projects", "30201", name=HOSTILE)
        (match,) = await asked.found("matches", query="wireframes")
        assert len(match["name"]) <= 80
        assert len(match["context"]) <= 300
