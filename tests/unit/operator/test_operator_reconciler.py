"""One pass over a cluster in memory: what is written, what is not, and who wins."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from harness.operatorkit import TOKEN, USERS, MemoryCluster, never, secret_body, user_body
from productive_contract.mapping import Mapping, Reason, State, encode
from productive_contract.names import MAPPING_KEY, MAPPING_KEY_GZIP
from productive_kube.errors import ApiError, Conflict, Forbidden, Unreachable
from productive_operator import size_limit
from productive_operator.conditions import decode_status
from productive_operator.publisher import MappingUnusable
from productive_operator.reconciler import Reconciler
from productive_operator.users import decode_user
from productive_operator.view import ListedUser

NOW = 1_795_500_000.0


class HeldClock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def world() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def reconciler(world: MemoryCluster, clock: HeldClock) -> Reconciler:
    return Reconciler(world, clock)


async def test_an_empty_cluster_gets_a_mapping_of_nobody(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    await reconciler.reconcile(never)
    assert world.writes == ["make_mapping", "publish"]
    assert world.people() == Mapping(int(NOW * 1000), {}, namespace=USERS)


async def test_a_person_is_published_and_gets_a_status(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.put_mapping({})
    world.add("ana")
    await reconciler.reconcile(never)
    assert world.writes == ["publish", "status ana"]
    assert world.people().people["ana@example.com"].state is State.ACTIVE
    status = world.status("ana")
    assert status is not None
    assert (status.ready.true, status.ready.reason) == (True, "Synced")
    assert world.events == []


async def test_no_change_is_no_write(world: MemoryCluster, clock: HeldClock) -> None:
    world.add("ana")
    world.add("bob", token=None)
    await Reconciler(world, clock).reconcile(never)
    world.writes.clear()
    clock.now += 3600
    reconciler = Reconciler(world, clock)
    await reconciler.reconcile(never)
    await reconciler.reconcile(never)
    assert world.writes == []


async def test_one_change_is_one_write_of_the_mapping_and_one_of_a_status(
    world: MemoryCluster, reconciler: Reconciler, clock: HeldClock
) -> None:
    world.add("ana")
    world.add("bob")
    await reconciler.reconcile(never)
    world.writes.clear()
    clock.now += 1
    world.tokens["ana-productive"] = secret_body("ana-productive", token=" ")
    await reconciler.reconcile(never)
    assert world.writes == ["publish", "status ana"]
    assert world.people().revision == int(clock.now * 1000)
    assert world.events == [("ana", "TokenEmpty")]
    world.writes.clear()
    world.tokens["bob-productive"] = secret_body("bob-productive", token="another")
    await reconciler.reconcile(never)
    assert world.writes == ["publish"]


async def test_a_mapping_is_encoded_once_for_a_change_and_not_at_all_without(
    world: MemoryCluster, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[Mapping] = []

    def counting(mapping: Mapping) -> dict[str, bytes]:
        encoded.append(mapping)
        return encode(mapping)

    monkeypatch.setattr(size_limit, "encode", counting)
    world.add("ana")
    await reconciler.reconcile(never)
    await reconciler.reconcile(never)
    assert encoded == [world.people()]
    world.add("bob")
    await reconciler.reconcile(never)
    assert encoded[1:] == [world.people()]


async def test_a_revision_rises_even_when_the_clock_falls(
    world: MemoryCluster, reconciler: Reconciler, clock: HeldClock
) -> None:
    await reconciler.reconcile(never)
    first = world.people().revision
    clock.now -= 3600
    world.add("ana")
    await reconciler.reconcile(never)
    assert world.people().revision == first + 1


async def test_a_mapping_that_was_deleted_is_made_again_with_a_higher_revision(
    world: MemoryCluster, reconciler: Reconciler, clock: HeldClock
) -> None:
    world.add("ana")
    await reconciler.reconcile(never)
    before = world.people()
    world.stored = None
    clock.now -= 3600
    await reconciler.reconcile(never)
    assert world.people() == replace(before, revision=before.revision + 1)


async def test_foreign_keys_are_removed_and_the_revision_stays(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.add("ana")
    await reconciler.reconcile(never)
    before = world.people()
    assert world.stored is not None
    world.put_mapping({**world.stored.data, "evil": b"x"})
    world.writes.clear()
    await reconciler.reconcile(never)
    assert world.writes == ["drop_keys"]
    assert set(world.stored.data) == {MAPPING_KEY}
    assert world.people() == before


async def test_a_compressed_document_beside_ours_does_not_stay(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    """Readers take the compressed one first: it must be neither believed nor left."""
    world.add("ana")
    await reconciler.reconcile(never)
    ours = world.people()
    forged = user_body("evil")
    assert world.stored is not None
    world.put_mapping({**world.stored.data, MAPPING_KEY_GZIP: json.dumps(forged).encode()})
    await reconciler.reconcile(never)
    assert set(world.stored.data) == {MAPPING_KEY}
    assert world.people().people == ours.people


@pytest.mark.parametrize(
    "data",
    [
        {},
        {MAPPING_KEY: b""},
        {MAPPING_KEY: b"{"},
        {MAPPING_KEY: b'{"version":2,"revision":1,"users":{}}'},
        {MAPPING_KEY: b'{"version":1,"revision":99,"users":{}}'},
        {MAPPING_KEY_GZIP: b"\x1f\x8b"},
        encode(Mapping(7, {})),
    ],
)
async def test_a_mapping_that_somebody_changed_is_repaired(
    world: MemoryCluster, reconciler: Reconciler, data: dict[str, bytes]
) -> None:
    world.add("ana")
    await reconciler.reconcile(never)
    before = world.people()
    world.put_mapping(data)
    await reconciler.reconcile(never)
    assert world.people().people == before.people
    assert world.people().revision > before.revision
    assert set(world.stored.data if world.stored else ()) == {MAPPING_KEY}


async def test_a_higher_revision_that_somebody_wrote_is_passed(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.add("ana")
    world.put_mapping(encode(Mapping(9_000_000_000_000, {})))
    await reconciler.reconcile(never)
    assert world.people().revision == 9_000_000_000_001


async def test_a_mapping_secret_of_another_type_is_not_changed(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.put_mapping({}, kind="Opaque")
    with pytest.raises(MappingUnusable, match="delete the Secret"):
        await reconciler.reconcile(never)
    assert world.writes == []


@pytest.mark.parametrize("method", ["mapping", "users", "secrets"])
@pytest.mark.parametrize("error", [Unreachable("list", status=0), Forbidden("list", status=403)])
async def test_a_failed_read_keeps_the_last_mapping(
    world: MemoryCluster, reconciler: Reconciler, method: str, error: ApiError
) -> None:
    world.add("ana")
    await reconciler.reconcile(never)
    before, world.writes = world.stored, []
    world.bodies.clear()
    world.tokens.clear()
    world.failing[method] = error
    with pytest.raises(ApiError):
        await reconciler.reconcile(never)
    assert world.stored is before
    assert world.writes == []


async def test_a_removal_is_published_even_if_no_status_can_be_written(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.add("ana")
    world.add("bob")
    await reconciler.reconcile(never)
    world.remove("ana")
    world.add("cleo")
    world.failing["set_status"] = Unreachable("apply", status=0)
    await reconciler.reconcile(never)
    assert set(world.people().people) == {"bob@example.com", "cleo@example.com"}


async def test_an_object_deleted_before_its_status_is_skipped(
    world: MemoryCluster, clock: HeldClock
) -> None:
    class Vanishing(MemoryCluster):
        async def users(self) -> list[ListedUser]:
            listed = await super().users()
            self.bodies.pop("ana")
            return listed

    vanishing = Vanishing()
    vanishing.add("ana")
    await Reconciler(vanishing, clock).reconcile(never)
    assert vanishing.writes == ["make_mapping", "publish"]


async def test_an_event_is_posted_once_for_each_transition(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.add("ana", token=None)
    await reconciler.reconcile(never)
    await reconciler.reconcile(never)
    world.tokens["ana-productive"] = secret_body()
    await reconciler.reconcile(never)
    world.bodies["ana"]["spec"]["suspend"] = True
    await reconciler.reconcile(never)
    await reconciler.reconcile(never)
    assert world.events == [
        ("ana", "TokenSecretNotFound"),
        ("ana", "Synced"),
        ("ana", "Suspended"),
    ]


async def test_an_event_that_cannot_be_posted_stops_nothing(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.add("ana", token=None)
    world.failing["post_event"] = Forbidden("create", status=403)
    await reconciler.reconcile(never)
    status = world.status("ana")
    assert status is not None
    assert status.ready.reason == Reason.TOKEN_SECRET_NOT_FOUND


async def test_no_output_holds_a_token(world: MemoryCluster, reconciler: Reconciler) -> None:
    world.add("ana")
    world.add("bob", email="ana@example.com", age=1)
    world.put_mapping({"users.json": TOKEN.encode(), TOKEN: b""})
    with structlog.testing.capture_logs() as logs:
        await reconciler.reconcile(never)
    seen = repr([logs, world.events, [world.status(name) for name in world.bodies]])
    assert "mapping.published" in seen
    assert TOKEN not in seen.replace(f"keys': ['{TOKEN}']", "")


async def test_the_reconciler_recognises_its_own_writes(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.add("ana")
    assert not reconciler.is_expected(world.stored)
    await reconciler.reconcile(never)
    assert reconciler.is_expected(world.stored)
    assert not reconciler.is_expected(None)
    body = world.bodies["ana"]
    user, status = decode_user(body), decode_status(body)
    assert reconciler.is_settled(user, status)
    assert not reconciler.is_settled(user, None)
    body["metadata"]["generation"] = 2
    assert not reconciler.is_settled(decode_user(body), status)
    body["metadata"] |= {"generation": 1, "deletionTimestamp": "2026-11-23T10:00:00Z"}
    assert not reconciler.is_settled(decode_user(body), status)
    body["metadata"]["uid"] = "another"
    assert not reconciler.is_settled(decode_user(body), status)


async def test_the_reconciler_knows_which_secrets_it_has_listed(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.add("ana")
    world.tokens["ana-productive"]["metadata"] |= {"uid": "u", "resourceVersion": "7"}
    assert not reconciler.has_listed("u/7")
    await reconciler.reconcile(never)
    assert reconciler.has_listed("u/7")
    assert not reconciler.has_listed("u/8")


class Interrupted(MemoryCluster):
    """Runs something else between the lists of one pass and its publication."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Reconciler | None = None

    async def secrets(self):  # type: ignore[no-untyped-def]
        found = await super().secrets()
        other, self.meanwhile = self.meanwhile, None
        if other is not None:
            self.remove("ana")
            await other.reconcile(never)
        return found


