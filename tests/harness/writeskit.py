"""Parts for tests of guarded writes: a list of things in Productive's place, and replicas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.grantkit import HeldKeys, ana
from productive_contract.clock import Clock, system_clock
from productive_contract.mapping import Person
from productive_gateway.grants.ledger import PersonLedgers
from productive_gateway.grants.retry_budget import RetryLimits
from productive_gateway.grants.store import GrantStore
from productive_gateway.tools.writes.results import Intent, Lost, Outcome, Report, Work, Written
from productive_gateway.tools.writes.writes import Writes

QUICK = RetryLimits(conflict_pauses=(0, 0), failure_pauses=(0, 0))


async def at_once() -> None:
    """Do not wait."""


@dataclass
class Things:
    """What was created, in Productive's place."""

    clock: Clock = system_clock
    created: list[tuple[bytes, float, str]] = field(default_factory=list)
    """Content, time and id of each."""
    before_write: Callable[[], Awaitable[None]] = at_once
    after_write: Callable[[], Awaitable[None]] = at_once
    before_look: Callable[[], Awaitable[None]] = at_once
    refuse: Callable[[bytes], Outcome | None] = lambda _: None
    """Returns the outcome of what is not created."""
    writes: int = 0
    looks: list[float] = field(default_factory=list)
    """The time from which on each look asked."""

    def create(self, content: bytes) -> str:
        number = str(1000 + len(self.created))
        self.created.append((content, self.clock(), number))
        return number

    def count(self, content: bytes) -> int:
        return sum(one == content for one, _, _ in self.created)

    def work(self, contents: Sequence[bytes]) -> Work:
        """Return how a tool creates these."""

        async def write(which: Sequence[int]) -> Mapping[int, Outcome]:
            self.writes += 1
            await self.before_write()
            outcomes: dict[int, Outcome] = {}
            for number in which:
                refused = self.refuse(contents[number])
                outcomes[number] = refused or Written(self.create(contents[number]))
            await self.after_write()
            return outcomes

        async def look(which: Sequence[int], since: float) -> Mapping[int, str]:
            self.looks.append(since)
            await self.before_look()
            return {
                number: found[-1]
                for number in which
                if (
                    found := [
                        one
                        for content, when, one in self.created
                        if content == contents[number] and when >= since
                    ]
                )
            }

        def inverse(written: Mapping[int, str]) -> bytes:
            return ("delete " + " ".join(written.values())).encode()

        return Work(write, look, inverse)


def lost(_: bytes) -> Outcome:
    """Refuse nothing, but say that no answer came; for `Things.refuse`."""
    return Lost(TimeoutError())


class Writer:
    """What one replica's tools write with."""

    def __init__(
        self,
        store: GrantStore,
        keys: HeldKeys,
        *,
        clock: Clock = system_clock,
        limits: RetryLimits = QUICK,
    ) -> None:
        ledgers = PersonLedgers(store, keys, clock=clock, limits=limits)
        self.writes = Writes.over(ledgers, keys, clock=clock)
        self.guard, self.undos = self.writes.guard, self.writes.undos
        self.confirmations = self.writes.confirmations

    async def create(
        self,
        things: Things,
        *contents: bytes,
        person: Person | None = None,
        allow_duplicate: bool = False,
        **more: Any,
    ) -> Report:
        """Make a guarded call that creates these."""
        intents = [Intent(content, allow_duplicate) for content in contents]
        return await self.guard.run(person or ana(), intents, things.work(contents), **more)
