"""A stored object, and a grant as one: fields and labels under a MAC.

The MAC covers fields, labels, name and, from activation on, the object's uid; its key is one of our
ring, whose id is in the record, and it is made again at each write. So somebody who can write to
the namespace but has no key can delete a grant, yet not move it to another person, extend it, or
bring a deleted one back. A rollback of the same object to an older state cannot be detected.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from productive_contract.names import (
    GRANT_TYPE,
    LABEL_CLIENT,
    LABEL_EXPIRES_DAY,
    LABEL_STATE,
    LABEL_USER,
    LABEL_USER_UID,
    LEDGER_TYPE,
    SUBJECT_TYPE,
)
from productive_gateway.grants.config import KEPT
from productive_gateway.grants.grant import Grant, GrantState
from productive_gateway.sealing.keys import Key, KeyRing, Keys, with_known_key
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import frame, mac, seal_kid

FORMAT: Final = b"1"
LABELS: Final = (LABEL_USER_UID, LABEL_USER, LABEL_CLIENT, LABEL_STATE, LABEL_EXPIRES_DAY)
_KEY: Final = "key"
_MAC: Final = "mac"
_NOT_IN_LABEL = re.compile(r"[^A-Za-z0-9_.-]")


class RecordKind(StrEnum):
    """What a record is, by the type of its Secret."""

    GRANT = GRANT_TYPE
    SUBJECT = SUBJECT_TYPE
    LEDGER = LEDGER_TYPE


@dataclass(frozen=True, slots=True)
class Record:
    """One stored object."""

    kind: RecordKind
    name: str
    labels: Mapping[str, str]
    data: Mapping[str, bytes]
    uid: str = ""
    """Given by the store at creation."""
    version: str = ""
    """Given by the store at each write; versions of one store can be compared as numbers."""
    created: float = 0.0
    """When the store made it, by the store's clock."""
    attached: Mapping[str, object] = field(default_factory=dict)
    """What others attached to the object: annotations, finalizers, owner references."""
    deleting: bool = False
    """Deleted, and only kept by a finalizer of somebody else."""
    immutable: bool = False
    """Made immutable by somebody: the store takes no other data."""


class Tampered(Exception):
    """The record is not as this gateway wrote it."""


def encode(grant: Grant, ring: KeyRing, *, replacing: Record | None = None) -> Record:
    """Return the record of a grant, authenticated with the current key.

    What others attached to the object that is replaced, and their labels, stay.

    Args:
        grant: what is stored.
        ring: its current key makes the MAC.
        replacing: the record that was read; None for a new object.
    """
    key = ring.sealing_key()
    data = {name: text.encode() for name, text in _fields(grant).items()}
    data |= {"v": FORMAT, _KEY: key.kid.encode()}
    labels = _labels(grant)
    if replacing is None:
        record = Record(RecordKind.GRANT, grant.name, labels, data)
    else:
        record = replace(replacing, labels={**replacing.labels, **labels}, data=data)
    tag = _authenticate(key, record, grant.state)
    return replace(record, data=data | {_MAC: tag})


def decode(record: Record, ring: KeyRing) -> Grant:
    """Return the grant of a record; one that is being deleted is gone, whatever it says.

    Raises:
        UnknownKey: the ring does not hold the key of its MAC.
        Tampered: the MAC is wrong, or the record does not hold a grant.
    """
    try:
        kid = record.data[_KEY].decode()
        state = GrantState(record.data["state"].decode())
        tag = record.data[_MAC]
    except (KeyError, ValueError) as error:
        raise Tampered(record.name) from error
    expected = _authenticate(ring.require(kid), record, state)
    if not hmac.compare_digest(tag, expected):
        raise Tampered(record.name)
    if record.deleting:
        state = GrantState.GONE
    try:
        return _grant(
            record.name, state, {k: v.decode() for k, v in record.data.items() if k != _MAC}
        )
    except (KeyError, ValueError) as error:
        raise Tampered(record.name) from error


async def read(record: Record, keys: Keys) -> tuple[Grant, KeyRing]:
    """Open a stored grant with keys that may have changed.

    Returns:
        The grant, and a ring that holds the keys of its MAC, of its current refresh token and of
        the provider's token.

    Raises:
        UnknownKey: not even a freshly read ring holds them: retired, or of another installation.
        Tampered: see `decode`.
        Unavailable: the ring cannot be read, so nobody can know.
    """

    def open_with(ring: KeyRing) -> tuple[Grant, KeyRing]:
        grant = decode(record, ring)
        if grant.ratchet_kid:
            ring.require(grant.ratchet_kid)
        if grant.upstream:
            ring.require(seal_kid(grant.upstream))
        return grant, ring

    return await with_known_key(keys, open_with)


