"""The steps of a key rotation: in any order of runs, nothing alive loses its key."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_contract.clock import Entropy
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.sealing.keys import (
    MAX_EPOCH,
    MAX_KEYS,
    Key,
    KeyRing,
    encode_ring,
    new_ring,
    parse_ring,
)
from productive_gateway.sealing.rotation import (
    SETTLED_AFTER,
    Role,
    promotable_at,
    raise_epoch,
    removable_at,
    role,
    rotate,
)

NOW = 1_795_500_000.0
DAY = 86400.0
CLIENT_LIFE = 400 * DAY
"""How long a client_id must stay valid: the longest life of anything that is sealed."""


class Numbered:
    """Different keys, the same ones in each run."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def __call__(self, count: int) -> bytes:
        return hashlib.sha256(str(next(self._numbers)).encode()).digest()[:count]


def first(now: float = NOW) -> KeyRing:
    return new_ring(now, Numbered())


def step(ring: KeyRing, now: float, *, after: float = 0.0) -> KeyRing:
    return rotate(ring, now=now, entropy=_of(int(now)), after=after).ring


def roles(ring: KeyRing) -> list[str]:
    return [role(ring, key).value for key in ring.keys]


@pytest.mark.attack("R-07")
def test_a_rotation_adds_then_promotes_then_removes() -> None:
    ring = first()
    old = ring.current
    ring = step(ring, NOW + DAY)
    assert (ring.current, roles(ring)) == (old, ["current", "waiting"])
    ring = step(ring, NOW + 2 * DAY)
    assert ring.current != old
    assert roles(ring) == ["accept-only", "current"]
    key = ring.require(old)
    assert key.demoted == NOW + 2 * DAY
    almost = step(ring, NOW + 2 * DAY + CLIENT_LIFE - 1, after=9999 * DAY)
    assert almost.find(old) is not None
    removed = step(ring, NOW + 2 * DAY + CLIENT_LIFE, after=9999 * DAY)
    assert removed.find(old) is None


@pytest.mark.attack("R-07")
@pytest.mark.parametrize("age", [0, 1, SETTLED_AFTER - 1])
def test_a_key_younger_than_ten_minutes_is_not_promoted_without_force(age: float) -> None:
    ring = step(first(), NOW + DAY)
    waiting = ring.keys[1]
    rotation = rotate(ring, now=waiting.created + age, entropy=Numbered())
    assert rotation.ring == ring
    assert rotation.waiting == waiting
    assert rotation.promoted is None
    forced = rotate(ring, now=waiting.created + age, entropy=Numbered(), force=True)
    assert forced.ring.current == waiting.kid


def test_a_schedule_begins_a_rotation_when_the_current_key_is_old_enough() -> None:
    ring = first()
    assert step(ring, NOW + 90 * DAY - 1, after=90 * DAY) == ring
    assert roles(step(ring, NOW + 90 * DAY, after=90 * DAY)) == ["current", "waiting"]


def test_a_waiting_key_is_promoted_though_the_current_key_is_young() -> None:
    ring = step(first(), NOW + 60)
    assert step(ring, NOW + DAY, after=90 * DAY).current == ring.keys[1].kid


@pytest.mark.attack("O-07")
def test_a_key_that_was_demoted_by_hand_is_kept_for_400_days_from_the_first_rotation_on() -> None:
    new = Key("new", hashlib.sha256(b"new").digest(), NOW)
    by_hand = KeyRing((Key("old", hashlib.sha256(b"old").digest(), NOW - 900 * DAY), new), "new")
    ring = step(by_hand, NOW + DAY)
    assert ring.require("old").demoted == NOW + DAY
    assert removable_at(ring.require("old")) == NOW + DAY + CLIENT_LIFE


def test_a_full_ring_is_left_as_it_is_and_said_to_be_full() -> None:
    ring, now = first(), NOW
    while len(ring.keys) < MAX_KEYS:
        now += DAY
        ring = step(ring, now)
    while role(ring, ring.keys[-1]) is Role.WAITING:
        now += DAY
        ring = step(ring, now)
    rotation = rotate(ring, now=now + DAY, entropy=Numbered())
    assert rotation.full
    assert rotation.ring == ring


@pytest.mark.parametrize("days", [30, 31, 60, 90])
def test_a_rotation_once_a_month_never_fills_the_ring(days: int) -> None:
    """As the schedule does it: a run each day."""
    ring, started = first(), 0
    for day in range(1, 4 * 400):
        rotation = rotate(ring, now=NOW + day * DAY, entropy=_of(day), after=days * DAY)
        assert not rotation.full
        started += rotation.added is not None
        ring = rotation.ring
    assert started >= 4 * 400 // (days + 1) - 1


