"""The limits of token and organization: exact, fair, honest about waits, divided by replicas."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.productive.wire.errors import Limit, RateLimited
from productive_gateway.productive.wire.limiter import (
    ORGANIZATION_SECONDS,
    TOKEN_SECONDS,
    Limiter,
    Sender,
)

SHARE = REGISTRY.restricted_registry(["productive_mcp_budget_requests"])
"""Reading one value of the whole registry takes longer with each series of other tests."""

HOUR = 3600.0
WIRE = Limiter.__module__.rpartition(".")[0]


@dataclass
class Time:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def of(person: str, organization: str = "1200", token: str = "") -> Sender:
    return Sender(token or f"token-{person}", organization, person)


def limiter(
    clock: Time, *, token: int = 1_000, organization: int = 40, replicas: int = 1
) -> Limiter:
    """Of an organization with 36 requests, unless said otherwise."""
    return Limiter(
        token_requests=token, organization_requests=organization, replicas=replicas, clock=clock
    )


def sent(limits: Limiter, sender: Sender) -> int:
    """Send until it is refused; return how many requests were allowed."""
    count = 0
    while True:
        try:
            limits.take(sender)
        except RateLimited:
            return count
        count += 1


def refusal(limits: Limiter, sender: Sender) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        limits.take(sender)
    return caught.value


# --- one token


def test_token_has_ninety_requests_in_any_ten_seconds() -> None:
    clock = Time()
    limits = Limiter(clock=clock)
    assert sent(limits, of("ana")) == 90
    refused = refusal(limits, of("ana"))
    assert (refused.limit, refused.retry_after) == (Limit.TOKEN, TOKEN_SECONDS)
    clock.now += TOKEN_SECONDS
    assert sent(limits, of("ana")) == 90


def test_token_is_divided_by_three_replicas_at_most() -> None:
    for replicas, share in [(1, 90), (2, 45), (3, 30), (10, 30)]:
        assert sent(Limiter(clock=Time(), replicas=replicas), of("ana")) == share


# --- the people of one organization


def test_one_person_gets_half_and_is_told_that_it_is_their_part() -> None:
    limits = limiter(Time())
    assert sent(limits, of("ana")) == 18
    refused = refusal(limits, of("ana"))
    assert (refused.limit, refused.retry_after) == (Limit.SHARE, ORGANIZATION_SECONDS)


def test_loop_of_one_person_leaves_requests_for_all_others() -> None:
    clock = Time()
    limits = limiter(clock, organization=4_000)
    sent(limits, of("loop"))
    for number in range(100):
        for _ in range(10):
            limits.take(of(f"person-{number}"))
        clock.now += 1
        sent(limits, of("loop"))


def test_nobody_starves_beside_people_who_send_whatever_they_may() -> None:
    clock = Time()
    limits = limiter(clock, organization=1_000)
    greedy = [of(f"person-{number}") for number in range(4)]
    while clock.now < Time.now + 3 * HOUR:
        clock.now += 60
        for person in greedy:
            sent(limits, person)
        assert limits.requests_left(of("newcomer")) >= 900 // 2 ** (len(greedy) + 1)


def test_empty_window_is_everybody_s_wait() -> None:
    limits = limiter(Time())
    for number in range(8):
        sent(limits, of(f"person-{number}"))
    assert refusal(limits, of("newcomer")).limit is Limit.ORGANIZATION


def test_organizations_have_budgets_of_their_own() -> None:
    limits = limiter(Time())
    sent(limits, of("ana"))
    assert sent(limits, of("ana", "1300", token="other")) == 18


def test_remaining_requests_are_the_smaller_of_both_limits() -> None:
    clock = Time()
    limits = limiter(clock, token=10)
    assert limits.requests_left(of("ana")) == 10
    limits.take(of("ana"))
    assert limits.requests_left(of("ana")) == 9
    clock.now += TOKEN_SECONDS
    for _ in range(9):
        limits.take(of("ana"))
    clock.now += TOKEN_SECONDS
    left = limits.requests_left(of("ana"))
    assert left == 8
    assert sent(limits, of("ana")) == left


# --- what Productive says


def test_refused_token_waits_and_no_other() -> None:
    clock = Time()
    limits = limiter(clock)
    limits.pause(of("ana"), RateLimited(7))
    assert refusal(limits, of("ana")).retry_after == 7
    assert limits.requests_left(of("ana")) == 0
    limits.take(of("luka"))
    clock.now += 7
    limits.take(of("ana"))


@pytest.mark.parametrize("limit", [Limit.ORGANIZATION, Limit.SERVER_TIME])
def test_refused_organization_pauses_all_its_people(limit: Limit) -> None:
    clock = Time()
    limits = limiter(clock)
    limits.pause(of("ana"), RateLimited(600, limit))
    refused = refusal(limits, of("luka"))
    assert (refused.limit, refused.retry_after) == (limit, 600)
    assert limits.requests_left(of("luka")) == 0
    limits.take(of("grace", "1300"))
    clock.now += 600
    limits.take(of("luka"))


def test_shorter_pause_does_not_end_a_longer_one() -> None:
    limits = limiter(Time())
    limits.pause(of("ana"), RateLimited(600, Limit.ORGANIZATION))
    limits.pause(of("luka"), RateLimited(5, Limit.ORGANIZATION))
    assert refusal(limits, of("luka")).retry_after == 600


def test_shorter_pause_of_a_token_does_not_end_a_longer_one() -> None:
    limits = limiter(Time())
    limits.pause(of("ana"), RateLimited(9, Limit.TOKEN))
    limits.pause(of("ana"), RateLimited(2, Limit.TOKEN))
    assert refusal(limits, of("ana")).retry_after == 9


# --- replicas


def test_largest_number_counts_although_replicas_leave_one_after_the_other() -> None:
    clock = Time()
    limits = limiter(clock)
    for replicas in (4, 3, 2, 1):
        limits.divide(replicas)
    assert sent(limits, of("ana")) + sent(limits, of("luka")) + sent(limits, of("eva")) <= 9


def test_more_replicas_shrink_the_share_at_once() -> None:
    limits = limiter(Time())
    limits.divide(3)
    assert sent(limits, of("ana")) + sent(limits, of("luka")) + sent(limits, of("eva")) <= 12
    assert share_on_metrics() == 12


def test_share_of_a_replica_that_left_is_free_once_its_requests_no_longer_count() -> None:
    clock = Time()
    limits = limiter(clock)
    limits.divide(3)
    limits.divide(2)
    assert share_on_metrics() == 12
    clock.now += ORGANIZATION_SECONDS - 1
    assert share_on_metrics() == 12
    clock.now += 1
    assert share_on_metrics() == 18


def test_first_known_number_replaces_the_assumption() -> None:
    limits = limiter(Time(), replicas=4)
    assert share_on_metrics() == 9
    limits.divide(2)
    assert share_on_metrics() == 18


@pytest.mark.parametrize("replicas", [0, 1_000])
def test_share_is_never_zero(replicas: int) -> None:
    limits = limiter(Time())
    limits.divide(replicas)
    assert sent(limits, of("ana")) >= 1


def test_flapping_replica_keeps_the_smaller_share() -> None:
    clock = Time()
    limits = limiter(clock)
    for _ in range(500):
        limits.divide(3)
        limits.divide(2)
        clock.now += 10
    assert share_on_metrics() == 12


@given(
    st.lists(
        st.tuples(st.floats(0, 400), st.integers(0, 3), st.integers(1, 12), st.integers(0, 12)),
        max_size=60,
    )
)
def test_replicas_together_stay_within_the_budget_while_some_leave(
    steps: list[tuple[float, int, int, int]],
) -> None:
    """Each step: seconds, the replica that is asked, how many requests, one in thirteen leaves."""
    clock = Time()
    replicas = [limiter(clock) for _ in range(4)]
    for replica in replicas:
        replica.divide(4)
    moments: list[float] = []
    for seconds, which, requests, leaving in steps:
        clock.now += seconds
        asked = replicas[which % len(replicas)]
        if leaving == 0 and len(replicas) > 1:
            replicas.remove(asked)
            for replica in replicas:
                replica.divide(len(replicas))
        for number in range(requests):
            try:
                asked.take(of(f"person-{number}"))
            except RateLimited:
                continue
            moments.append(clock.now)
        assert sum(moment > clock.now - ORGANIZATION_SECONDS for moment in moments) <= 36


def test_new_replica_exceeds_the_budget_by_one_share_at_most() -> None:
    clock = Time()
    old = [limiter(clock, replicas=2) for _ in range(2)]
    people = [of(f"person-{number}") for number in range(40)]
    total = sum(sent(replica, person) for replica in old for person in people)
    assert total == 36
    new = limiter(clock, replicas=4)
    for replica in [*old, new]:
        replica.divide(3)
    assert sum(sent(replica, person) for replica in [*old, new] for person in people) == 12


# --- any order of events


class Sending(RuleBasedStateMachine):
    """People send from one replica, with a model that keeps every request."""

    people = Bundle("people")

    @initialize()
    def begin(self) -> None:
        self.clock = Time()
        self.limits = limiter(self.clock, token=5, organization=20)
        self.share, self.token_share = 18, 5
        self.log: list[tuple[float, Sender]] = []

    @rule(target=people, name=st.integers(0, 5), organization=st.sampled_from(["1200", "1300"]))
    def person(self, name: int, organization: str) -> Sender:
        return of(f"{organization}-{name}", organization)

    @rule(seconds=st.floats(0, 1_000))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(replicas=st.integers(1, 6))
    def more_replicas(self, replicas: int) -> None:
        self.limits.divide(replicas)
        self.share, self.token_share = int(share_on_metrics()), max(1, 5 // min(replicas, 3))
        assert 1 <= self.share <= 18 // replicas or self.share == 1

    @rule(person=people)
    def send(self, person: Sender) -> None:
        self.share = int(share_on_metrics())
        mine = self._recent(TOKEN_SECONDS, token=person.token)
        all_of_us = self._recent(ORGANIZATION_SECONDS, organization=person.organization)
        held = self._recent(ORGANIZATION_SECONDS, token=person.token)
        try:
            self.limits.take(person)
        except RateLimited as refused:
            self._check_refusal(refused, mine, all_of_us, held)
            self._check_wait(person, refused)
        else:
            self.log.append((self.clock.now, person))
            assert mine < self.token_share
            assert all_of_us + held < self.share

    def _check_refusal(self, refused: RateLimited, mine: int, all_of_us: int, held: int) -> None:
        assert refused.retry_after > 0
        # Somebody without requests waits for nothing but the whole organization.
        if held == 0:
            assert refused.limit is Limit.ORGANIZATION
        if refused.limit is Limit.ORGANIZATION:
            assert all_of_us >= self.share
        elif refused.limit is Limit.SHARE:
            assert held >= self.share - all_of_us > 0
        else:
            assert mine >= self.token_share

    def _check_wait(self, person: Sender, refused: RateLimited) -> None:
        """A request passes after the wait, and no sooner."""
        wait, share = refused.retry_after, share_on_metrics()
        self.clock.now += wait * 0.99
        # The share may rise meanwhile, which makes the wait shorter than was said.
        if share_on_metrics() == share:
            with pytest.raises(RateLimited):
                self.limits.take(person)
        self.clock.now += wait * 0.01 + 1e-6
        self.limits.take(person)
        self.log.append((self.clock.now, person))

    def _recent(self, seconds: float, *, token: str = "", organization: str = "") -> int:
        return sum(
            moment + seconds > self.clock.now
            and (sender.token == token or sender.organization == organization)
            for moment, sender in self.log
        )


TestSending = Sending.TestCase
TestSending.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


# --- its cost


def test_full_window_costs_no_more_than_an_empty_one() -> None:
    """The check is in the way of every request: its cost must not grow with what was sent."""
    limits = limiter(Time(), token=1_000_000, organization=1_000_000)
    people = [of(f"person-{number}") for number in range(100)]

    def lines_of(person: Sender) -> int:
        executed = 0

        def traced(frame: FrameType, event: str, _argument: object) -> object:
            nonlocal executed
            if not frame.f_globals["__name__"].startswith(WIRE):
                return None  # such as a callback of the garbage collector
            executed += event == "line"
            return traced

        before = sys.gettrace()
        sys.settrace(traced)
        try:
            limits.take(person)
        finally:
            sys.settrace(before)
        return executed

    limits.take(people[0])
    first = lines_of(people[0])
    for number in range(5_000):
        limits.take(people[number % 100])
    assert lines_of(people[0]) == first


def share_on_metrics() -> float:
    (gauge,) = SHARE.collect()
    return float(gauge.samples[0].value)


def test_windows_of_a_bounded_number_of_tokens_are_kept() -> None:
    clock = Time()
    limits = limiter(clock, token=1, organization=1_000_000)
    limits.take(of("ana"))
    assert refusal(limits, of("ana")).limit is Limit.TOKEN
    for number in range(20_000):
        limits.take(of(str(number)))
    # Hers is the one that was not asked for longest.
    limits.take(of("ana"))
    assert refusal(limits, of("19999")).limit is Limit.TOKEN
