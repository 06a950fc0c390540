from __future__ import annotations

from typing import Any

import pytest

from harness.readkit import HOSTILE, READ_ONLY, reading
from productive_gateway.tools.core.list_projects import list_projects


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ({"company": "Blue Harbor"}, ["30202", "30201"]),
        ({"company": "https://app.productive.io/1200/companies/7001"}, ["30202", "30201"]),
        ({"query": "website", "type": "client"}, ["30202", "30201"]),
        ({"type": "internal"}, ["30205", "30204"]),
        ({"manager": "Petra Novak"}, ["30204", "30208"]),
        ({"state": "archived"}, ["30206"]),
        ({"query": "bakery", "state": "all"}, ["30206"]),
        ({"query": "no such project"}, []),
        ({"query": "", "company": None, "type": "Client", "manager": "Petra Novak"}, ["30208"]),
    ],
)
async def test_projects_are_found(arguments: dict[str, Any], ids: list[str]) -> None:
    async with reading(list_projects) as asked:
        assert await asked.ids("projects", **arguments) == ids


async def test_my_projects_are_those_that_i_belong_to() -> None:
    async with reading(list_projects) as asked:
        everything = set(await asked.ids("projects"))
        mine = set(await asked.ids("projects", member="me"))
        assert everything - mine == {"30208"}


async def test_row_has_what_later_calls_need() -> None:
    async with reading(list_projects) as asked:
        (row,) = await asked.found("projects", query="Website relaunch")
        assert row == {
            "id": "30201",
            "name": "Website relaunch",
            "number": "14",
            "kind": "client",
            "company": {"id": "7001", "name": "Blue Harbor GmbH"},
            "manager": {"id": "9103", "name": "Marko Čavić"},
            "last_activity": "2026-11-22",
        }


async def test_only_an_archived_project_fits_and_that_is_said() -> None:
    async with reading(list_projects) as asked:
        answer = await asked.ask(query="bakery")
        assert answer.text.startswith("No active project fits. 1 archived project.")
        (row,) = answer.structured["projects"]
        assert (row["id"], row["archived"]) == ("30206", True)
        assert "· archived ·" in answer.text


async def test_archived_company_is_said() -> None:
    async with reading(list_projects) as asked:
        answer = await asked.ask(company="Old Mill Bakery")
        assert "The company Old Mill Bakery (7003) is archived." in answer.structured["warnings"]


@pytest.mark.parametrize("state", ["active", "archived", "all"])
async def test_pages_partition_the_list(state: str) -> None:
    async with reading(list_projects) as asked:
        ids = await asked.all_pages("projects", state=state, limit=2)
        known = {
            record.id
            for record in asked.records("projects")
            if state == "all" or (record.attributes["archived_at"] is None) == (state == "active")
        }
        assert sorted(ids) == sorted(known)


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({"manager": "Ana"}, "ambiguous_reference", "manager"),
        ({"member": "Nobody Known"}, "unknown_reference", "member"),
        ({"company": "Blu Habor"}, "unknown_reference", "company"),
        ({"state": "gone"}, "invalid_value", "state"),
        ({"company": "https://example.com/1200/companies/7001"}, "invalid_value", "company"),
    ],
)
async def test_refused_argument_is_named_and_nothing_listed(
    arguments: dict[str, Any], code: str, field: str
) -> None:
    async with reading(list_projects) as asked:
        error = await asked.refused(**arguments)
        assert (error["code"], error["field"]) == (code, field)
        assert "/projects" not in asked.sent


async def test_read_only_person_may_list_projects() -> None:
    async with reading(list_projects) as asked:
        assert await asked.found("total", who=READ_ONLY, company="Blue Harbor") == 2


async def test_name_of_a_project_stays_within_its_line() -> None:
    async with reading(list_projects) as asked:
        asked.change("projects", "30201", name=HOSTILE, project_number=HOSTILE)
        rows = await asked.found("projects", company="Blue Harbor")
        assert all(len(row["name"]) <= 80 and len(row["number"]) <= 80 for row in rows)
