"""Passes that list only what may have changed: they publish what a full pass would publish."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Awaitable, Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.operatorkit import MemoryCluster, Object, never, secret_body, user_body
from productive_contract.mapping import Mapping as People
from productive_contract.mapping import State, encode
from productive_kube.errors import ApiError, Conflict, Refused, Unreachable
from productive_operator import handlers
from productive_operator.changes import EVERYTHING, NOTHING, Changes, secret_named, user_named
from productive_operator.conditions import Status
from productive_operator.listing import MOST_NAMES
from productive_operator.reconciler import Pass, Reconciler
from productive_operator.scheduler import Scheduler
from productive_operator.statuses import AT_LEAST
from productive_operator.users import User
from productive_operator.view import StoredMapping
from productive_operator.watches import PROOF_SECONDS

ANA = user_named("ana")


class Ticks:
    """A clock that never shows the same time twice."""

    def __init__(self) -> None:
        self.now = 1_795_500_000.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


@pytest.fixture
def clock() -> Ticks:
    return Ticks()


@pytest.fixture
def world() -> MemoryCluster:
    world = MemoryCluster()
    for name in ("ana", "bob", "cleo"):
        world.add(name)
    return world


@pytest.fixture
async def reconciler(world: MemoryCluster, clock: Ticks) -> Reconciler:
    """One that has made a full pass."""
    reconciler = Reconciler(world, clock, monotonic=clock)
    assert (await reconciler.reconcile(never)).full
    world.listed.clear()
    world.writes.clear()
    return reconciler


async def test_of_a_change_only_its_names_are_listed(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.bodies["ana"]["spec"]["suspend"] = True
    done = await reconciler.reconcile(never, ANA)
    assert world.listed == ["ana", "ana-productive"]
    assert world.writes == ["publish", "status ana"]
    assert world.people().people["ana@example.com"].state is State.SUSPENDED
    assert done == Pass(people=3, finished=True, full=False)


async def test_what_is_gone_or_new_is_found_by_its_name(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.remove("ana")
    world.add("dan")
    await reconciler.reconcile(never, ANA | user_named("dan"))
    assert "*" not in world.listed
    assert set(world.people().people) == {f"{name}@example.com" for name in ("bob", "cleo", "dan")}
    assert (await reconciler.reconcile(never)).people == 3


async def test_an_event_without_a_change_is_no_write(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    for _ in range(2):
        done = await reconciler.reconcile(never, ANA | secret_named("nobody-s"))
        assert not done.full
    assert world.writes == []


async def test_the_statuses_that_a_pass_wrote_are_not_written_again(world: MemoryCluster) -> None:
    reconciler = Reconciler(world, Ticks())
    await reconciler.reconcile(never)
    world.bodies["bob"]["spec"]["suspend"] = True
    await reconciler.reconcile(never, user_named("bob"))
    await reconciler.reconcile(never, ANA)
    statuses = [write for write in world.writes if write.startswith("status")]
    assert statuses == ["status ana", "status bob", "status cleo", "status bob"]


async def test_an_older_holder_of_an_address_who_goes_leaves_it_to_the_younger(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    world.add("dan", age=9, email="ana@example.com")
    await reconciler.reconcile(never, user_named("dan"))
    assert world.events == [("dan", "EmailConflict")]
    world.remove("ana")
    await reconciler.reconcile(never, ANA)
    assert "*" not in world.listed
    assert world.people().people["ana@example.com"].user == "acme-users/dan"
    assert world.events[1:] == [("dan", "Synced")]


async def _somebody_else_writes(world: MemoryCluster, reconciler: Reconciler) -> None:
    assert world.stored is not None
    world.put_mapping(world.stored.data)


async def _mapping_is_deleted(world: MemoryCluster, reconciler: Reconciler) -> None:
    world.stored = None


async def _mapping_is_made_anew(world: MemoryCluster, reconciler: Reconciler) -> None:
    assert world.stored is not None
    world.stored = StoredMapping(
        "another", world.stored.resource_version, world.stored.type, world.stored.data
    )


async def _watch_is_in_doubt(world: MemoryCluster, reconciler: Reconciler) -> None:
    world.tokens["bob-productive"]["metadata"]["resourceVersion"] = "2"
    await reconciler.reconcile(never)
    assert reconciler.watches.secrets.in_doubt


async def _pass_fails(world: MemoryCluster, reconciler: Reconciler) -> None:
    world.failing["user"] = Unreachable("list", status=0)
    with pytest.raises(ApiError):
        await reconciler.reconcile(never, ANA)
    world.failing.clear()


async def _publication_conflicts(world: MemoryCluster, reconciler: Reconciler) -> None:
    world.bodies["ana"]["spec"]["suspend"] = True
    world.failing["publish"] = Conflict("apply", status=409)
    with pytest.raises(Conflict):
        await reconciler.reconcile(never, ANA)
    world.failing.clear()


async def _status_is_refused(world: MemoryCluster, reconciler: Reconciler) -> None:
    world.bodies["ana"]["spec"]["suspend"] = True
    world.refusing["ana"] = Refused("apply", status=422)
    assert not (await reconciler.reconcile(never, ANA)).full


async def _statuses_are_postponed(world: MemoryCluster, reconciler: Reconciler) -> None:
    for number in range(AT_LEAST + 1):
        world.add(f"p{number}")
    _report(reconciler)
    assert not (await reconciler.reconcile(lambda: True)).finished


def _report(reconciler: Reconciler) -> None:
    """Let both watches report something, so that what changed proves nothing against them."""
    for watch in reconciler.watches:
        watch.report()


@pytest.mark.parametrize(
    "doubt",
    [
        _somebody_else_writes,
        _mapping_is_deleted,
        _mapping_is_made_anew,
        _watch_is_in_doubt,
        _pass_fails,
        _publication_conflicts,
        _status_is_refused,
        _statuses_are_postponed,
    ],
)
async def test_on_any_doubt_everything_is_listed_once(
    world: MemoryCluster,
    reconciler: Reconciler,
    doubt: Callable[[MemoryCluster, Reconciler], Awaitable[None]],
) -> None:
    await doubt(world, reconciler)
    world.listed.clear()
    assert (await reconciler.reconcile(never, user_named("cleo"))).full
    assert world.listed == ["*"]
    _report(reconciler)
    assert not (await reconciler.reconcile(never, user_named("cleo"))).full


async def test_everything_is_listed_at_the_start(world: MemoryCluster, clock: Ticks) -> None:
    assert (await Reconciler(world, clock).reconcile(never, ANA)).full


async def test_everything_is_listed_when_asked_for(
    world: MemoryCluster, reconciler: Reconciler
) -> None:
    assert (await reconciler.reconcile(never, ANA | EVERYTHING)).full
    assert world.listed == ["*"]


async def test_everything_is_listed_while_a_watch_is_dead(
    world: MemoryCluster, reconciler: Reconciler, clock: Ticks
) -> None:
    await _watch_is_in_doubt(world, reconciler)
    clock.now += PROOF_SECONDS
    await reconciler.reconcile(never)
    assert reconciler.watches.secrets.dead
    assert (await reconciler.reconcile(never, ANA)).full


@pytest.mark.parametrize("kind", ["users", "secrets", "referring users"])
@pytest.mark.parametrize("more", [0, 1])
async def test_everything_is_listed_instead_of_too_many_names(
    world: MemoryCluster, reconciler: Reconciler, kind: str, more: int
) -> None:
    names = [f"p{number}" for number in range(MOST_NAMES + more)]
    changes = Changes(**{kind: frozenset(names)}) if kind != "referring users" else NOTHING
    if kind == "referring users":
        for name in names[1:]:
            world.add(name, token=None, apiTokenSecretRef={"name": "shared"})
        _report(reconciler)
        await reconciler.reconcile(never)
        changes = secret_named("shared")
    done = await reconciler.reconcile(never, changes)
    assert done.full is bool(more)


async def test_partial_lists_prove_no_watch_dead(
    world: MemoryCluster, reconciler: Reconciler, clock: Ticks
) -> None:
    """Of a partial view most is as old as the last full one, and reports came in between."""
    world.tokens["bob-productive"]["metadata"]["resourceVersion"] = "2"
    reconciler.watches.secrets.report()
    await reconciler.reconcile(never, ANA)
    for _ in range(2):
        clock.now += PROOF_SECONDS
        await reconciler.reconcile(never)
    assert not reconciler.watches.doubtful


class Queue(Scheduler):
    """What the handlers of one operator asked for; its passes are made by the test."""

    def __init__(self, reconciler: Reconciler) -> None:
        super().__init__(reconciler.reconcile, reconciler.watches)
        self.asked = EVERYTHING

    def enqueue(self, kind: str, changes: Changes = EVERYTHING) -> None:
        super().enqueue(kind, changes)
        self.asked |= changes


class Operator:
    """One operator, with the events that have not reached it yet."""

    def __init__(self, world: World) -> None:
        self.reconciler = Reconciler(world, world.clock, monotonic=world.clock)
        self.queue = Queue(self.reconciler)
        self.events: list[tuple[str, str, Object]] = []
        self.missed = False
        """Whether events were lost since the last full pass."""

    def deliver(self, number: int, *, again: bool) -> None:
        """Hand over one of the events, in any order; it may come again."""
        if not self.events:
            return
        number %= len(self.events)
        kind, change, body = self.events[number] if again else self.events.pop(number)
        event = {"type": change, "object": body}
        handle = handlers.user_changed if kind == "user" else handlers.secret_changed
        handle(event, self.queue, self.reconciler)  # type: ignore[arg-type]

    def lose(self) -> None:
        self.missed |= bool(self.events)
        self.events.clear()

    async def make_pass(self) -> None:
        changes, self.queue.asked = self.queue.asked, NOTHING
        try:
            done = await self.reconciler.reconcile(never, changes)
        except Conflict:
            # Its next pass lists everything, whatever it is asked for.
            return
        self.missed &= not done.full

    async def resync(self) -> None:
        self.queue.asked = EVERYTHING
        await self.make_pass()


class World(MemoryCluster):
    """A cluster whose operators hear of each change, sooner or later or never."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Ticks()
        self.operators = [Operator(self), Operator(self)]
        self.meanwhile: Operator | None = None
        """Makes a pass after another operator has read the mapping."""
        self.deleted: set[str] = set()
        """uids of ProductiveUsers that are gone."""
        self.unpublished: set[str] = set()
        """Those of them without whom the mapping was published."""
        self._numbers = itertools.count(1)

    def put(self, name: str, *, age: int, **spec: object) -> None:
        change = "MODIFIED" if name in self.bodies else "ADDED"
        number = next(self._numbers)
        body = user_body(name, age=age, uid=f"uid-{number}", **spec)
        if name in self.bodies:
            before = self.bodies[name]
            body["metadata"] = copy.deepcopy(before["metadata"])
            body["metadata"]["generation"] += before["spec"] != body["spec"]
            body["status"] = before.get("status", {})
        self.bodies[name] = body
        self._tell("user", change, body)

    def drop(self, name: str) -> None:
        if body := self.bodies.pop(name, None):
            self.deleted.add(body["metadata"]["uid"])
            self._tell("user", "DELETED", body)

    def put_secret(self, name: str, token: str) -> None:
        change = "MODIFIED" if name in self.tokens else "ADDED"
        body = secret_body(name, token=token)
        body["metadata"] |= {"uid": f"uid-of-{name}", "resourceVersion": str(next(self._numbers))}
        self.tokens[name] = body
        self._tell("secret", change, body)

    def drop_secret(self, name: str) -> None:
        if body := self.tokens.pop(name, None):
            self._tell("secret", "DELETED", body)

    async def mapping(self) -> StoredMapping | None:
        found = await super().mapping()
        other, self.meanwhile = self.meanwhile, None
        if other is not None:
            await other.resync()
        return found

    async def publish(self, stored: StoredMapping, data: Mapping[str, bytes]) -> StoredMapping:
        published = await super().publish(stored, data)
        uids = {person.uid for person in self.people().people.values()}
        assert not uids & self.unpublished, "somebody who was removed is back"
        self.unpublished |= self.deleted - uids
        return published

    async def set_status(self, user: User, status: Status) -> None:
        await super().set_status(user, status)
        self._tell("user", "MODIFIED", self.bodies[user.name])

    async def settled(self) -> bool:
        """Return whether a full pass of a new operator would write nothing."""
        other = MemoryCluster()
        other.bodies, other.tokens = copy.deepcopy((self.bodies, self.tokens))
        other.stored = self.stored
        await Reconciler(other, self.clock).reconcile(never)
        return not other.writes

    def _tell(self, kind: str, change: str, body: Object) -> None:
        for operator in self.operators:
            operator.events.append((kind, change, copy.deepcopy(body)))


