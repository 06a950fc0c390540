"""Any interleaving of redemptions, refreshes, replays, clocks and key rotations."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness.grantkit import (
    CALLBACK,
    CLIENT,
    NOW,
    RESOURCE,
    SCOPES,
    SECRET,
    VERIFIER,
    new_key,
    pending,
)
from productive_gateway.grants.config import SKEW, GrantConfig
from productive_gateway.grants.grant import Grant, GrantState, client_hash
from productive_gateway.grants.steps import Advance, End, Redemption, Refresh, Refuse, Repeat, Step
from productive_gateway.grants.tokens import digest
from productive_gateway.grants.transitions import current_secret, redeem, refresh
from productive_gateway.sealing.keys import KeyRing

CONFIG = GrantConfig(RESOURCE)
ORDER = [GrantState.PENDING, GrantState.ACTIVE, GrantState.GONE]


class Life(RuleBasedStateMachine):
    """One grant, as a store holds it, and every secret that was ever answered for it."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0

    @initialize()
    def begin(self) -> None:
        key = new_key()
        self.ring = KeyRing((key,), key.kid)
        self.now = NOW
        self.stored: Grant = pending()
        self.history = [self.stored]
        self.answered: dict[int, bytes] = {}
        self.redemptions = 0
        self.redeeming = "none yet"

    def attempt(self) -> str:
        self.attempts += 1
        return f"attempt-{self.attempts}"

    def store(self, step: Step) -> None:
        if isinstance(step, Advance | End):
            self.stored = step.grant
            self.history.append(step.grant)

    def answer(self, step: Step, presented: bytes) -> None:
        """Answer as the service does, and hold every answer against the earlier ones."""
        if isinstance(step, Advance | Repeat):
            grant = step.grant
            secret = current_secret(grant, presented, self.ring)
            assert digest(secret) == grant.refresh_hash
            assert self.answered.setdefault(grant.generation, secret) == secret
            assert self.now < grant.end(CONFIG) or isinstance(step, Repeat)

    @rule(right=st.booleans(), answer_was_lost=st.booleans())
    def redeem(self, *, right: bool, answer_was_lost: bool) -> None:
        before = self.stored
        attempt = self.redeeming if answer_was_lost else self.attempt()
        self.redeeming = attempt
        verifier = VERIFIER if right else "w" * 64
        claim = Redemption(SECRET, client_hash(CLIENT), CALLBACK, verifier, attempt)
        step = redeem(before, claim, self.ring, None, now=self.now)
        self.store(step)
        self.answer(step, SECRET)
        if isinstance(step, Advance):
            self.redemptions += 1
        if not right:
            assert isinstance(step, Refuse)
        elif before.state is GrantState.ACTIVE and before.attempt != attempt:
            assert isinstance(step, End)

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        generation = data.draw(st.sampled_from(sorted(self.answered)))
        secret = self.answered[generation]
        before = self.stored
        claim = Refresh(generation, secret, client_hash(CLIENT), None, self.attempt())
        step = refresh(before, claim, self.ring, None, CONFIG, now=self.now)
        self.store(step)
        self.answer(step, secret)
        if before.state is GrantState.ACTIVE and self.now < before.end(CONFIG):
            self.check_generation(generation, before, step)
        else:
            assert not isinstance(step, Advance | Repeat)

    def check_generation(self, generation: int, before: Grant, step: Step) -> None:
        if generation == before.generation:
            assert isinstance(step, Advance)
            assert step.grant.generation == generation + 1
        elif generation == before.generation - 1 and (
            self.now <= before.rotated_at + CONFIG.grace + SKEW
        ):
            assert step == Repeat(before)
        else:
            assert isinstance(step, End)

    @precondition(lambda self: self.answered)
    @rule(client=st.sampled_from(["other", ""]))
    def refresh_by_another_client(self, client: str) -> None:
        generation, secret = max(self.answered.items())
        claim = Refresh(generation, secret, client_hash(client), None, self.attempt())
        step = refresh(self.stored, claim, self.ring, None, CONFIG, now=self.now)
        assert isinstance(step, Refuse)

    @rule(seconds=st.sampled_from([0.0, 1.0, 60.0, 119.0, 151.0, 301.0, 3600.0, 86400.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(phase=st.sampled_from(["add", "promote"]))
    def rotate_keys(self, phase: str) -> None:
        if phase == "add" and len(self.ring.keys) < 6:
            self.ring = replace(self.ring, keys=(*self.ring.keys, new_key()))
        elif phase == "promote":
            self.ring = replace(self.ring, current=self.ring.keys[-1].kid)

    @invariant()
    def the_code_was_redeemed_once_at_most(self) -> None:
        assert self.redemptions <= 1

    @invariant()
    def generations_and_states_only_move_on(self) -> None:
        for one, other in zip(self.history, self.history[1:], strict=False):
            assert ORDER.index(one.state) < ORDER.index(other.state) or (
                one.state is other.state is GrantState.ACTIVE
            )
            assert other.generation - one.generation in {0, 1}

    @invariant()
    def nothing_that_was_granted_ever_changes(self) -> None:
        for grant in self.history:
            assert (grant.user_uid, grant.client, grant.scopes) == (
                self.history[0].user_uid,
                client_hash(CLIENT),
                SCOPES,
            )
            assert grant.absolute_end == self.history[0].absolute_end


Life.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
