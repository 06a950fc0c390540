"""What the simulator declares, against what the vendor's schema says of the same resources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.simulation import DIRECTOR, Simulation
from productive_dev.simulator.api import known
from productive_dev.simulator.declare.marks import Written, read_marks
from productive_dev.simulator.declare.resource import new_record
from productive_dev.simulator.resources import RESOURCES

VENDOR = json.loads((Path(__file__).parent / "data/vendor-resources.json").read_text())["resources"]
SHARED = sorted(RESOURCES.keys() & VENDOR.keys())
# What the vendor's schema has and we lack, each with the reason.
GAPS = {
    # Not among the recorded attributes of a booking; which kind it is follows from its relation.
    ("bookings", "booking_type_id"),
    # A write-only list of subscribers, which no tool touches.
    ("companies", "subscriber_ids"),
    # Not among the attributes that clients read; archived_at says the same.
    ("events", "status"),
    # The recordings refuse these sorts.
    ("time_entries", "sort person_name"),
    ("time_entries", "sort service_name"),
}
# The specification has them in bodies, though the vendor's client never writes them.
SPECIFIED_WRITES = {
    *(("companies", name) for name in ("billing_name", "default_currency")),
    ("discussions", "excerpt"),
    *(
        ("people", name)
        for name in ("avatar_url", "status_emoji", "status_text", "status_expires_at", "contact")
    ),
}
# The guide has them, the vendor's schema does not.
MORE_BULK = {"timesheets": {"create", "delete"}}


def fields(kind: str) -> dict[str, Any]:
    vendor = VENDOR[kind]
    return {**vendor.get("attributes", {}), **vendor.get("relationships", {})}


def wanted(kind: str, what: str) -> set[str]:
    return {field[what] for field in fields(kind).values() if what in field}


def test_every_collection_of_the_vendor_is_simulated_or_known() -> None:
    paths = {VENDOR[kind]["path"].strip("/") for kind in VENDOR.keys() - RESOURCES.keys()}
    assert paths <= known.COLLECTIONS
    assert not known.COLLECTIONS & RESOURCES.keys()


@pytest.mark.parametrize("kind", SHARED)
def test_names_filters_and_sorts_of_the_vendor_are_declared(kind: str) -> None:
    ours = RESOURCES[kind]
    names = {
        name
        for name in fields(kind)
        if name not in ours.attributes
        and name not in ours.relations
        and f"{name.removesuffix('_ids')}s" not in ours.relations
    }
    filters = (
        wanted(kind, "filter") | VENDOR[kind].get("filters", {}).keys()
    ) - ours.filters.keys()
    sorts = wanted(kind, "sort") - ours.sorts.keys()
    missing = names | {f"filter {name}" for name in filters} | {f"sort {name}" for name in sorts}
    assert {(kind, name) for name in missing} == {gap for gap in GAPS if gap[0] == kind}


@pytest.mark.parametrize("kind", SHARED)
def test_bulk_and_actions_of_the_vendor_are_declared(kind: str) -> None:
    ours = RESOURCES[kind]
    assert ours.bulk - MORE_BULK.get(kind, set()) == set(VENDOR[kind].get("bulk", []))
    assert VENDOR[kind].get("actions", {}).keys() <= ours.actions.keys() | known.ACTIONS


@pytest.mark.parametrize("kind", SHARED)
def test_what_the_vendor_does_not_write_is_not_written(kind: str) -> None:
    for name, field in fields(kind).items():
        declared = RESOURCES[kind].attributes.get(name) or RESOURCES[kind].relations.get(name)
        if field.get("ro") and declared is not None and (kind, name) not in SPECIFIED_WRITES:
            assert declared.written is Written.NEVER, (kind, name)


@pytest.mark.parametrize("kind", sorted(RESOURCES))
def test_declarations_hold_together(kind: str) -> None:
    ours = RESOURCES[kind]
    record = new_record(ours, "1", "1200")
    assert set(ours.requires) <= record.attributes.keys() | record.relations.keys()
    assert {name.removeprefix("-") for name in ours.default_sort} <= (
        {"id"} | ours.sorts.keys() | ours.attributes.keys()
    )
    for relation in ours.relations.values():
        assert relation.target is None or relation.target in RESOURCES, (kind, relation.name)
    assert ours.puts <= ours.actions.keys()
    assert ours.bulk_actions <= ours.actions.keys()


@pytest.mark.parametrize("kind", sorted(RESOURCES.keys() - {"search-quick-results"}))
async def test_every_relation_can_be_included(sim: Simulation, kind: str) -> None:
    for relation in RESOURCES[kind].relations.values():
        answer = await sim.as_(DIRECTOR).send("GET", f"{kind}?include={relation.name}")
        assert answer.status_code == (200 if relation.includable else 400), relation.name


def test_an_unknown_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="is no mark"):
        read_marks("title", "! x")
