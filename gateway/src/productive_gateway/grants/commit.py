"""From a claim to a stored change: read, decide, compare-and-swap, and again if another came first.

A change is answered for only after it is stored. When the answer of the API server is lost the
record is read again: our own write is recognised by its attempt id, or by the ratchet, and counts.

Where the provider has to be asked, that happens between two writes: the lease, and the new
generation with what the provider answered.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Final

import structlog

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.mapping import Person
from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.grants.config import KEPT, GrantConfig
from productive_gateway.grants.errors import (
    AlreadyCompleted,
    Changed,
    Exists,
    Immutable,
    InvalidGrant,
    InvalidScope,
    Missing,
    being_renewed,
)
from productive_gateway.grants.grant import Cause, Grant, Refusal, standing
from productive_gateway.grants.index import GrantIndex
from productive_gateway.grants.provider import AskProvider, open_token, reply_to
from productive_gateway.grants.record import Record, Tampered, attempt_of, encode, read
from productive_gateway.grants.retry_budget import RetryBudget, RetryLimits
from productive_gateway.grants.steps import (
    Advance,
    Ask,
    Claim,
    End,
    Keep,
    Lease,
    Refuse,
    Repeat,
    Step,
    Wait,
)
from productive_gateway.grants.store import GrantStore
from productive_gateway.grants.transitions import decide
from productive_gateway.observability.audit import Event, audit
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import KeyRing, Keys

_log = structlog.get_logger(__name__)

_IMMUTABLE_HINT: Final = (
    "somebody made the Secret of this sign-in immutable, so it cannot be renewed: it is deleted, "
    "and the person has to sign in again. Leave the Secrets of the grants namespace alone"
)
_EVENTS: Final = {
    Cause.CODE_REPLAY: Event.CODE_REPLAY,
    Cause.REFRESH_REUSE: Event.REFRESH_REUSE,
}

_OF_THE_CURRENT: Final = (Advance, Lease, Ask, Wait, Keep)
"""Steps of a request whose token is the current one."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one try works on: the grant as it was just read, and whose it is."""

    record: Record
    grant: Grant
    ring: KeyRing
    person: Person | None


@dataclass(slots=True)
class _Request:
    """What a request knows from one try to the next."""

    claim: Claim
    budget: RetryBudget
    ending: End | None = None
    """The end that it tried to store."""
    was_current: bool = False
    """Whether it saw its own token as the current one."""
    first: Grant | None = None
    """The grant as it was when this request came."""
    known: Record | None = None
    """What it just wrote, so that it need not be read again."""

    def saw_others_ask(self, grant: Grant) -> bool:
        """Whether somebody else asked the provider in vain since this request came."""
        first = self.first
        return first is not None and (first.asks, first.upstream) != (grant.asks, grant.upstream)

    def replied(self, claim: Claim, budget: RetryBudget, known: Record) -> None:
        """Go on with the provider's reply, in the time of a write: it must not be lost."""
        budget.begin_write()
        self.claim, self.budget, self.known = claim, budget, known


@dataclass(frozen=True, slots=True)
class Committed:
    """A grant as it is stored, and a ring with the keys for it."""

    grant: Grant
    ring: KeyRing


