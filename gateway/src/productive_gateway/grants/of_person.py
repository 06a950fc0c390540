"""The grants of one person, as they are stored now.

For the person themself, who decides what is ended: so the list is read from the store and complete,
and holds only what this gateway wrote for this person.
"""

from __future__ import annotations

from productive_contract.mapping import Person
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.grant import Grant, GrantState, standing
from productive_gateway.grants.record import Record, RecordKind, Tampered, decode, read
from productive_gateway.grants.store import GrantStore
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import Keys


async def connected(
    store: GrantStore, keys: Keys, config: GrantConfig, person: Person, *, now: float
) -> list[Grant]:
    """Return the person's grants from which tokens can still be made, in no order.

    A record that was tampered with, or is authenticated with a key that is not ours, lets nobody in
    and is left out.

    Raises:
        Unavailable: store or keys cannot be reached.
    """
    ring = keys.ring()

    def opened(record: Record) -> Grant | Record | None:
        try:
            return decode(record, ring)
        except UnknownKey:
            return record  # the ring may have been rotated since it was read
        except Tampered:
            return None

    grants: list[Grant] = []
    for found in await store.list(RecordKind.GRANT, opened, user_uid=person.uid):
        grant = await _reread(found, keys) if isinstance(found, Record) else found
        # The label only finds records; whose they are is what the MAC protects.
        if grant is not None and grant.user_uid == person.uid:
            grants.append(grant)
    return [one for one in grants if _usable(one, person, keys.ring().epoch, config, now=now)]


async def _reread(record: Record, keys: Keys) -> Grant | None:
    try:
        grant, _ = await read(record, keys)
    except (UnknownKey, Tampered):
        return None
    return grant


def _usable(grant: Grant, person: Person, epoch: int, config: GrantConfig, *, now: float) -> bool:
    if grant.state is GrantState.GONE:
        return False
    pending = grant.state is GrantState.PENDING
    end = grant.code_end if pending else grant.end(config)
    return now < end and standing(grant, person, epoch) is None