@pytest.mark.attack("R-14")
@pytest.mark.parametrize("mapping_exists", [True, False])
async def test_a_pass_that_was_overtaken_publishes_nothing(
    clock: HeldClock, mapping_exists: bool
) -> None:
    world = Interrupted()
    if mapping_exists:
        world.put_mapping({})
    world.add("ana")
    world.add("bob")
    slow, fast = Reconciler(world, clock), Reconciler(world, clock)
    world.meanwhile = fast
    with pytest.raises(Conflict):
        await slow.reconcile(never)
    assert set(world.people().people) == {"bob@example.com"}
    await slow.reconcile(never)
    assert set(world.people().people) == {"bob@example.com"}
    assert world.writes.count("publish") == 1


@pytest.mark.attack("R-14")
async def test_a_mapping_deleted_during_a_pass_is_not_made_from_its_stale_view(
    clock: HeldClock,
) -> None:
    class Deleting(MemoryCluster):
        async def users(self) -> list[ListedUser]:
            listed = await super().users()
            self.stored = None
            return listed

    world = Deleting()
    world.put_mapping({})
    world.add("ana")
    with pytest.raises(Conflict):
        await Reconciler(world, clock).reconcile(never)
    assert world.stored is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "token", "suspend", "delete_mapping", "drift", "pass"]),
        st.sampled_from(["ana", "bob", "cleo"]),
        st.integers(0, 1),
    ),
    max_size=25,
)


