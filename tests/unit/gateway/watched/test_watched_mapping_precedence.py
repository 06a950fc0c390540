"""Which mapping is in use, over every order of publishing, mounting, losing and coming back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import MappingProxyType

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from harness.mount import MappingMount
from harness.scripted import Hands, ScriptedApi
from productive_contract.mapping import Mapping, encode
from productive_gateway.errors import Unavailable
from productive_gateway.watched.mapping import MAX_STALENESS, MappingSource

REVISIONS = st.integers(1, 9)


def mapping(revision: int) -> dict[str, bytes]:
    return encode(Mapping(revision, MappingProxyType({})))


class Precedence(RuleBasedStateMachine):
    """The watch is played by hand: what it tells, and when it last proved to be alive."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.mount = MappingMount(Path(self.folder.name) / "m")
        self.clock = Hands()
        self.source = MappingSource(
            ScriptedApi(), "ns", "mapping", mount=self.mount.folder, monotonic=self.clock
        )
        self.watched: int | None = None
        self.confirmed: float | None = None
        self.before: int | None = None
        self.told = False

    def teardown(self) -> None:
        self.folder.cleanup()

    def tell(self, data: dict[str, bytes] | None) -> None:
        self.source._watch._confirm()
        self.confirmed = self.clock.now
        self.source._on_object(data, "1")

    @rule(revision=REVISIONS)
    def publish(self, revision: int) -> None:
        self.tell(mapping(revision))
        self.watched, self.told = revision, True

    @rule(data=st.sampled_from([None, {}, {"users.json": b"{"}]))
    def spoil(self, data: dict[str, bytes] | None) -> None:
        self.tell(data)

    @rule(data=st.one_of(REVISIONS.map(mapping), st.just({}), st.just({"users.json": b"["})))
    def mount_changes(self, data: dict[str, bytes]) -> None:
        self.mount.write(data)

    @rule()
    def poll(self) -> None:
        self.source.poll_mount()

    @rule(seconds=st.sampled_from([1, 5, 15, 120]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def the_watched_object_is_the_truth_while_it_is_told(self) -> None:
        if self.told:
            assert self.source.snapshot().revision == self.watched

    @invariant()
    def nothing_but_the_watched_object_lowers_the_revision(self) -> None:
        loaded = self.source._good.loaded
        revision = None if loaded is None else loaded.revision
        if self.before is not None and not self.told:
            assert revision is not None
            assert revision >= self.before
        self.before, self.told = revision, False

    @invariant()
    def what_is_served_was_confirmed_lately(self) -> None:
        try:
            self.source.snapshot()
        except Unavailable:
            return
        moments = [m for m in (self.confirmed, self.source._mount_confirmed) if m is not None]
        assert self.clock.now - max(moments) <= MAX_STALENESS


Precedence.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestPrecedence = Precedence.TestCase
