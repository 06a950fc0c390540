"""Pure steps of a guarded call on a person's ledger: admit, look up, finish."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from productive_gateway.tools.writes.ledger import Ledger, Write
from productive_gateway.tools.writes.undo import UndoHandle, handle_of


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of a guarded call."""

    lease: float = 45.0
    """For which a call has its writes to itself: the 25 s of a call, 10 s in which Productive may
    still carry out what it received, and 10 s for clocks that differ."""
    remembered: float = 600.0
    """For which a write of unknown outcome leads to a look into Productive."""
    repeated: float = 300.0
    """For which the same call gets the same answer."""
    settled: float = 5.0
    """After which what was written, and is not there, was deleted."""
    wait: float = 10.0
    """For which a call waits for an identical one."""
    poll: float = 1.0
    """Between two looks into the ledger, for an identical call at another replica."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """This call does the write."""

    since: float | None
    """An earlier call may have done it since then: look first. None: nobody tried."""


@dataclass(frozen=True, slots=True)
class Known:
    """An identical call did the write before."""

    result: str
    """What it created."""
    at: float
    """When it began, in Unix seconds."""
    undo: UndoHandle | None = None
    """Of that call, while it can be used."""


@dataclass(frozen=True, slots=True)
class Busy:
    """An identical call is doing the write."""

    until: float
    """When it is over at the latest, in Unix seconds."""


Verdict = Admitted | Known | Busy


def claim(
    ledger: Ledger,
    intents: Mapping[int, bytes],
    *,
    attempt: str,
    now: float,
    times: Times,
    admit: bool,
) -> tuple[Ledger, dict[int, Verdict]]:
    """Decide about intended writes, and note those that are admitted.

    Args:
        ledger: as it is.
        intents: what is to be written, by the call's own numbers.
        attempt: the call.
        now: Unix seconds, the same each time that this call claims.
        times: of a guarded call.
        admit: whether the call may begin to write; otherwise it only asks.
    """
    writes = dict(ledger.writes)
    verdicts: dict[int, Verdict] = {}
    for number, intent in intents.items():
        name = ledger.digest(intent)
        held = writes.get(name)
        if held is not None and held.result is not None:
            undo = handle_of(ledger, held.attempt)
            verdicts[number] = Known(held.result, held.since, undo)
        elif held is not None and (held.lease > now) and held.attempt != attempt:
            verdicts[number] = Busy(held.lease)
        elif not admit:
            verdicts[number] = Busy(now if held is None else max(held.lease, now))
        else:
            since = now if held is None else held.since
            # If the claim is ours already, the answer to our own write was lost.
            verdicts[number] = Admitted(None if since == now else since)
            writes[name] = Write(attempt, since, now + times.lease, now + times.remembered)
    if writes == ledger.writes:
        return ledger, verdicts
    return replace(ledger, writes=writes), verdicts


def reopen(ledger: Ledger, intents: Mapping[bytes, str], *, now: float, times: Times) -> Ledger:
    """Return the ledger without results that are gone; the next call looks, then writes again.

    Args:
        ledger: as it is.
        intents: which writes, with the results that are gone.
        now: Unix seconds.
        times: of a guarded call.
    """
    writes = dict(ledger.writes)
    for intent, gone in intents.items():
        name = ledger.digest(intent)
        held = writes.get(name)
        # Another call may have written it again meanwhile.
        if held is not None and held.result == gone:
            kept = now + times.remembered
            writes[name] = replace(held, lease=now, kept=kept, result=None)
    return ledger if writes == ledger.writes else replace(ledger, writes=writes)


def finish(
    ledger: Ledger,
    *,
    attempt: str,
    done: Mapping[bytes, str],
    not_done: Collection[bytes],
    untried: Collection[bytes],
    now: float,
    times: Times,
) -> Ledger:
    """Return the ledger after the writes of an attempt; those that are not named stay open.

    Args:
        ledger: as it is.
        attempt: the call.
        done: what each intent created.
        not_done: intents that Productive refused.
        untried: intents that are as they were before this attempt.
        now: Unix seconds.
        times: of a guarded call.
    """
    writes = dict(ledger.writes)
    for intent, result in done.items():
        name = ledger.digest(intent)
        since = writes[name].since if name in writes else now
        writes[name] = Write(attempt, since, now, now + times.repeated, result)
    # What another call took over after our lease is now its own.
    ours = {name for name, one in writes.items() if one.attempt == attempt and one.result is None}
    for name in ours & {ledger.digest(intent) for intent in not_done}:
        del writes[name]
    for name in ours & {ledger.digest(intent) for intent in untried}:
        writes[name] = replace(writes[name], lease=now)
    return ledger if writes == ledger.writes else replace(ledger, writes=writes)