@given(STEPS)
async def test_after_any_history_a_pass_of_either_operator_publishes_the_truth(
    steps: list[tuple[str, str, int]],
) -> None:
    world, clock = MemoryCluster(), HeldClock()
    clock.now = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
    operators = [Reconciler(world, clock), Reconciler(world, clock)]
    revision = 0
    for step, name, which in steps:
        clock.now += 1
        match step:
            case "add":
                world.add(name, age=which)
            case "remove":
                world.bodies.pop(name, None)
            case "token":
                world.tokens.pop(f"{name}-productive", None)
            case "suspend" if name in world.bodies:
                world.bodies[name]["spec"]["suspend"] = bool(which)
            case "delete_mapping":
                world.stored = None
            case "drift":
                world.put_mapping({name: b"x", MAPPING_KEY: b"{}"})
            case "pass":
                await operators[which].reconcile(never)
                assert world.people().revision >= revision
                revision = world.people().revision
    await operators[0].reconcile(never)
    active = {p.user for p in world.people().people.values() if p.state is State.ACTIVE}
    assert active == {
        f"acme-users/{name}"
        for name, body in world.bodies.items()
        if f"{name}-productive" in world.tokens and not body["spec"].get("suspend")
    }
    world.writes.clear()
    await operators[1].reconcile(never)
    assert world.writes == []