class Commit:
    """Stores what follows from claims."""

    def __init__(
        self,
        store: GrantStore,
        index: GrantIndex,
        keys: Keys,
        config: GrantConfig,
        *,
        ask: AskProvider,
        clock: Clock = system_clock,
        entropy: Entropy = system_entropy,
        limits: RetryLimits,
    ) -> None:
        """Work on `store`, inform `index` of each change at once, and `ask` the provider."""
        self._store = store
        self._index = index
        self._keys = keys
        self._config = config
        self._ask = ask
        self._clock = clock
        self._entropy = entropy
        self._limits = limits

    async def create(self, record: Record) -> None:
        """Store a new grant; if the answer is lost, find out whether it was stored.

        Raises:
            AlreadyCompleted: the transaction made its grant before, in another attempt.
            StoreFull: there is no room.
            Unavailable: the store cannot be reached; the record may have been stored.
        """
        budget = RetryBudget(self._limits)
        budget.begin_write()
        while True:
            try:
                stored = await self._create_or_find(record, budget)
            except Unavailable as error:
                await budget.failure(error)
            else:
                self._index.note(stored)
                return

    async def apply(self, name: str, claim: Claim, people: Snapshot | None = None) -> Committed:
        """Read the grant, decide about the claim, store the outcome; repeat on a conflict.

        Args:
            name: of the grant.
            claim: what was presented.
            people: who may have tokens; a revocation does not ask.

        Raises:
            InvalidGrant: the claim is refused or ended the grant, or there is no grant.
            InvalidScope: the scopes of the claim are refused.
            Unavailable: the store cannot be reached, is too slow, or others change the grant
                all the time; or the provider gave no answer.
        """
        request = _Request(claim, RetryBudget(self._limits))
        while True:
            budget = request.budget
            try:
                outcome = await self._try(name, request, people)
            except (Changed, Missing):
                # Somebody else's write; theirs to audit if it ended the grant.
                request.ending = None
                await budget.conflict()
            except Unavailable as error:
                await budget.failure(error)
            else:
                if isinstance(outcome, Unavailable):
                    raise outcome
                if outcome is not None:
                    return outcome

    async def _try(
        self, name: str, request: _Request, people: Snapshot | None
    ) -> Committed | Unavailable | None:
        """Take one step; return how the request ends, or None if another step follows."""
        budget = request.budget
        record = request.known or await budget.call(self._store.get(name))
        request.known = None
        if record is None:
            self._index.mark_gone(name)
            raise _over(request.ending)
        grant, ring = await budget.call(self._read(record))
        seen = _Seen(record, grant, ring, None if people is None else people.person(grant.user_uid))
        request.first = request.first or grant
        step = self._decide(seen, request)
        match step:
            case Repeat():
                return Committed(step.grant, ring)
            case Refuse(Refusal.GONE):
                self._index.mark_gone(name)
                # If we tried to end it, that was our own write, whose answer was lost.
                raise _over(request.ending)
            case Refuse():
                raise _refused(step)
            case Advance() | End():
                return await self._finish(step, seen, request)
            case Lease() | Ask() | Wait() | Keep():
                return await self._ask_provider(step, seen, request)

    def _decide(self, seen: _Seen, request: _Request) -> Step:
        step = decide(
            seen.grant,
            request.claim,
            seen.ring,
            standing(seen.grant, seen.person, seen.ring.epoch),
            self._config,
            now=self._clock(),
            was_current=request.was_current,
        )
        request.was_current |= isinstance(step, _OF_THE_CURRENT)
        return step

    async def _ask_provider(
        self, step: Lease | Ask | Wait | Keep, seen: _Seen, request: _Request
    ) -> Unavailable | None:
        """Take one step of asking the provider; return why the request fails, if it does."""
        budget = request.budget
        match step:
            case Lease() if request.saw_others_ask(seen.grant):
                # They got no answer: those who came meanwhile must not ask again one by one.
                return being_renewed()
            case Lease():
                budget.begin_write()
                request.known = await self._update(step.grant, seen, budget)
            case Ask():
                answer = await self._ask(open_token(seen.ring, seen.grant))
                reply = reply_to(seen.grant, seen.person, answer, seen.ring, self._entropy)
                claim = replace(step.claim, reply=reply)
                request.replied(claim, RetryBudget(self._limits), seen.record)
            case Wait():
                await budget.wait()
            case Keep():
                if step.grant != seen.grant:
                    await self._update(step.grant, seen, budget)
                return step.failure
        return None

    async def _finish(self, step: Advance | End, seen: _Seen, request: _Request) -> Committed:
        budget, record = request.budget, seen.record
        budget.begin_write()
        if isinstance(step, Advance):
            self._index.note(await self._update(step.grant, seen, budget))
            return Committed(step.grant, seen.ring)
        request.ending = step
        await budget.call(end(self._store, record, step.grant, seen.ring, now=self._clock()))
        self._index.mark_gone(record.name)
        raise _over(request.ending)

    async def _update(self, grant: Grant, seen: _Seen, budget: RetryBudget) -> Record:
        record = seen.record
        try:
            changed = encode(grant, seen.ring, replacing=record)
            return await budget.call(self._store.update(changed))
        except Immutable:
            _log.warning("grant.immutable", grant=record.name, hint=_IMMUTABLE_HINT)
            await budget.call(self._store.delete(record))
            self._index.mark_gone(record.name)
            raise _over(End(grant, Cause.IMMUTABLE)) from None

    async def _create_or_find(self, record: Record, budget: RetryBudget) -> Record:
        try:
            return await budget.call(self._store.create(record))
        except Exists:
            held = await budget.call(self._store.get(record.name))
        # Our own write, whose answer was lost, is no second completion.
        if held is None or attempt_of(held) != attempt_of(record):
            raise AlreadyCompleted
        return held

    async def _read(self, record: Record) -> tuple[Grant, KeyRing]:
        try:
            return await read(record, self._keys)
        except Tampered as error:
            audit(Event.RECORD_TAMPERED, grant=record.name)
            raise InvalidGrant("record_tampered") from error
        except UnknownKey as error:
            raise InvalidGrant("key_retired") from error


async def end(store: GrantStore, record: Record, gone: Grant, ring: KeyRing, *, now: float) -> None:
    """Store that a grant is over: as gone while its transaction lives, else by deleting it.

    One that is immutable is deleted in any case.

    Args:
        store: where it is.
        record: what was read; nothing happens if it changed since.
        gone: its grant, as over.
        ring: its current key authenticates the record.
        now: Unix seconds.

    Raises:
        Changed: it changed since it was read.
        Missing: it is no longer there.
        Unavailable: the store cannot be reached; it may have been done.
    """
    if now - gone.created < KEPT:
        with contextlib.suppress(Immutable):
            await store.update(encode(gone, ring, replacing=record))
            return
    await store.delete(record)


def _refused(step: Refuse) -> GatewayError:
    match step.refusal:
        case Refusal.SCOPE:
            return InvalidScope()
        case Refusal.FORKED:
            return Unavailable(
                "This sign-in cannot be renewed at the moment. Try again shortly.", reason="forked"
            )
        case refusal:
            return InvalidGrant(refusal.value)


def _over(ending: End | None) -> InvalidGrant:
    """Return the answer to a claim on a grant that is over, by our own `ending` or before it."""
    if ending is None:
        return InvalidGrant(Refusal.GONE.value)
    grant, cause = ending.grant, ending.cause
    event = _EVENTS.get(cause, Event.GRANT_ENDED)
    audit(event, reason=cause.value, user=grant.user, grant=grant.name, client=grant.client_label)
    return InvalidGrant(cause.value)