@pytest.mark.attack("R-08")
def test_the_epoch_rises_by_one_and_keys_stay() -> None:
    ring = replace(first(), epoch=4)
    assert raise_epoch(ring) == replace(ring, epoch=5)
    with pytest.raises(KeyRingError, match="highest"):
        raise_epoch(replace(ring, epoch=MAX_EPOCH))


def test_a_time_of_demotion_survives_the_document_and_a_wrong_one_is_refused() -> None:
    ring = step(step(first(), NOW + DAY), NOW + 2 * DAY)
    assert parse_ring(encode_ring(ring)) == ring
    broken = encode_ring(ring).replace(b'"demoted": "20', b'"demoted": "x20')
    with pytest.raises(KeyRingError, match="demoted"):
        parse_ring(broken)


@dataclass
class World:
    """Replicas and clients under runs of the command: what is alive, by true time."""

    ring: KeyRing = field(default_factory=first)
    now: float = NOW
    sealed_until: dict[str, float] = field(default_factory=dict)
    """Key id → when the last thing that it sealed ends, in truth."""
    seen: dict[str, float] = field(default_factory=dict)
    """Key id → when it came into the ring, in truth."""

    def forward(self, seconds: float) -> None:
        """Pass time, in which the current key seals until the last moment."""
        self.now += seconds
        self.sealed_until[self.ring.current] = self.now + CLIENT_LIFE

    def run(self, skew: float, after: float, number: int) -> None:
        before = self.ring
        rotation = rotate(before, now=self.now + skew, entropy=_of(number), after=after)
        self.ring = parse_ring(encode_ring(rotation.ring))
        assert self.ring == rotation.ring
        for key in self.ring.keys:
            self.seen.setdefault(key.kid, self.now)
        gone = {key.kid for key in before.keys} - {key.kid for key in self.ring.keys}
        assert gone == {key.kid for key in rotation.removed}
        assert before.current not in gone
        # A clock that is ahead by as much as the command allows ends a key that much earlier.
        for kid in gone:
            assert self.sealed_until.get(kid, 0.0) <= self.now + max(skew, 0.0) + 1
        if self.ring.current != before.current:
            assert self.now + skew >= promotable_at(before.require(self.ring.current))
        assert sum(role(self.ring, key) is Role.CURRENT for key in self.ring.keys) == 1
        assert 1 <= len(self.ring.keys) <= MAX_KEYS


@pytest.mark.attack("R-07", "O-07")
@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(0, 1200), st.floats(0, 120 * DAY), st.just(CLIENT_LIFE)),
            st.floats(-3 * DAY, 120),
            st.sampled_from([0.0, 30 * DAY]),
        ),
        max_size=40,
    )
)
def test_no_sequence_of_runs_drops_a_key_that_something_alive_is_sealed_with(
    runs: list[tuple[float, float, float]],
) -> None:
    """Clocks that are behind by days, or ahead by what the command allows."""
    world = World()
    world.forward(0)
    for number, (pause, skew, after) in enumerate(runs):
        world.forward(pause)
        world.run(skew, after, number)


@pytest.mark.attack("R-07")
@given(
    st.lists(
        st.tuples(st.floats(0, 3 * DAY), st.sampled_from([0.0, 30 * DAY])), min_size=3, max_size=40
    )
)
def test_no_key_seals_within_ten_minutes_of_its_arrival(runs: list[tuple[float, float]]) -> None:
    world = World()
    for number, (pause, after) in enumerate(runs):
        world.forward(pause)
        before = world.ring.current
        world.run(0.0, after, number)
        if world.ring.current != before:
            assert world.now - world.seen[world.ring.current] >= SETTLED_AFTER


@pytest.mark.attack("R-07")
@given(st.floats(NOW - 4000 * DAY, NOW + 4000 * DAY), st.booleans())
def test_any_clock_and_force_leave_one_current_key_and_all_that_was_accepted_lately(
    now: float, force: bool
) -> None:
    ring = step(step(step(first(), NOW), NOW + DAY), NOW + 2 * DAY)
    rotation = rotate(ring, now=now, entropy=Numbered(), force=force)
    left = rotation.ring
    assert left.find(left.current) is not None
    for key in ring.keys:
        end = removable_at(key)
        if end is None or end > now:
            assert left.find(key.kid) is not None
    times = [key.demoted for key in left.keys if key.demoted is not None]
    assert all(moment >= NOW for moment in times)


def _of(number: int) -> Entropy:
    return lambda count: hashlib.sha256(f"run {number}".encode()).digest()[:count]
