"""Pages of the simulator: by number and by cursor, they partition what a list finds."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.simulation import MANAGER, MONDAY, Simulation, document, link
from productive_dev.simulator.api.answer import answer
from productive_dev.simulator.api.call import Call
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.resources import RESOURCES
from productive_dev.simulator.resources.search import NAME
from productive_dev.simulator.world import World

WORLD = World(
    SimulatorConfig(clock=lambda: MONDAY, requests_per_token=10**9, requests_per_organization=10**9)
)
HEADERS = {"x-auth-token": MANAGER, "x-organization-id": "1200"}
KINDS = sorted(RESOURCES.keys() - {NAME})

Pairs = tuple[tuple[str, str], ...]


def get(kind: str, *pairs: tuple[str, str]) -> dict[str, Any]:
    found = answer(WORLD, Call("GET", kind, f"http://sim/{kind}", pairs, HEADERS)).document
    assert found is not None
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [item["id"] for item in found["data"]]


@st.composite
def lists(draw: st.DrawFn) -> tuple[str, Pairs]:
    """A collection with a sort that it has, or its own order."""
    kind = draw(st.sampled_from(KINDS))
    sorts = sorted(RESOURCES[kind].sorts)
    names = draw(st.lists(st.sampled_from(sorts), max_size=2, unique=True)) if sorts else []
    signed = [draw(st.sampled_from(["", "-"])) + name for name in names]
    return kind, (("sort", ",".join(signed)),) if signed else ()


@settings(max_examples=150)
@given(lists(), st.integers(1, 40))
def test_numbered_pages_partition_a_list_in_its_order(wanted: tuple[str, Pairs], size: int) -> None:
    kind, order = wanted
    whole = get(kind, *order, ("page[size]", "200"))
    seen: list[str] = []
    for number in range(1, whole["meta"]["total_count"] // size + 2):
        page = get(kind, *order, ("page[size]", str(size)), ("page[number]", str(number)))
        assert page["meta"]["total_count"] == whole["meta"]["total_count"]
        seen += ids(page)
    assert seen == ids(whole)
    assert len(seen) == len(set(seen)) == whole["meta"]["total_count"]


@settings(max_examples=150)
@given(lists(), st.integers(1, 40))
def test_a_cursor_visits_the_same_records_in_the_same_order(
    wanted: tuple[str, Pairs], size: int
) -> None:
    kind, order = wanted
    whole = ids(get(kind, *order, ("page[size]", "200")))
    seen: list[str] = []
    pairs: Pairs = (*order, ("page[after]", ""), ("page[size]", str(size)))
    while True:
        page = get(kind, *pairs)
        assert page["meta"] == {"page_size": size, "max_page_size": 200}
        seen += ids(page)
        if "next" not in page["links"]:
            break
        pairs = tuple(parse_qsl(urlsplit(page["links"]["next"]).query))
    assert seen == whole


@pytest.mark.parametrize("change", ["insert", "remove"])
async def test_a_cursor_neither_repeats_nor_loses_when_the_list_changes(
    sim: Simulation, change: str
) -> None:
    boss = sim.as_(MANAGER)
    before = await boss.ids("tasks", **{"filter[project_id]": "30201"})
    cursor = {"filter[project_id]": "30201", "page[after]": "", "page[size]": "4"}
    first = await boss.get("tasks", **cursor)
    if change == "remove":
        await boss.send("DELETE", f"tasks/{ids(first)[1]}")
    else:
        made = document(
            "tasks",
            {"title": "New"},
            project=link("projects", "30201"),
            task_list=link("task_lists", "52010"),
        )
        before.append((await boss.write("POST", "tasks", made))["id"])
    seen = ids(first)
    address = first["links"]["next"]
    while address:
        page = await boss.get(f"tasks?{urlsplit(address).query}")
        seen += ids(page)
        address = page["links"].get("next")
    assert seen == before


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("page[after]=&page[number]=2", "keyset_conflict"),
        ("page[after]=nonsense", "keyset_invalid_cursor"),
        ("page[after]=W1tmYWxzZSwxLCIiXV0=&sort=title", "keyset_invalid_cursor"),
        ("page[number]=0", "invalid_page"),
        ("page[size]=-1", "invalid_page"),
    ],
)
async def test_pages_that_are_refused(sim: Simulation, query: str, code: str) -> None:
    answered = await sim.send("GET", f"tasks?{query}")
    assert (answered.status_code, answered.json()["errors"][0]["code"]) == (400, code)


async def test_reports_know_page_numbers_only(sim: Simulation) -> None:
    answered = await sim.send("GET", "reports/time_entry_reports?page[after]=")
    assert answered.status_code == 400
    page = await sim.get("reports/time_entry_reports?page[size]=5&page[number]=2")
    assert (len(page["data"]), page["meta"]["current_page"]) == (5, 2)


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("", 30),
        ("page[size]=", 30),
        ("page[size]=500", 200),
        ("per_page=3", 3),
        ("page[size]=7", 7),
    ],
)
async def test_the_size_of_a_page(sim: Simulation, query: str, size: int) -> None:
    assert (await sim.get(f"tasks?{query}"))["meta"]["page_size"] == size
