"""What is published over what: other namespaces, immutable Secrets, odd entries and revisions."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import structlog

from harness.operatorkit import USERS, MemoryCluster, never
from productive_contract.mapping import MAX_INTEGER, Mapping, State, encode
from productive_contract.names import MAPPING_KEY
from productive_operator import publisher as module
from productive_operator.publisher import MappingUnusable
from productive_operator.reconciler import Reconciler
from productive_operator.revision import next_revision
from productive_operator.round_trip import unreadable

NOW = 1_795_500_000.0


@pytest.fixture
def world() -> MemoryCluster:
    world = MemoryCluster()
    world.add("ana")
    world.add("bob")
    return world


def reconciler(world: MemoryCluster) -> Reconciler:
    return Reconciler(world, lambda: NOW)


async def test_the_mapping_records_its_namespace(world: MemoryCluster) -> None:
    await reconciler(world).reconcile(never)
    assert world.people().namespace == USERS


async def test_over_people_of_another_namespace_nothing_is_published(world: MemoryCluster) -> None:
    await reconciler(world).reconcile(never)
    before, world.writes = world.stored, []
    world.namespace = "misspelt"
    world.bodies.clear()
    with pytest.raises(
        MappingUnusable, match=r"2 people of namespace acme-users.* set to misspelt"
    ):
        await reconciler(world).reconcile(never)
    assert (world.stored, world.writes) == (before, [])


async def test_after_the_mapping_was_deleted_another_namespace_is_taken(
    world: MemoryCluster,
) -> None:
    await reconciler(world).reconcile(never)
    world.namespace, world.stored = "elsewhere", None
    await reconciler(world).reconcile(never)
    assert world.people().namespace == "elsewhere"


async def test_over_an_empty_mapping_of_another_namespace_it_publishes(
    world: MemoryCluster,
) -> None:
    world.put_mapping(encode(Mapping(1, {}, namespace="elsewhere")))
    await reconciler(world).reconcile(never)
    assert len(world.people().people) == 2


async def test_a_mapping_without_a_namespace_is_adopted(world: MemoryCluster) -> None:
    await reconciler(world).reconcile(never)
    before = world.people()
    world.put_mapping(encode(replace(before, namespace=None)))
    await reconciler(world).reconcile(never)
    assert world.people() == replace(before, revision=before.revision + 1)


async def test_an_immutable_mapping_is_reported_only_when_it_has_to_change(
    world: MemoryCluster,
) -> None:
    first = reconciler(world)
    await first.reconcile(never)
    assert world.stored is not None
    world.put_mapping(world.stored.data, immutable=True)
    await first.reconcile(never)
    world.remove("ana")
    with pytest.raises(MappingUnusable, match=r"immutable.* delete the Secret"):
        await first.reconcile(never)


async def test_an_immutable_mapping_with_foreign_keys_is_reported(world: MemoryCluster) -> None:
    first = reconciler(world)
    await first.reconcile(never)
    assert world.stored is not None
    world.put_mapping({**world.stored.data, "x": b""}, immutable=True)
    with pytest.raises(MappingUnusable, match="immutable"):
        await first.reconcile(never)


@pytest.mark.parametrize("zeros", [20, 400, 9000])
async def test_a_revision_beyond_all_bounds_is_repaired(world: MemoryCluster, zeros: int) -> None:
    first = reconciler(world)
    await first.reconcile(never)
    document = '{"version":1,"revision":1%s,"users":{}}' % ("0" * zeros)
    world.put_mapping({MAPPING_KEY: document.encode()})
    for operator in (first, reconciler(world)):
        await operator.reconcile(never)
        assert len(world.people().people) == 2


async def test_after_the_largest_revision_the_numbering_begins_anew(world: MemoryCluster) -> None:
    world.put_mapping(encode(Mapping(MAX_INTEGER, {})))
    first, second = reconciler(world), reconciler(world)
    await first.reconcile(never)
    assert world.people().revision == next_revision(0, NOW)
    await second.reconcile(never)
    world.writes.clear()
    await second.reconcile(never)
    await first.reconcile(never)
    assert world.writes == []


async def test_a_faulty_entry_of_somebody_else_is_repaired(world: MemoryCluster) -> None:
    await reconciler(world).reconcile(never)
    before = world.people()
    document = json.loads(encode(before)[MAPPING_KEY])
    document["users"]["no address"] = {}
    document["users"]["ana@example.com"]["revokedBefore"] = "1-01-01T00:00:00Z"
    world.put_mapping({MAPPING_KEY: json.dumps(document).encode()})
    with structlog.testing.capture_logs() as logs:
        await reconciler(world).reconcile(never)
    assert world.people().people == before.people
    assert world.people().complete
    assert "mapping.faulty" in [line["event"] for line in logs]


async def test_an_entry_that_would_not_read_back_is_left_out_with_its_condition(
    world: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that the resolver lets through is like that, so one is made up."""
    monkeypatch.setattr(module, "unreadable", lambda _: {"ana@example.com"})
    operator = reconciler(world)
    await operator.reconcile(never)
    assert set(world.people().people) == {"bob@example.com"}
    status = world.status("ana")
    assert status is not None
    assert (status.ready.reason, status.ready.true) == ("Invalid", False)
    assert "would not be read as it is written" in status.ready.message
    monkeypatch.undo()
    world.bodies["ana"]["spec"]["suspend"] = True
    await operator.reconcile(never)
    assert world.people().people["ana@example.com"].state is State.SUSPENDED


async def test_what_reads_back_otherwise_is_found(world: MemoryCluster) -> None:
    await reconciler(world).reconcile(never)
    ana, bob = world.people().people.values()
    assert unreadable([ana, bob]) == frozenset()
    odd = [
        replace(ana, user_id=0),
        replace(ana, uid=""),
        replace(ana, user="\ud800"),
        replace(ana, email="Ana@example.com"),
        replace(ana, revoked_before=datetime(2026, 1, 1, 0, 0, 0, 5, tzinfo=UTC)),
        replace(ana, user_id=10**400),
    ]
    for one in odd:
        assert unreadable([one, bob]) == {one.email}
