"""Never twice: every creation in Productive goes through the guard.

Before the first POST of a call, one compare-and-swap notes in the person's ledger what it is about
to create, with a deadline; after it, a second one notes what came of it. An identical call, at any
replica, meanwhile or within some minutes, gets the result of the first one. Where the outcome is
not known (an answer was lost, the process died), the next identical call looks into Productive
before it writes. Different writes of one person run in parallel.

A call costs two writes at the API server, or none if everything was written before. While the API
server cannot be reached nothing is created.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.mapping import Person
from productive_gateway.sealing.seal import frame
from productive_gateway.tools.writes.claims import (
    Admitted,
    Busy,
    Known,
    Times,
    Verdict,
    claim,
    finish,
    reopen,
)
from productive_gateway.tools.writes.confirm import Confirmed
from productive_gateway.tools.writes.errors import LedgerUnavailable
from productive_gateway.tools.writes.ledger import Ledger, Ledgers
from productive_gateway.tools.writes.results import (
    Found,
    Intent,
    Lost,
    NotWritten,
    Outcome,
    Pending,
    Repeated,
    Report,
    Result,
    Work,
    Written,
)
from productive_gateway.tools.writes.undo import (
    MAX_INVERSE,
    NoUndo,
    UndoHandle,
    Undos,
    with_inverse,
)

TIMES: Final = Times()
_ATTEMPT: Final = 8
_NONCE: Final = 16
_EARLIER: Final = 15.0
"""Seconds that Productive's clock may be behind that of the replica which wrote."""


@dataclass(eq=False)
class _Call:
    """One guarded call while it runs."""

    person: Person
    work: Work
    confirmed: Confirmed | None
    attempt: str
    intents: dict[int, bytes]
    results: dict[int, Result]
    claimed: dict[int, asyncio.Future[Known | None]] = field(default_factory=dict)
    claimed_at: float = 0.0
    """When it claimed last, in Unix seconds."""
    busy_until: float = 0.0
    worked: bool = False
    undo: UndoHandle | NoUndo = NoUndo.NO_INVERSE

    @property
    def open(self) -> dict[int, bytes]:
        """The intents without a result."""
        return {n: one for n, one in self.intents.items() if n not in self.results}


