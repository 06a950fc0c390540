from __future__ import annotations

from typing import Any

import httpx
import pytest

from harness.readkit import HOSTILE, READ_ONLY, Reading, reading
from productive_gateway.tools.core.list_people import list_people

ME = "9104"


def employees(asked: Reading) -> set[str]:
    return {
        one.id
        for one in asked.records("people", is_user=True, deactivated_at=None)
        if not (one.attributes["placeholder"] or one.attributes["agent"])
    }


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ({"team": "Design"}, ["9104", "9106"]),
        ({"team": "design", "project": "Website relaunch"}, ["9104", "9106"]),
        ({"query": "ana"}, ["9105", "9104"]),
        ({"query": "Ana", "team": "2202"}, ["9105"]),
        ({"kind": "Contact", "query": "bauer"}, ["9121"]),
        ({"active": False}, ["9110"]),
        ({"query": "nobody of this name"}, []),
    ],
)
async def test_people_are_found(arguments: dict[str, Any], ids: list[str]) -> None:
    async with reading(list_people) as asked:
        assert await asked.ids("people", **arguments) == ids


@pytest.mark.parametrize(("kind", "mark"), [("placeholder", "placeholder"), ("agent", "agent")])
async def test_other_kinds_of_people_are_lists_of_their_own(kind: str, mark: str) -> None:
    async with reading(list_people) as asked:
        known = [record.id for record in asked.records("people", **{mark: True})]
        assert known
        assert await asked.ids("people", kind=kind) == known


async def test_row_has_what_later_calls_need() -> None:
    async with reading(list_people) as asked:
        (row,) = await asked.found("people", query="Ana Kovač")
        assert row == {
            "id": ME,
            "name": "Ana Kovač",
            "title": "Senior Designer",
            "email": "ana.kovac@northlight.example",
            "manager": {"id": "9103", "name": "Marko Čavić"},
            "teams": [{"id": "2201", "name": "Design"}],
        }


async def test_pages_partition_the_list() -> None:
    async with reading(list_people) as asked:
        ids = await asked.all_pages("people", limit=3)
        assert sorted(ids) == sorted(employees(asked))
        assert len(ids) > 3


async def test_cursor_of_other_arguments_is_refused() -> None:
    async with reading(list_people) as asked:
        cursor = await asked.found("next_cursor", limit=3)
        error = await asked.refused(limit=3, query="ana", cursor=cursor)
        assert (error["code"], error["field"]) == ("invalid_value", "cursor")
        assert asked.sent == []


async def test_unknown_team_names_the_nearest_and_lists_nobody() -> None:
    async with reading(list_people) as asked:
        error = await asked.refused(team="Design crew")
        assert (error["code"], error["field"]) == ("unknown_reference", "team")
        assert error["candidates"][0] == {"id": "2201", "name": "Design"}
        assert "/people" not in asked.sent


async def test_ambiguous_project_is_not_chosen() -> None:
    async with reading(list_people) as asked:
        error = await asked.refused(project="Rebrand")
        assert (error["code"], error["field"]) == ("ambiguous_reference", "project")
        assert {one["id"] for one in error["candidates"]} == {"30207", "30208"}
        assert "/people" not in asked.sent


@pytest.mark.parametrize("arguments", [{"kind": "robot"}, {"limit": 101}, {"active": "maybe"}])
async def test_invalid_argument_is_named(arguments: dict[str, Any]) -> None:
    async with reading(list_people) as asked:
        error = await asked.refused(**arguments)
        assert (error["code"], error["field"]) == ("invalid_value", next(iter(arguments)))
        assert asked.sent == []


async def test_people_of_a_project_include_those_of_its_teams() -> None:
    async with reading(list_people) as asked:
        links = {
            name: {"data": {"type": kind, "id": number}}
            for name, kind, number in (("team", "teams", "2203"), ("project", "projects", "30208"))
        }
        before = await asked.ids("people", project="30208")
        await asked.write(
            "POST",
            "/memberships",
            {"type": "memberships", "attributes": {"type_id": 3}, "relationships": links},
        )
        after = await asked.ids("people", project="30208")
        delivery = await asked.ids("people", team="Delivery")
        assert sorted(after) == sorted({*before, *delivery})
        assert len(asked.sent) <= 6


async def test_group_in_a_project_is_said() -> None:
    async with reading(list_people) as asked:
        membership = next(
            record
            for record in asked.records("memberships")
            if record.to_one("project") and record.to_one("project").id == "30208"  # type: ignore[union-attr]
        )
        asked.tools.world.state.put(
            membership.with_attributes(type_id=2).with_relations(person=None)
        )
        answer = await asked.ask(project="30208")
        assert "A whole group of people may work there too" in answer.structured["warnings"][0]


async def test_hidden_colleagues_are_said() -> None:
    async with reading(list_people) as asked:

        def only_me(request: httpx.Request) -> httpx.Response | None:
            if not request.url.path.endswith("/people"):
                return None
            me = {"id": ME, "type": "people", "attributes": {"first_name": "Ana"}}
            return httpx.Response(200, json={"data": [me], "meta": {"total_count": 1}})

        asked.answer(only_me)
        answer = await asked.ask()
        (told,) = answer.structured["warnings"]
        assert told.startswith("You see no colleagues: your rights in Productive hide them.")
        narrowed = await asked.ask(query="Ana Kovač")
        assert "warnings" not in narrowed.structured


async def test_hidden_member_of_a_team_is_counted() -> None:
    async with reading(list_people) as asked:

        def hidden(request: httpx.Request) -> httpx.Response | None:
            if not request.url.path.endswith("/team_memberships"):
                return None
            row = {"id": "1", "type": "team_memberships", "relationships": {"person": {}}}
            return httpx.Response(200, json={"data": [row], "meta": {"total_pages": 1}})

        asked.answer(hidden)
        answer = await asked.ask(team="Design")
        assert answer.text.startswith("You see nobody there.")
        assert answer.structured["warnings"] == [
            "Your rights in Productive hide 1 of these people."
        ]


async def test_read_only_person_may_list_people() -> None:
    async with reading(list_people) as asked:
        assert await asked.found("total", who=READ_ONLY, team="Design") == 2


async def test_name_of_a_person_stays_within_its_line() -> None:
    async with reading(list_people) as asked:
        asked.change("people", "9106", first_name=HOSTILE, title=HOSTILE)
        rows = await asked.found("people", team="Design")
        assert all(len(row["name"]) <= 80 and "\n" not in row["title"] for row in rows)
