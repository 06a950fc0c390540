"""Refreshes that ask the provider, in any order of their steps, some of them never finished.

The provider accepts each of its tokens once, as the strictest ones do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from harness.grantkit import NOW, RESOURCE, RING, active, refresh_of
from productive_contract.clock import system_entropy
from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.grants.config import LEASE, SKEW, GrantConfig
from productive_gateway.grants.grant import Cause, Grant, GrantState, Refusal
from productive_gateway.grants.provider import (
    Account,
    Answer,
    Confirmed,
    Denied,
    Reply,
    Unanswered,
    Unproven,
    open_token,
    reply_to,
    seal_token,
)
from productive_gateway.grants.steps import (
    Advance,
    Ask,
    End,
    Keep,
    Lease,
    Refresh,
    Refuse,
    Repeat,
    Step,
    Wait,
)
from productive_gateway.grants.transitions import refresh

CONFIG = GrantConfig(RESOURCE)
FAILURE = Unavailable("The provider is away. Try again.", reason="token_status_500")


def of_provider(**changes: object) -> Grant:
    grant = active(absolute_end=NOW + CONFIG.absolute_life_asked)
    sealed = seal_token(RING, Secret("token-0"), grant.name, system_entropy)
    return replace(grant, upstream=sealed, **changes)  # type: ignore[arg-type]


def step_of(grant: Grant, claim: Refresh, now: float = NOW) -> Step:
    return refresh(grant, claim, RING, None, CONFIG, now=now)


def replied(claim: Refresh, answer: Answer, sealed: str = "sealed-1") -> Refresh:
    return replace(claim, reply=Reply(answer, sealed))


# --- one step at a time


def test_the_lease_is_taken_before_the_provider_is_asked() -> None:
    grant = of_provider()
    claim = refresh_of(grant)
    step = step_of(grant, claim)
    assert step == Lease(replace(grant, lease="refreshed", lease_end=NOW + LEASE, asks=1))
    assert isinstance(step, Lease)
    assert step_of(step.grant, claim) == Ask(claim)


@pytest.mark.attack("J-03", "J-13")
@pytest.mark.parametrize("later", [-SKEW, 0, LEASE, LEASE + SKEW - 0.1])
def test_others_wait_until_a_lease_is_over_by_any_clock(later: float) -> None:
    grant = of_provider(lease="another", lease_end=NOW + LEASE, asks=1)
    assert step_of(grant, refresh_of(grant), NOW + later) == Wait()


def test_a_lease_that_is_over_is_taken_and_the_use_counted() -> None:
    grant = of_provider(lease="another", lease_end=NOW + LEASE, asks=1)
    step = step_of(grant, refresh_of(grant), NOW + LEASE + SKEW)
    assert isinstance(step, Lease)
    assert (step.grant.lease, step.grant.asks) == ("refreshed", 2)


def test_a_confirmation_makes_the_next_generation_with_the_new_token() -> None:
    grant = of_provider(lease="refreshed", lease_end=NOW + LEASE, asks=2)
    step = step_of(grant, replied(refresh_of(grant), Confirmed(None, None)))
    assert isinstance(step, Advance)
    made = step.grant
    assert (made.generation, made.upstream, made.lease, made.asks) == (2, "sealed-1", "", 0)


def test_a_token_that_cannot_be_verified_is_kept_and_nothing_is_issued() -> None:
    grant = of_provider(lease="refreshed", lease_end=NOW + LEASE, asks=1)
    step = step_of(grant, replied(refresh_of(grant), Unproven(None, FAILURE)))
    free = replace(grant, lease="", lease_end=0.0)
    assert step == Keep(replace(free, upstream="sealed-1", asks=0), FAILURE)


def test_without_an_answer_the_lease_ends_and_the_doubt_stays() -> None:
    grant = of_provider(lease="refreshed", lease_end=NOW + LEASE, asks=1)
    step = step_of(grant, replied(refresh_of(grant), Unanswered(FAILURE)))
    assert step == Keep(replace(grant, lease="", lease_end=0.0), FAILURE)


def test_a_grant_that_lost_the_providers_token_lives_as_one_that_never_had_it() -> None:
    # As a replica of a release that does not know the token stores it.
    grant = replace(of_provider(), upstream="")
    week = NOW + CONFIG.absolute_life
    assert grant.end(CONFIG) == week
    used = replace(grant, rotated_at=week - 1)
    assert isinstance(step_of(used, refresh_of(used), week - 0.1), Advance)
    step = step_of(used, refresh_of(used), week)
    assert isinstance(step, End)
    assert step.cause is Cause.EXPIRED


@pytest.mark.parametrize(
    ("asks", "said", "cause"),
    [
        (1, Cause.UPSTREAM_REFUSED, Cause.UPSTREAM_REFUSED),
        (2, Cause.UPSTREAM_REFUSED, Cause.UPSTREAM_TOKEN_LOST),
        (2, Cause.UPSTREAM_IDENTITY, Cause.UPSTREAM_IDENTITY),
    ],
)
def test_a_denial_ends_the_grant_which_keeps_no_token(asks: int, said: Cause, cause: Cause) -> None:
    grant = of_provider(lease="refreshed", lease_end=NOW + LEASE, asks=asks)
    step = step_of(grant, replied(refresh_of(grant), Denied(said)))
    assert isinstance(step, End)
    assert step.cause is cause
    assert (step.grant.upstream, step.grant.lease, step.grant.asks) == ("", "", 0)


@pytest.mark.attack("J-13")
@pytest.mark.parametrize("answer", [Denied(Cause.UPSTREAM_REFUSED), Unanswered(FAILURE)])
def test_an_answer_without_the_lease_changes_nothing(answer: Answer) -> None:
    grant = of_provider(lease="another", lease_end=NOW + LEASE, asks=2)
    step = step_of(grant, replied(refresh_of(grant), answer))
    assert step in (Wait(), Keep(grant, FAILURE))


def test_a_confirmation_counts_even_without_the_lease() -> None:
    grant = of_provider(lease="another", lease_end=NOW + LEASE, asks=2)
    assert isinstance(step_of(grant, replied(refresh_of(grant), Confirmed(None, None))), Advance)


def test_a_grant_without_a_token_of_the_provider_is_refreshed_in_one_step() -> None:
    assert isinstance(step_of(active(), refresh_of(active())), Advance)


def test_person_who_may_not_refresh_does_not_use_the_providers_token() -> None:
    grant = of_provider()
    refused = refresh(grant, refresh_of(grant), RING, Refusal.PERSON_GONE, CONFIG, now=NOW)
    assert refused == Refuse(Refusal.PERSON_GONE)
    wider = refresh_of(grant, scopes=frozenset({"productive:admin"}))
    assert step_of(grant, wider) == Refuse(Refusal.SCOPE)
    assert isinstance(step_of(grant, refresh_of(grant), grant.absolute_end), End)


# --- any order


@dataclass
class Provider:
    """It rotates its token at each use and knows the latest one only."""

    uses: int = 0
    disabled: bool = False
    refused: list[str] = field(default_factory=list)

    def use(self, token: str, kind: str) -> Answer:
        if kind == "unreachable":
            return Unanswered(FAILURE)
        if self.disabled or token != f"token-{self.uses}":
            self.refused.append(token)
            return Denied(Cause.UPSTREAM_REFUSED)
        self.uses += 1
        new = Secret(f"token-{self.uses}")
        return {
            "confirmed": Confirmed(new, None),
            "unproven": Unproven(new, FAILURE),
            "lost": Unanswered(FAILURE),
        }[kind]


@dataclass
class Asking:
    """One request: what it presents, what it read, and what it is about to do."""

    claim: Refresh
    version: int = -1
    grant: Grant | None = None
    step: Step | None = None
    done: bool = False


@dataclass
class World:
    """A grant, its provider, and requests that take one step at a time."""

    grant: Grant = field(default_factory=of_provider)
    provider: Provider = field(default_factory=Provider)
    now: float = NOW
    version: int = 0
    requests: list[Asking] = field(default_factory=list)
    advances: int = 0
    kept: int = 0
    cause: Cause | None = None

    def begin(self) -> None:
        claim = refresh_of(active(), attempt=f"attempt-{len(self.requests)}")
        self.requests.append(Asking(claim))

    def move(self, request: Asking, kind: str, skew: float) -> None:
        """Take the next step: ask, write, or else read and decide."""
        step, request.step = request.step, None
        match step:
            case Ask() if request.grant is not None:
                token = open_token(RING, request.grant).reveal()
                answer = self.provider.use(token, kind)
                reply = reply_to(request.grant, None, answer, RING, system_entropy)
                request.claim = replace(step.claim, reply=reply)
                request.step = self.decide(request, skew)
            case Lease() | Advance() | Keep() | End() if request.version == self.version:
                self.write(request, step)
                if not request.done:
                    request.version = self.version
                    request.step = self.decide(request, skew)
            case _:
                request.version = self.version
                request.step = self.decide(request, skew)

    def decide(self, request: Asking, skew: float) -> Step | None:
        request.grant = self.grant if request.version == self.version else request.grant
        assert request.grant is not None
        step = step_of(request.grant, request.claim, self.now + skew)
        request.done = isinstance(step, Repeat | Refuse)
        return None if isinstance(step, Wait) else step

    def write(self, request: Asking, step: Lease | Advance | Keep | End) -> None:
        self.grant, self.version = step.grant, self.version + 1
        request.grant, request.done = step.grant, not isinstance(step, Lease)
        self.advances += isinstance(step, Advance)
        self.cause = step.cause if isinstance(step, End) else self.cause


KINDS = st.sampled_from(["confirmed", "confirmed", "unproven", "lost", "unreachable"])
MOVES = st.tuples(st.just("move"), st.integers(0, 5), KINDS)
BEGINS = st.tuples(st.just("begin"), st.just(0), st.just(""))
CRASHES = st.tuples(st.just("crash"), st.integers(0, 5), st.just(""))
TICKS = st.tuples(st.just("tick"), st.integers(1, 60), st.just(""))
SKEWS = st.lists(st.floats(-SKEW / 2, SKEW / 2), min_size=6, max_size=6)


def play(
    actions: list[tuple[str, int, str]], skews: list[float], provider: Provider | None = None
) -> World:
    world = World(provider=provider or Provider())
    world.begin()
    for action, number, kind in actions:
        living = [request for request in world.requests if not request.done]
        if action == "begin" and len(world.requests) < 6:
            world.begin()
        elif action == "tick":
            world.now += number
        elif living and action == "crash":
            living[number % len(living)].done = True
        elif living and action == "move":
            chosen = living[number % len(living)]
            world.move(chosen, kind, skews[world.requests.index(chosen)])
    return world


@pytest.mark.attack("J-03", "J-13")
@settings(max_examples=250, deadline=None)
@given(st.lists(st.one_of(MOVES, MOVES, BEGINS), max_size=60), SKEWS)
def test_a_token_of_the_provider_is_used_once_by_requests_that_keep_their_lease(
    actions: list[tuple[str, int, str]], skews: list[float]
) -> None:
    """Nobody dies, and all is done within the lease: only a lost answer can lose a token."""
    world = play(actions, skews)
    event(f"generation {world.grant.generation}")
    lost = any(kind == "lost" for _, _, kind in actions)
    assert lost or not world.provider.refused
    assert world.grant.generation - 1 == world.advances <= 1
    if not lost and not any(request.step for request in world.requests if not request.done):
        assert open_token(RING, world.grant).reveal() == f"token-{world.provider.uses}"


@pytest.mark.attack("J-06", "J-13")
@settings(max_examples=250, deadline=None)
@given(st.lists(st.one_of(MOVES, MOVES, BEGINS, CRASHES, TICKS), max_size=80), SKEWS)
def test_a_lost_token_is_never_taken_for_an_account_that_is_refused(
    actions: list[tuple[str, int, str]], skews: list[float]
) -> None:
    """Requests die or sleep beyond their lease; the account stays good all the time."""
    world = play(actions, skews)
    event(f"ended by {world.cause}")
    assert world.cause in (None, Cause.UPSTREAM_TOKEN_LOST, Cause.REFRESH_REUSE)
    assert world.grant.generation - 1 == world.advances <= 1
    assert (world.grant.state is GrantState.GONE) == (world.cause is not None)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(MOVES, MOVES, BEGINS, CRASHES, TICKS), max_size=60), SKEWS)
def test_an_account_that_is_refused_gets_nothing(
    actions: list[tuple[str, int, str]], skews: list[float]
) -> None:
    world = play(actions, skews, Provider(disabled=True))
    assert world.advances == 0


def test_an_account_of_another_issuer_is_another_account() -> None:
    grant = of_provider()
    for account in (
        Account("https://other.example", "subject-of-ana", None),
        Account("https://idp.example", "another", None),
    ):
        reply = reply_to(grant, None, Confirmed(None, account), RING, system_entropy)
        assert reply.answer == Denied(Cause.UPSTREAM_IDENTITY)