class Guard:
    """Creates each thing once."""

    def __init__(
        self,
        ledgers: Ledgers,
        undos: Undos,
        *,
        times: Times = TIMES,
        clock: Clock = system_clock,
        entropy: Entropy = system_entropy,
    ) -> None:
        """Note writes in `ledgers` and issue handles from `undos`."""
        self._ledgers = ledgers
        self._undos = undos
        self._times = times
        self._clock = clock
        self._entropy = entropy
        self._running: dict[tuple[str, bytes], asyncio.Future[Known | None]] = {}
        """What calls of this process are writing: identical ones wait without the API server."""

    async def run(
        self,
        person: Person,
        intents: Sequence[Intent],
        work: Work,
        *,
        confirmed: Confirmed | None = None,
    ) -> Report:
        """Create what is intended, each once.

        Args:
            person: who creates it.
            intents: what is to be created.
            work: how.
            confirmed: the call's confirmation, which is used up if anything is created by it.

        Returns:
            What became of each, and how to take it back.

        Raises:
            LedgerUnavailable: nothing was created, because it could not be noted.
            ConfirmRefused: nothing was created, because the confirmation was used before.
            Exception: what `look` or `write` raises; what was sent stays open and is looked for.
        """
        call = self._begin(person, intents, work, confirmed)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._times.wait
        try:
            while call.open:
                self._take(call)
                if call.claimed:
                    await self._advance(call)
                left = deadline - loop.time()
                if call.open and left <= 0:
                    break
                await self._wait(call, left)
        finally:
            self._release(call)
        for number in call.open:
            call.results[number] = Pending(self._retry_after(call))
        return Report(tuple(call.results[n] for n in range(len(intents))), _undo(call))

    async def forget(self, person: Person, gone: Mapping[Intent, Known]) -> bool:
        """Forget results that Productive no longer holds; False if it is too early to be sure.

        Such a thing was deleted or undone since, and the person may want it again. A moment after
        it was written, its absence proves nothing: Productive may not show it everywhere yet.

        Args:
            person: who created them.
            gone: what was intended, with the result that is gone.

        Raises:
            LedgerUnavailable: nothing was forgotten.
        """
        now = self._clock()
        if any(now - known.at < self._times.settled for known in gone.values()):
            return False
        intents = {frame(one.content, b""): known.result for one, known in gone.items()}
        await self._ledgers.change(
            person, lambda ledger: (reopen(ledger, intents, now=now, times=self._times), None)
        )
        return True

    def _begin(
        self, person: Person, intents: Sequence[Intent], work: Work, confirmed: Confirmed | None
    ) -> _Call:
        call = _Call(person, work, confirmed, self._entropy(_ATTEMPT).hex(), {}, {})
        first: dict[bytes, int] = {}
        for number, intent in enumerate(intents):
            # A nonce makes it the only one of its kind.
            nonce = self._entropy(_NONCE) if intent.allow_duplicate else b""
            content = frame(intent.content, nonce)
            if content in first:
                call.results[number] = Repeated(first[content])
            else:
                first[content] = number
                call.intents[number] = content
        return call

    def _take(self, call: _Call) -> None:
        """Take what no other call of this process is writing.

        All at once, and what is written is released before this call waits for others: so calls
        never wait for each other in a ring.
        """
        for number, intent in call.open.items():
            key = (call.person.uid, intent)
            if key not in self._running:
                future: asyncio.Future[Known | None] = asyncio.get_running_loop().create_future()
                self._running[key] = call.claimed[number] = future

    def _release(self, call: _Call, numbers: Collection[int] | None = None) -> None:
        """Let other calls of this process go on, with the results that are known."""
        for number in list(call.claimed if numbers is None else numbers):
            future = call.claimed.pop(number)
            del self._running[call.person.uid, call.intents[number]]
            result = call.results.get(number)
            match result:
                case Known():
                    future.set_result(result)
                case Written() | Found():
                    undo = call.undo if isinstance(call.undo, UndoHandle) else None
                    future.set_result(Known(result.result, self._clock(), undo))
                case _:
                    future.set_result(None)

    async def _advance(self, call: _Call) -> None:
        """Claim in the ledger what was taken, write what is admitted, and note the results."""
        try:
            verdicts = await self._claim(call)
        except LedgerUnavailable:
            if call.worked:
                return  # what this call wrote is reported all the same
            raise
        known = {n: one for n, one in verdicts.items() if isinstance(one, Known)}
        call.results.update(known)
        self._release(call, known)
        admitted = {n: one for n, one in verdicts.items() if isinstance(one, Admitted)}
        if admitted:
            call.worked = True
            await self._write(call, admitted)
            self._release(call, admitted)
        call.busy_until = max(
            (one.until for one in verdicts.values() if isinstance(one, Busy)), default=0.0
        )

    async def _claim(self, call: _Call) -> dict[int, Verdict]:
        now, admit = self._clock(), not call.worked
        call.claimed_at = now
        intents = {number: call.intents[number] for number in call.claimed}

        def decide(ledger: Ledger) -> tuple[Ledger, dict[int, Verdict]]:
            after, verdicts = claim(
                ledger, intents, attempt=call.attempt, now=now, times=self._times, admit=admit
            )
            if call.confirmed is not None and after is not ledger:
                after = call.confirmed.used(after, call.attempt)
            return after, verdicts

        return await self._ledgers.change(call.person, decide)

    async def _write(self, call: _Call, admitted: Mapping[int, Admitted]) -> None:
        try:
            found = await self._look(call, admitted)
        except Exception:
            # What an earlier call tried is as open as before, and the rest was not tried.
            again = [n for n, one in admitted.items() if one.since is not None]
            await self._finish(call, {}, set(admitted) - set(again), again)
            raise
        call.results.update({number: Found(result) for number, result in found.items()})
        numbers = [number for number in admitted if number not in found]
        outcomes = dict(await call.work.write(numbers)) if numbers else {}
        lost = [n for n in numbers if isinstance(outcomes.get(n), Lost | None)]
        if lost:
            outcomes |= await self._look_for_lost(call, lost)
        for number in numbers:
            match outcomes.get(number):
                case Written() | NotWritten() as outcome:
                    call.results[number] = outcome
                case Lost(error):
                    call.results[number] = Pending(math.ceil(self._times.lease), error)
                case None:
                    call.results[number] = Pending(math.ceil(self._times.lease))
        done = {
            number: one.result
            for number in admitted
            if isinstance(one := call.results[number], Written | Found)
        }
        refused = {n for n in admitted if isinstance(call.results[n], NotWritten)}
        await self._finish(call, done, refused, ())

    async def _look(self, call: _Call, admitted: Mapping[int, Admitted]) -> Mapping[int, str]:
        tried = {n: one.since for n, one in admitted.items() if one.since is not None}
        if not tried:
            return {}
        found = await call.work.look(list(tried), min(tried.values()) - _EARLIER)
        return {number: result for number, result in found.items() if number in tried}

    async def _look_for_lost(self, call: _Call, lost: list[int]) -> dict[int, Outcome]:
        try:
            found = await call.work.look(lost, call.claimed_at - _EARLIER)
        except Exception:  # noqa: BLE001  # nothing is lost by it: the outcome stays unknown
            return {}
        return {number: Written(result) for number, result in found.items() if number in lost}

    async def _finish(
        self,
        call: _Call,
        done: Mapping[int, str],
        not_done: Collection[int],
        untried: Collection[int],
    ) -> None:
        """Note what came of the writes. What cannot be noted stays open and is looked for."""
        inverse = call.work.inverse(done) if done else None
        if inverse is not None and len(inverse) > MAX_INVERSE:
            inverse, call.undo = None, NoUndo.TOO_LARGE
        handle = None if inverse is None else self._undos.issue(call.person)
        now, intents = self._clock(), call.intents

        def decide(ledger: Ledger) -> tuple[Ledger, None]:
            after = finish(
                ledger,
                attempt=call.attempt,
                done={intents[number]: result for number, result in done.items()},
                not_done=[intents[number] for number in not_done],
                untried=[intents[number] for number in untried],
                now=now,
                times=self._times,
            )
            if handle is not None and inverse is not None:
                after = with_inverse(after, handle, call.attempt, inverse)
            return after, None

        try:
            await self._ledgers.change(call.person, decide)
        except LedgerUnavailable:
            call.undo = call.undo if handle is None else NoUndo.NOT_KEPT
        else:
            call.undo = call.undo if handle is None else handle

    async def _wait(self, call: _Call, left: float) -> None:
        """Wait for identical calls: for those of this process, and until the next look."""
        if not call.open:
            return
        keys = {number: (call.person.uid, one) for number, one in call.open.items()}
        others = {
            number: self._running[key]
            for number, key in keys.items()
            if number not in call.claimed and key in self._running
        }
        seconds = min(left, self._times.poll) if call.claimed else left
        if others:
            await asyncio.wait(
                others.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        elif call.claimed:
            await asyncio.sleep(seconds)
        for number, future in others.items():
            known = future.result() if future.done() else None
            if known is not None:
                call.results[number] = known

    def _retry_after(self, call: _Call) -> int:
        return max(math.ceil(call.busy_until - self._clock()), math.ceil(self._times.poll))


def _undo(call: _Call) -> UndoHandle | NoUndo:
    """Return the call's own handle; of a call that only repeats another, the other's."""
    if call.worked:
        return call.undo
    handles = {one.undo for one in call.results.values() if isinstance(one, Known)}
    [handle] = handles if len(handles) == 1 else [None]
    return handle or NoUndo.NO_INVERSE