def key_of(record: Record) -> str:
    """Return the id of the key that a record claims to be authenticated with."""
    return record.data.get(_KEY, b"").decode("ascii", "replace")


def attempt_of(record: Record) -> str:
    """Return the id of the write that made the record."""
    return record.data.get("attempt", b"").decode("ascii", "replace")


def person_labels(uid: str, user: str) -> dict[str, str]:
    """Return the labels of what belongs to a person.

    Args:
        uid: of the ProductiveUser; the truth.
        user: its namespace/name, of which the name is shown.
    """
    return {LABEL_USER_UID: uid, LABEL_USER: label_value(user.rpartition("/")[2])}


def label_value(text: str) -> str:
    """Return text as a label's value: at most 63 characters, all of them allowed in one."""
    return _NOT_IN_LABEL.sub("-", text)[:63].strip("_.-")


def _authenticate(key: Key, record: Record, state: GrantState) -> bytes:
    # A new object has no uid yet when its record is made.
    uid = "" if state is GrantState.PENDING else record.uid
    parts = [record.name.encode(), uid.encode()]
    parts += [record.labels.get(label, "").encode() for label in LABELS]
    for name in sorted(record.data.keys() - {_MAC}):
        parts += [name.encode(), record.data[name]]
    return mac(key, Purpose.RECORD, frame(*parts))


def _labels(grant: Grant) -> dict[str, str]:
    last = grant.absolute_end if grant.state is GrantState.ACTIVE else grant.created + KEPT
    return {
        **person_labels(grant.user_uid, grant.user),
        LABEL_CLIENT: grant.client_label,
        LABEL_STATE: grant.state.value,
        LABEL_EXPIRES_DAY: datetime.fromtimestamp(last, UTC).strftime("%Y%m%d"),
    }


def _fields(grant: Grant) -> dict[str, str]:
    return _fields_of_provider(grant) | {
        "state": grant.state.value,
        "user-uid": grant.user_uid,
        "user": grant.user,
        "subject": grant.subject,
        "client": grant.client,
        "client-name": grant.client_name,
        "client-host": grant.client_host,
        "redirect-uri": grant.redirect_uri,
        "resource": grant.resource,
        "scopes": " ".join(sorted(grant.scopes)),
        "auth-time": repr(grant.auth_time),
        "created": repr(grant.created),
        "absolute-end": repr(grant.absolute_end),
        "epoch": str(grant.epoch),
        "attempt": grant.attempt,
        "code-hash": grant.code_hash,
        "challenge": grant.challenge,
        "code-end": repr(grant.code_end),
        "salt": grant.salt.hex(),
        "generation": str(grant.generation),
        "refresh-hash": grant.refresh_hash,
        "ratchet-key": grant.ratchet_kid,
        "rotated-at": repr(grant.rotated_at),
        "ended-at": repr(grant.ended_at),
        "ended-cause": grant.ended_cause,
    }


def _fields_of_provider(grant: Grant) -> dict[str, str]:
    """Return what only grants have whose provider gave a refresh token."""
    if not grant.upstream:
        return {}
    return {
        "upstream": grant.upstream,
        "lease": grant.lease,
        "lease-end": repr(grant.lease_end),
        "asks": str(grant.asks),
    }


def _grant(name: str, state: GrantState, fields: Mapping[str, str]) -> Grant:
    return Grant(
        name=name,
        state=state,
        user_uid=fields["user-uid"],
        user=fields["user"],
        subject=fields["subject"],
        client=fields["client"],
        client_name=fields["client-name"],
        client_host=fields["client-host"],
        redirect_uri=fields["redirect-uri"],
        resource=fields["resource"],
        scopes=frozenset(fields["scopes"].split()),
        auth_time=float(fields["auth-time"]),
        created=float(fields["created"]),
        absolute_end=float(fields["absolute-end"]),
        epoch=int(fields["epoch"]),
        attempt=fields["attempt"],
        code_hash=fields["code-hash"],
        challenge=fields["challenge"],
        code_end=float(fields["code-end"]),
        salt=bytes.fromhex(fields["salt"]),
        generation=int(fields["generation"]),
        refresh_hash=fields["refresh-hash"],
        ratchet_kid=fields["ratchet-key"],
        rotated_at=float(fields["rotated-at"]),
        ended_at=float(fields["ended-at"]),
        ended_cause=fields["ended-cause"],
        upstream=fields.get("upstream", ""),
        lease=fields.get("lease", ""),
        lease_end=float(fields.get("lease-end", "0.0")),
        asks=int(fields.get("asks", "0")),
    )