NAMES = ["ana", "bob", "cleo"]
SECRETS = ["ana-productive", "bob-productive", "shared"]
EMAILS = ["ana@example.com", "bob@example.com", "cleo@example.com"]
Step = tuple[object, ...]
WHICH = st.integers(0, 1)
CHANGES = st.one_of(
    st.tuples(
        st.just("put"),
        st.sampled_from(NAMES),
        st.integers(0, 2),
        st.sampled_from(EMAILS),
        st.sampled_from(SECRETS),
        st.booleans(),
    ),
    st.tuples(st.just("drop"), st.sampled_from(NAMES)),
    st.tuples(st.just("put_secret"), st.sampled_from(SECRETS), st.sampled_from(["t", "", "u"])),
    st.tuples(st.just("drop_secret"), st.sampled_from(SECRETS)),
)
EVENTS = st.one_of(
    st.tuples(st.just("deliver"), WHICH, st.integers(0, 20), st.booleans()),
    st.tuples(st.just("lose"), WHICH),
    st.tuples(st.sampled_from(["drift", "delete mapping"])),
)
PASSES = st.tuples(st.sampled_from(["hear and pass", "pass", "race", "resync"]), WHICH)
ROUNDS = st.lists(
    st.tuples(st.lists(CHANGES, max_size=2), st.lists(EVENTS, max_size=2), PASSES), max_size=8
)


