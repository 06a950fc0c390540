"""Making the end of a grant true in the store."""

from __future__ import annotations

from productive_gateway.grants.config import KEPT
from productive_gateway.grants.grant import Grant
from productive_gateway.grants.record import encode
from productive_gateway.grants.store import GrantStore, Record
from productive_gateway.sealing.keys import KeyRing


async def put_to_end(
    store: GrantStore, record: Record, gone: Grant, ring: KeyRing, *, now: float
) -> None:
    """Store that a grant is over: as gone while its transaction lives, else by deleting it.

    Args:
        store: where it is.
        record: what was read; nothing happens if it was changed since.
        gone: its grant, as over.
        ring: whose current key authenticates the record.
        now: Unix seconds.

    Raises:
        Conflict: it was changed since it was read.
        Missing: it is not there any more.
        Unavailable: the store is away; it may have been done.
    """
    if now - gone.created < KEPT:
        await store.update(encode(gone, ring, uid=record.uid, version=record.version))
    else:
        await store.delete(record)
