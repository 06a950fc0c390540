"""From a claim to a stored change: read, decide, compare-and-swap, and again if it was overtaken.

A change is answered for only after it is stored. When the answer of the API server is lost the
record is read again: our own write is known by its attempt id, or by the ratchet, and counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from productive_contract.clock import Clock, Entropy
from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.grants.ending import put_to_end
from productive_gateway.grants.errors import Conflict, InvalidGrant, InvalidScope, Missing
from productive_gateway.grants.grant import Cause, Grant, Refusal
from productive_gateway.grants.index import GrantIndex
from productive_gateway.grants.opening import opened
from productive_gateway.grants.patience import Patience
from productive_gateway.grants.record import Tampered, encode
from productive_gateway.grants.store import GrantStore, Record
from productive_gateway.grants.transitions import Advance, End, Refuse, Repeat, Step
from productive_gateway.observability.audit import Event, audit
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import KeyRing, Keys

Decide = Callable[[Grant, KeyRing], Step]
"""Looks at what is stored, with a ring that can read it."""

_EVENTS: Final = {
    Cause.CODE_REPLAY: Event.CODE_REPLAY,
    Cause.REFRESH_REUSE: Event.REFRESH_REUSE,
}


@dataclass(frozen=True, slots=True)
class Settled:
    """A grant as it is stored, and a ring with the keys for it."""

    grant: Grant
    ring: KeyRing


class Settlement:
    """Makes steps true in the store."""

    def __init__(
        self, store: GrantStore, index: GrantIndex, keys: Keys, *, clock: Clock, entropy: Entropy
    ) -> None:
        """Work on `store`, and tell `index` of each change at once."""
        self._store = store
        self._index = index
        self._keys = keys
        self._clock = clock
        self._entropy = entropy

    async def settle(self, name: str, decide: Decide) -> Settled:
        """Apply `decide` to the grant until its step is made true.

        Raises:
            InvalidGrant: it refused or ended the grant, or there is none.
            InvalidScope: it refused the scopes.
            Unavailable: the store is away, too slow, or changed by others all the time.
        """
        patience = Patience(self._entropy)
        ending: End | None = None
        while True:
            try:
                record = await patience.call(self._store.get(name))
                if record is None:
                    self._index.bury(name)
                    raise self._over(ending)
                step, ring = await patience.call(self._decide(record, decide))
                if isinstance(step, Repeat):
                    return Settled(step.grant, ring)
                if isinstance(step, Refuse):
                    raise self._over(ending) if step.refusal is Refusal.GONE else refused(step)
                patience.sent()
                if isinstance(step, Advance):
                    await self._advance(record, step.grant, ring, patience)
                    return Settled(step.grant, ring)
                ending = step
                await self._end(record, step, ring, patience)
                raise self._over(ending)
            except (Conflict, Missing):
                await patience.conflict()
            except Unavailable as error:
                await patience.trouble(error)

    async def _decide(self, record: Record, decide: Decide) -> tuple[Step, KeyRing]:
        try:
            return await opened(self._keys, record, lambda grant, ring: (decide(grant, ring), ring))
        except Tampered as error:
            audit(Event.RECORD_TAMPERED, grant=record.name)
            raise InvalidGrant("record_tampered") from error
        except UnknownKey as error:
            raise InvalidGrant("key_retired") from error

    async def _advance(
        self, record: Record, grant: Grant, ring: KeyRing, patience: Patience
    ) -> None:
        changed = encode(grant, ring, uid=record.uid, version=record.version)
        self._index.note(await patience.call(self._store.update(changed)))

    async def _end(self, record: Record, end: End, ring: KeyRing, patience: Patience) -> None:
        now = self._clock()
        await patience.call(put_to_end(self._store, record, end.grant, ring, now=now))
        self._index.bury(record.name)

    def _over(self, ending: End | None) -> InvalidGrant:
        if ending is None:
            return InvalidGrant(Refusal.GONE.value)
        grant, cause = ending.grant, ending.cause
        event = _EVENTS.get(cause, Event.GRANT_ENDED)
        audit(
            event, reason=cause.value, user=grant.user, grant=grant.name, client=grant.client_label
        )
        return InvalidGrant(cause.value)


def refused(step: Refuse) -> GatewayError:
    """Return the error that answers a refusal."""
    if step.refusal is Refusal.SCOPE:
        return InvalidScope()
    if step.refusal is Refusal.FORKED:
        return Unavailable(
            "This sign-in cannot be renewed just now. Try again in a moment.", reason="forked"
        )
    return InvalidGrant(step.refusal.value)