async def _take(world: World, step: Step) -> None:
    match step:
        case "put", str(name), int(age), str(email), str(secret), bool(suspend):
            world.put(
                name, age=age, email=email, apiTokenSecretRef={"name": secret}, suspend=suspend
            )
        case "drop", str(name):
            world.drop(name)
        case "put_secret", str(name), str(token):
            world.put_secret(name, token)
        case "drop_secret", str(name):
            world.drop_secret(name)
        case "deliver", int(which), int(number), bool(again):
            world.operators[which].deliver(number, again=again)
        case "lose", int(which):
            world.operators[which].lose()
        case ("pass" | "hear and pass" | "race" | "resync") as kind, int(which):
            await _pass(world, world.operators[which], kind)
        case ("drift",):
            world.put_mapping(encode(People(1, {})))
        case ("delete mapping",):
            world.stored = None
        case _:
            raise AssertionError(step)


async def _pass(world: World, operator: Operator, kind: str) -> None:
    match kind:
        case "hear and pass":
            while operator.events:
                operator.deliver(0, again=False)
        case "race":
            world.meanwhile = next(other for other in world.operators if other is not operator)
        case "resync":
            operator.queue.asked = EVERYTHING
    heard = not operator.events
    await operator.make_pass()
    world.meanwhile = None
    if kind == "resync" or (kind != "race" and heard and not operator.missed):
        assert await world.settled(), "a full pass would have published something else"


@settings(max_examples=150)
@given(ROUNDS)
async def test_after_any_history_both_kinds_of_pass_publish_the_same(
    rounds: list[tuple[list[Step], list[Step], Step]],
) -> None:
    """Events come late, again, in any order or never, to two operators with one mapping.

    Whoever has heard everything publishes what a full pass would publish, and a resync makes up
    for what was lost. In no case does somebody reappear without whom the mapping was published.
    """
    world = World()
    for name, secret in zip(NAMES, SECRETS, strict=True):
        world.put_secret(secret, "t")
        world.put(name, age=0, apiTokenSecretRef={"name": secret})
    for operator in world.operators:
        await _pass(world, operator, "hear and pass")
    for changes, events, passing in rounds:
        for step in (*changes, *events, passing):
            await _take(world, step)
    for operator in world.operators:
        if operator.missed:
            await operator.resync()
    for operator in world.operators:
        await _pass(world, operator, "hear and pass")
    assert await world.settled()
