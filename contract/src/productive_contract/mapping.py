"""The mapping document: who may use Productive, and with which token.

The operator encodes it into one Secret, the gateway decodes it from the mount or the API. A reader
ignores fields it does not know and refuses a version it does not know, so that an older gateway
works with a newer operator. One bad entry never hides the others: removals that are in the document
count, whatever else is wrong with it. The document of the Cloudflare Worker (e-mail → userId,
apiToken) is read as version 0.
"""

from __future__ import annotations

import gzip
import json
import math
import uuid
import zlib
from collections.abc import Callable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeGuard

from productive_contract.email import EmailError, canonical_email
from productive_contract.names import MAPPING_KEY, MAPPING_KEY_GZIP
from productive_contract.secret import Secret
from productive_contract.slices import Slices, at_once

DOCUMENT_VERSION: Final = 1
GZIP_ABOVE: Final = 700 * 1024
"""Bytes of plain JSON above which the document is stored compressed."""
_PEOPLE_PER_SLICE: Final = 200
"""Of decoding: a few milliseconds."""
MAX_PLAIN: Final = 64 * 1024 * 1024
"""Bytes a document may unpack to: a bound against a decompression bomb, far above any company."""
MAX_INTEGER: Final = 2**53 - 1
"""Largest number in a document: beyond it JSON readers lose digits, and clocks and metrics fail."""


class Reason(StrEnum):
    """Reasons of the Ready condition of a ProductiveUser."""

    SYNCED = "Synced"
    EMAIL_CONFLICT = "EmailConflict"
    TOKEN_SECRET_NOT_FOUND = "TokenSecretNotFound"  # noqa: S105
    TOKEN_KEY_MISSING = "TokenKeyMissing"  # noqa: S105
    TOKEN_EMPTY = "TokenEmpty"  # noqa: S105
    SUSPENDED = "Suspended"
    MAPPING_FULL = "MappingFull"
    INVALID = "Invalid"


_REASONS: Final = {reason.value: reason for reason in Reason}
_MAX_DIGITS: Final = 20


class State(StrEnum):
    """What a person may do: everything, sign in only, or sign in without a usable token."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    NO_TOKEN = "noToken"  # noqa: S105


_STATES: Final = {state.value: state for state in State}


class MappingError(ValueError):
    """The document cannot be read; `str()` is the reason and never quotes its content."""


@dataclass(frozen=True, slots=True)
class Access:
    """What narrows a person's use beyond what the gateway allows."""

    read_only: bool = False
    toolsets: tuple[str, ...] | None = None
    """Tool groups the person may use; None leaves the gateway's."""


@dataclass(frozen=True, slots=True)
class Person:
    """One entry of the mapping."""

    email: str
    uid: str
    """uid of the ProductiveUser: who a grant belongs to, whatever the e-mail becomes."""
    user: str
    """namespace/name of the ProductiveUser, for people who look into logs."""
    user_id: int
    """Productive's person id; 0 if it could not be read, and then there is no token."""
    state: State
    reason: Reason | None = None
    api_token: Secret | None = None
    organization_id: str | None = None
    access: Access = field(default_factory=Access)
    revoked_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """All people at one moment; `people` is keyed by canonical e-mail."""

    revision: int
    people: MappingABC[str, Person]
    namespace: str | None = None
    """Where the ProductiveUsers are; None if the writer did not record it."""
    faults: tuple[str, ...] = ()
    """What was wrong with entries, once for each kind of fault; quotes no content. Somebody with a
    faulty entry is in `people` without a token."""
    complete: bool = True
    """Whether everybody of the document is in `people`. If not, an entry had no readable e-mail or
    uid: absence from `people` proves nothing."""

    def refuse_faults(self) -> None:
        """Raise `MappingError` if an entry is wrong: for a document that is not in use yet."""
        if self.faults:
            raise MappingError("; ".join(self.faults))


EMPTY: Final = Mapping(revision=0, people=MappingProxyType({}))


def encode(mapping: Mapping) -> dict[str, bytes]:
    """Return the Secret's data: one key, plain or gzip, byte-identical for equal mappings."""
    document = {
        "version": DOCUMENT_VERSION,
        "revision": mapping.revision,
        **({} if mapping.namespace is None else {"namespace": mapping.namespace}),
        "users": {email: _encode_person(mapping.people[email]) for email in sorted(mapping.people)},
    }
    plain = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    if len(plain) <= GZIP_ABOVE:
        return {MAPPING_KEY: plain}
    return {MAPPING_KEY_GZIP: gzip.compress(plain, compresslevel=6, mtime=0)}


