"""Conditions of the simulator: groups to any depth, operators by kind, dotted and custom keys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.simulation import MANAGER, MONDAY, Simulation
from productive_dev.simulator.api.answer import answer
from productive_dev.simulator.api.call import Call
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.records import Record
from productive_dev.simulator.world import World

WORLD = World(
    SimulatorConfig(clock=lambda: MONDAY, requests_per_token=10**9, requests_per_organization=10**9)
)
# The manager sees the private task of the seed: he subscribes to it.
TASKS = sorted(
    (t for t in WORLD.state.all("tasks") if t.organization == "1200"), key=lambda t: int(t.id)
)
HEADERS = {"x-auth-token": MANAGER, "x-organization-id": "1200"}

Leaf = tuple[str, str, str]
Tree = Leaf | tuple[str, list[Any]]

leaves: st.SearchStrategy[Leaf] = st.one_of(
    st.tuples(
        st.just("project_id"),
        st.sampled_from(["eq", "not_eq", "any_of", "none_of"]),
        st.sampled_from(["30201", "30202", "30203", "30209", "30201,30209"]),
    ),
    st.tuples(st.just("status"), st.sampled_from(["eq", "not_eq"]), st.sampled_from(["1", "2"])),
    st.tuples(
        st.just("title"),
        st.sampled_from(["eq", "not_eq", "contains", "not_contain"]),
        st.sampled_from(["chapter 05", "CHAPTER", "design", "Kick-off"]),
    ),
    st.tuples(
        st.just("due_date"),
        st.sampled_from(["eq", "not_eq", "gt", "lt", "gt_eq", "lt_eq"]),
        st.sampled_from(["2026-11-20", "2026-11-27", "2026-12-01"]),
    ),
    st.tuples(
        st.just("id"),
        st.sampled_from(["eq", "gt", "lt_eq"]),
        st.sampled_from(["20510087", "20510410"]),
    ),
)
trees: st.SearchStrategy[Tree] = st.recursive(
    leaves,
    lambda inner: st.tuples(
        st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)


def pairs_of(tree: Tree, prefix: str) -> list[tuple[str, str]]:
    if len(tree) == 3:
        key, operator, value = tree
        return [(f"{prefix}[{key}][{operator}][]", one) for one in value.split(",")]
    operator, members = tree
    found = [(f"{prefix}[$op]", operator)]
    for number, member in enumerate(members):
        found += pairs_of(member, f"{prefix}[{number}]")
    return found


def holds(task: Record, tree: Tree) -> bool:
    if len(tree) == 3:
        return fits(task, *tree)
    operator, members = tree
    results = [holds(task, member) for member in members]
    return all(results) if operator == "and" else any(results)


def fits(task: Record, key: str, operator: str, value: str) -> bool:
    wanted = value.casefold().split(",")
    values = task.attributes
    own: Any = {
        "project_id": task.relations["project"].id,  # type: ignore[union-attr]
        "status": "2" if values["closed"] else "1",
        "title": values["title"].casefold(),
        "due_date": values["due_date"],
        "id": task.id,
    }[key]
    if operator in ("not_eq", "none_of", "not_contain"):
        return not fits(task, key, {"not_contain": "contains"}.get(operator, "eq"), value)
    if own is None:
        return False
    if operator == "contains":
        return any(one in own for one in wanted)
    if operator in ("eq", "any_of"):
        return own in wanted
    number = (int(own), int(value)) if key == "id" else (own, value)
    return {
        "gt": number[0] > number[1],
        "lt": number[0] < number[1],
        "gt_eq": number[0] >= number[1],
        "lt_eq": number[0] <= number[1],
    }[operator]


def listed(pairs: list[tuple[str, str]]) -> list[str]:
    call = Call("GET", "tasks", "http://sim/tasks", (*pairs, ("page[size]", "200")), HEADERS)
    document = answer(WORLD, call).document
    assert document is not None
    return [item["id"] for item in document["data"]]


@settings(max_examples=200)
@given(trees)
def test_any_tree_of_conditions_equals_brute_force(tree: Tree) -> None:
    prefix = "filter" if len(tree) == 2 else "filter[0]"
    assert listed(pairs_of(tree, prefix)) == [t.id for t in TASKS if holds(t, tree)]


@given(leaves, trees)
def test_a_plain_condition_beside_a_group_narrows_it(leaf: Leaf, tree: Tree) -> None:
    pairs = [(f"filter[{leaf[0]}][{leaf[1]}]", leaf[2])]
    pairs += pairs_of(("and", [tree]), "filter")
    assert listed(pairs) == [t.id for t in TASKS if fits(t, *leaf) and holds(t, tree)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter[project_id]=30201,30202", {"30201", "30202"}),
        ("filter[project_id][]=30201&filter[project_id][]=30202", {"30201", "30202"}),
        ("filter[project_id][any_of][]=30201", {"30201"}),
        ("filter[project.status]=1&filter[project.company_id]=7001", {"30201", "30202"}),
        ("filter[0][project.status][eq][]=1&filter[0][company_id]=7002", {"30203"}),
        ("filter[workflow_id]=612", {"30205"}),
        ("filter[board_id]=41009", {"30209"}),
    ],
)
async def test_projects_that_conditions_on_tasks_leave(
    sim: Simulation, query: str, expected: set[str]
) -> None:
    found = await sim.get(f"tasks?{query}&include=project&page[size]=200")
    assert {item["relationships"]["project"]["data"]["id"] for item in found["data"]} == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter[custom_fields][3311]=48120", ["20510087"]),
        ("filter[custom_fields][3311][eq]=48121", []),
        ("filter[0][custom_fields][3313][gt_eq][]=5", ["20510087"]),
        ("filter[custom_fields][3312][contains]=48131", ["20510087"]),
        ("filter[assignee_id][eq]=&filter[project_id]=30201", ["20510094"]),
        ("filter[subscriber_id]=9105&filter[title]=Salary round", []),
        ("filter[tags]=design&filter[project_id]=30203", ["20510212"]),
        ("filter[due_date_on]=2026-11-27&filter[project_id]=30201", ["20510087"]),
        ("filter[overdue_status]=2&filter[project_id]=30201", ["20510089", "20510090"]),
        ("filter[task_type]=2&filter[status]=1", ["20510092", "20510093"]),
        (
            "filter[workflow_status_category_id]=3&filter[project_id]=30201",
            ["20510091", "20510094"],
        ),
        ("filter[query]=wireframes", ["20510087"]),
    ],
)
async def test_conditions_on_tasks(sim: Simulation, query: str, expected: list[str]) -> None:
    assert await sim.ids(f"tasks?{query}") == expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("filter[colour]=red", "unsupported_filter"),
        ("filter[0][colour][eq][]=red", "unsupported_filter"),
        ("filter[project.colour]=red", "unsupported_filter"),
        ("filter[status][near]=1", "unsupported_filter_operation"),
        ("filter[status][gt]=1", "unsupported_filter_operation"),
        ("filter[$op]=xor&filter[0][status]=1", "unsupported_filter_operation"),
        ("filter[status]=open", "unsupported_filter_value_type"),
        ("filter[project_id]=null", "unsupported_filter_value_type"),
        ("filter[due_date_after]=soon", "unsupported_filter_value_type"),
        ("filter[status", "unsupported_filter"),
    ],
)
async def test_conditions_that_are_refused(sim: Simulation, query: str, code: str) -> None:
    answered = await sim.send("GET", f"tasks?{query}")
    assert (answered.status_code, answered.json()["errors"][0]["code"]) == (400, code)


async def test_the_words_of_an_unknown_filter_are_always_the_same(sim: Simulation) -> None:
    answered = await sim.send("GET", "tasks?filter[colour]=red")
    (error,) = answered.json()["errors"]
    assert error["detail"] == "Filter 'colour' is not supported on this endpoint."


async def test_instants_are_compared_by_date_unless_a_feature_flag_says_otherwise(
    sim: Simulation,
) -> None:
    made = {"filter[created_at][gt_eq]": "2026-11-22T15:00:00.000+01:00"}
    late = {"filter[created_at][gt]": "2026-11-22T14:00:00.000+01:00"}
    assert await sim.ids("activities", **made) == await sim.ids(
        "activities", **{"filter[created_at]": "2026-11-22"}
    )
    assert await sim.ids("activities", **late) == []
    flagged = await sim.http.get(
        "/api/v2/activities",
        params=late,
        headers={
            "x-auth-token": sim.token,
            "x-organization-id": "1200",
            "x-feature-flags": "filteringSkipDatetimeCastToDate",
        },
    )
    assert len(flagged.json()["data"]) == 1


async def test_activities_can_be_followed_by_id(sim: Simulation) -> None:
    newest = max(await sim.ids("activities"), key=int)
    assert await sim.ids("activities", **{"filter[id][gt_eq]": newest}) == [newest]
    assert await sim.ids("activities", **{"filter[id][gt]": newest}) == []


async def test_people_of_a_task_a_project_and_a_team(sim: Simulation) -> None:
    subscribed = {"filter[subscribable_type]": "Task", "filter[subscribable_id]": "20510087"}
    assert await sim.ids("people", **subscribed) == ["9104", "9103"]
    assert await sim.ids("people", **{"filter[project_id]": "30208"}) == ["9105", "9101"]
    assert await sim.ids("people", **{"filter[team]": "2201"}) == ["9104", "9106"]
    kinds = {kind: await sim.ids("people", **{"filter[person_type]": kind}) for kind in "1234"}
    assert (kinds["3"], kinds["4"]) == (["9131"], ["9132"])
    assert set(kinds["2"]) == {"9121", "9122"}
