"""Which mapping is in use, over every order of publishing, mounting, losing and coming back."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from types import MappingProxyType
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness.mount import MappingMount
from harness.scripted import Hands, ScriptedApi, unreachable
from harness.virtualtime import VirtualTimeLoop
from productive_contract.mapping import Mapping, encode
from productive_gateway.errors import Unavailable
from productive_gateway.observability.metrics import MAPPING_REVISION, REGISTRY
from productive_gateway.watched import watched_secret
from productive_gateway.watched.mapping import MappingSource
from productive_gateway.watched.watched_secret import MAX_STALENESS

GAUGE = REGISTRY.restricted_registry(["productive_mcp_mapping_revision"])
"""Reading one value of the whole registry takes longer with each series of other tests."""
REVISIONS = st.integers(1, 9)
UNREADABLE = st.sampled_from([{}, {"users.json": b"["}])
NONE = 0
"""The revision on the metrics before a mapping is in use."""
RECOVERY_SECONDS = 6
"""Longer than the longest pause between two attempts."""


def mapping(revision: int) -> dict[str, bytes]:
    return encode(Mapping(revision, MappingProxyType({})))


class Precedence(RuleBasedStateMachine):
    """The API server is away at first. The clock, and the poll of the mount, are the rules' own."""

    def __init__(self) -> None:
        super().__init__()
        MAPPING_REVISION.set(NONE)
        self.no_polls = mock.patch.object(watched_secret, "POLL_SECONDS", 1e9)
        self.no_polls.start()
        self.loop = VirtualTimeLoop()
        self.folder = tempfile.TemporaryDirectory()
        self.mount = MappingMount(Path(self.folder.name) / "m")
        self.clock = Hands()
        self.api = ScriptedApi()
        self.api.failure = unreachable()
        self.source = MappingSource(
            self.api, "ns", "mapping", mount=self.mount.folder, monotonic=self.clock
        )
        self.task = self.loop.create_task(self.source.run())
        self.rest()
        self.published: int | None = None
        """The revision in the Secret, if it can be read."""
        self.confirmed: float | None = None
        """When the API server last said what is published."""
        self.written: int | None = None
        """The revision that the mount holds, if it can be read and was not polled yet."""
        self.mounted: tuple[int, float] | None = None
        """The last readable revision of the mount, and when it was first polled."""
        self.used: float | None = None
        """When the revision of the mount that came into use last was first polled."""
        self.last_told: int | None = None
        """The last revision that the watch told; None when it was not readable."""
        self.before = NONE
        self.told = False

    def teardown(self) -> None:
        self.task.cancel()
        self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
        self.loop.close()
        self.no_polls.stop()
        self.folder.cleanup()

    def rest(self, seconds: float = 0.01) -> None:
        """Let the watch do all that it can; for the source no time passes."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        assert not self.task.done()

    @property
    def revision(self) -> int:
        """The revision in use, even when it is too old to be served."""
        (gauge,) = GAUGE.collect()
        return int(gauge.samples[0].value)

    @property
    def away(self) -> bool:
        return self.api.failure is not None

    def tell(self, revision: int | None) -> None:
        """Note what was published, and that the watch, if there is one, told it."""
        self.published = revision
        if not self.away:
            self.confirm()
            self.note_told()

    @initialize(revision=REVISIONS | st.none())
    def start(self, revision: int | None) -> None:
        """Begin with what an installation has that works, or with nothing."""
        if revision is not None:
            self.come_back()
            self.publish(revision)

    @rule(revision=REVISIONS)
    def publish(self, revision: int) -> None:
        self.api.put(mapping(revision))
        self.tell(revision)

    @rule(data=UNREADABLE | st.none())
    def spoil(self, data: dict[str, bytes] | None) -> None:
        if data is None:
            self.api.remove()
        else:
            self.api.put(data)
        self.tell(None)

    @precondition(lambda self: not self.away)
    @rule()
    def confirm(self) -> None:
        self.api.bookmark()
        self.rest()
        self.confirmed = self.clock.now

    @precondition(lambda self: not self.away)
    @rule()
    def lose(self) -> None:
        self.api.failure = unreachable()
        self.api.break_window(unreachable())
        self.rest()

    @precondition(lambda self: self.away)
    @rule()
    def come_back(self) -> None:
        self.api.failure = None
        self.rest(RECOVERY_SECONDS)
        self.note_told()

    def note_told(self) -> None:
        self.confirmed = self.clock.now
        self.last_told = self.published
        self.told = self.published is not None

    @rule(revision=REVISIONS)
    def mount_changes(self, revision: int) -> None:
        self.mount.write(mapping(revision))
        self.written = revision

    @rule(revision=REVISIONS, seconds=st.integers(0, 20))
    def mount_changes_and_is_polled(self, revision: int, seconds: int) -> None:
        self.clock.advance(seconds)
        self.mount_changes(revision)
        self.poll()

    @rule(data=UNREADABLE)
    def mount_is_spoiled(self, data: dict[str, bytes]) -> None:
        self.mount.write(data)
        self.written = None

    @rule()
    def poll(self) -> None:
        if self.written is not None:
            self.mounted, self.written = (self.written, self.clock.now), None
        before = self.revision
        self.source.poll_mount()
        if self.revision > before:
            assert self.mounted is not None
            revision, self.used = self.mounted
            assert self.revision == revision
            assert before == NONE or self.confirmed is None or self.used > self.confirmed
        if self.source.healthy:
            self.told = self.last_told is not None

    @rule(seconds=st.sampled_from([1, 5, 15, 120, 280]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def the_watched_object_is_the_truth_and_nothing_else_lowers_the_revision(self) -> None:
        if self.told:
            assert self.source.snapshot().revision == self.last_told
        else:
            assert self.revision >= self.before
        # In one invariant: their order is by name.
        self.before, self.told = self.revision, False

    @invariant()
    def what_is_served_was_confirmed_lately(self) -> None:
        try:
            self.source.snapshot()
        except Unavailable:
            return
        moments = [moment for moment in (self.confirmed, self.used) if moment is not None]
        assert self.clock.now - max(moments) <= MAX_STALENESS


Precedence.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestPrecedence = Precedence.TestCase