def decode(data: MappingABC[str, bytes]) -> Mapping:
    """Read the Secret's data, or the files of its mount.

    Raises:
        MappingError: neither key is there, the document is malformed or of an unknown version.
    """
    return at_once(decoding(data))


def decode_document(plain: bytes) -> Mapping:
    """Read one document, of version 1 or the Worker's (version 0).

    Raises:
        MappingError: the document is malformed or of an unknown version, or not one of its entries
            belongs to anybody.
    """
    return at_once(_decoding_document(plain))


def decoding(data: MappingABC[str, bytes]) -> Slices[Mapping]:
    """Do what `decode` does in slices: ten thousand people take a tenth of a second.

    Raises:
        MappingError: as `decode` does.
    """
    if MAPPING_KEY_GZIP in data:
        plain = _unpack(data[MAPPING_KEY_GZIP])
        yield
    elif MAPPING_KEY in data:
        plain = data[MAPPING_KEY]
    else:
        raise MappingError(f"it has neither {MAPPING_KEY} nor {MAPPING_KEY_GZIP}")
    return (yield from _decoding_document(plain))


def _decoding_document(plain: bytes) -> Slices[Mapping]:
    try:
        document = json.loads(plain, parse_int=_parse_int, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MappingError("it is not JSON") from error
    if not isinstance(document, dict):
        raise MappingError("it is not a JSON object")
    if "version" not in document:
        return _decode_worker(document)
    version = document["version"]
    if version != DOCUMENT_VERSION or isinstance(version, bool):
        shown = version if _integer(version, least=0) else "of another kind"
        raise MappingError(f"version {shown} is not known; this program reads version 1")
    revision, users = document.get("revision"), document.get("users")
    if not _integer(revision, least=0):
        raise MappingError("revision is not a number from 0 to 2^53")
    if not isinstance(users, dict):
        raise MappingError("users is not an object")
    namespace = document.get("namespace")
    people = yield from _reading_people(users, _decode_person, lambda _, entry: entry.get("uid"))
    return replace(
        people, revision=revision, namespace=namespace if isinstance(namespace, str) else None
    )


def _reading_people(
    users: dict[str, Any],
    decode_person: Callable[[str, dict[str, Any]], Person],
    uid_of: Callable[[str, dict[str, Any]], Any],
) -> Slices[Mapping]:
    """Read all entries, in slices; what is wrong with one of them changes that person alone.

    Args:
        users: entries by e-mail.
        decode_person: reads an entry, given its canonical e-mail.
        uid_of: returns the uid of an entry that is otherwise wrong.
    """
    people: dict[str, Person] = {}
    faults: set[str] = set()
    lost: set[str] = set()
    """Addresses of entries that belong to nobody; the empty one is for keys that are not one."""
    for number, (key, entry) in enumerate(users.items()):
        if number % _PEOPLE_PER_SLICE == 0:
            yield
        email = ""
        try:
            email = _email(key)
            person: Person | None = decode_person(email, _object(entry))
        except MappingError as error:
            faults.add(str(error))
            fields = entry if isinstance(entry, dict) else {}
            person = _without_token(email, uid_of(email, fields), fields) if email else None
        if email in people:
            faults.add("an e-mail address is repeated, in different spellings")
            person = None
        if person is None:
            lost.add(email)
        else:
            people[email] = person
    for email in lost:
        people.pop(email, None)
    if lost and not people:
        raise MappingError(f"no entry can be read: {min(faults)}")
    return Mapping(0, MappingProxyType(people), faults=tuple(sorted(faults)), complete=not lost)


def _without_token(email: str, uid: Any, entry: dict[str, Any]) -> Person | None:
    """Return what is certain about somebody whose entry is wrong; None without a uid."""
    if not _text(uid):
        return None
    user, user_id, state = entry.get("user"), entry.get("userId"), entry.get("state")
    return Person(
        email=email,
        uid=uid,
        user=user if _text(user) else email,
        user_id=user_id if _integer(user_id, least=1) else 0,
        # Somebody who is suspended stays suspended.
        state=State.SUSPENDED if state == State.SUSPENDED.value else State.NO_TOKEN,
        reason=Reason.INVALID,
    )


def _encode_person(person: Person) -> dict[str, Any]:
    access: dict[str, Any] = {}
    if person.access.read_only:
        access["readOnly"] = True
    if person.access.toolsets is not None:
        access["toolsets"] = list(person.access.toolsets)
    entry: dict[str, Any] = {
        "state": person.state.value,
        "reason": person.reason.value if person.reason else None,
        "userId": person.user_id,
        "user": person.user,
        "uid": person.uid,
        "organizationId": person.organization_id,
        "access": access,
        "revokedBefore": format_time(person.revoked_before) if person.revoked_before else None,
    }
    if person.api_token is not None:
        entry["apiToken"] = person.api_token.reveal()
    return entry


def _decode_person(email: str, entry: dict[str, Any]) -> Person:
    user_id, uid, user = entry.get("userId"), entry.get("uid"), entry.get("user")
    if not _integer(user_id, least=1) or not _text(uid) or not isinstance(user, str):
        raise MappingError("an entry has a malformed userId, uid or user")
    state = _STATES.get(entry["state"]) if _text(entry.get("state")) else None
    if state is None:
        raise MappingError("an entry has an unknown state")
    token, organization = entry.get("apiToken"), entry.get("organizationId")
    if not (token is None or isinstance(token, str)) or (state is State.ACTIVE and not token):
        raise MappingError("an entry has a malformed apiToken, or is active without one")
    if not (organization is None or _text(organization)):
        raise MappingError("an entry has a malformed organizationId")
    return Person(
        email=email,
        uid=uid,
        user=user,
        user_id=user_id,
        state=state,
        reason=_reason(entry.get("reason")),
        api_token=Secret(token) if token else None,
        organization_id=organization,
        access=_access(entry.get("access")),
        revoked_before=_instant(entry.get("revokedBefore")),
    )


def _access(value: Any) -> Access:
    if not value:
        return Access()
    if not isinstance(value, dict):
        raise MappingError("an entry has a malformed access")
    read_only, toolsets = value.get("readOnly", False), value.get("toolsets")
    if not isinstance(read_only, bool) or not (toolsets is None or _texts(toolsets)):
        # What narrows access and cannot be read must not widen it.
        raise MappingError("an entry has a malformed access")
    return Access(read_only, None if toolsets is None else tuple(toolsets))


def _instant(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        return parse_time(value)
    except (TypeError, ValueError) as error:
        raise MappingError("an entry has a malformed revokedBefore") from error


def _reason(text: Any) -> Reason | None:
    # A newer operator may know more reasons; the state is what decides.
    return _REASONS.get(text) if isinstance(text, str) else None


def _decode_worker(document: dict[str, Any]) -> Mapping:
    if not document:
        # Nobody at all is believed only from a document that has a revision: a half-written Secret
        # must not sign everybody out.
        raise MappingError("it is an empty object")
    return at_once(
        _reading_people(document, _decode_worker_person, lambda email, _: _worker_uid(email))
    )


def _worker_uid(email: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{email}"))


def _decode_worker_person(email: str, entry: dict[str, Any]) -> Person:
    user_id, token = entry.get("userId"), entry.get("apiToken")
    if isinstance(user_id, str) and user_id.isascii() and user_id.isdigit():
        user_id = _parse_int(user_id)
    if not _integer(user_id, least=1) or not _text(token):
        raise MappingError("an entry has no userId (a number) or no apiToken (a text)")
    return Person(
        email=email,
        uid=_worker_uid(email),
        user=email,
        user_id=user_id,
        state=State.ACTIVE,
        reason=Reason.SYNCED,
        api_token=Secret(token),
    )


def format_time(moment: datetime) -> str:
    """Write an instant the way Kubernetes does, in whole seconds of UTC."""
    # Not strftime: its %Y has no leading zeros, which no reader of RFC 3339 takes.
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 instant.

    Raises:
        ValueError: the text is not one, names no offset, or cannot be represented in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time has no offset from UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is before the year 1 or after the year 9999") from error


def _email(key: str) -> str:
    try:
        return canonical_email(key)
    except EmailError as error:
        raise MappingError(f"a key is no e-mail address: {error}") from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MappingError("an entry is not an object")
    return value


def _integer(value: Any, *, least: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MAX_INTEGER


def _text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def _texts(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _parse_int(digits: str) -> int | float:
    """Read a number; one that is too long for Python becomes infinite, which no field may be."""
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _unpack(packed: bytes) -> bytes:
    decompressor = zlib.decompressobj(wbits=31)
    try:
        plain = decompressor.decompress(packed, MAX_PLAIN)
    except zlib.error as error:
        raise MappingError("it is not gzip") from error
    if decompressor.unconsumed_tail or not decompressor.eof:
        raise MappingError("it is cut short, or unpacks to more than is allowed")
    return plain
