"""The mapping document: who may use Productive, and with which token.

The operator encodes it into one Secret, the gateway decodes it from the mount or the API. A reader
ignores fields it does not know and refuses a version it does not know, so that an older gateway
lives with a newer operator. The document of the Cloudflare Worker (e-mail → userId, apiToken) is
read as version 0.
"""

from __future__ import annotations

import gzip
import json
import uuid
import zlib
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
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


class State(StrEnum):
    """What a person may do: everything, sign in only, or sign in without a usable token."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    NO_TOKEN = "noToken"  # noqa: S105


class MappingError(ValueError):
    """The document cannot be read; `str()` says why and never quotes its content."""


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
    """Productive's person id."""
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


EMPTY: Final = Mapping(revision=0, people=MappingProxyType({}))


def encode(mapping: Mapping) -> dict[str, bytes]:
    """Return the Secret's data: one key, plain or gzip, byte-identical for equal mappings."""
    document = {
        "version": DOCUMENT_VERSION,
        "revision": mapping.revision,
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
        MappingError: the document is malformed or of an unknown version.
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
        document = json.loads(plain, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MappingError("it is not JSON") from error
    if not isinstance(document, dict):
        raise MappingError("it is not a JSON object")
    if "version" not in document:
        return _decode_worker(document)
    version = document["version"]
    if version != DOCUMENT_VERSION or isinstance(version, bool):
        raise MappingError(f"version {version!r} is not known; this program reads version 1")
    revision, users = document.get("revision"), document.get("users")
    if not isinstance(revision, int) or isinstance(revision, bool) or revision < 0:
        raise MappingError("revision is not a number")
    if not isinstance(users, dict):
        raise MappingError("users is not an object")
    people: dict[str, Person] = {}
    for number, (email, entry) in enumerate(users.items()):
        if number % _PEOPLE_PER_SLICE == 0:
            yield
        person = _decode_person(email, entry)
        people[person.email] = person
    return Mapping(revision, MappingProxyType(people))


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


def _decode_person(key: str, entry: Any) -> Person:
    email = _email(key)
    if not isinstance(entry, dict):
        raise MappingError("an entry of users is not an object")
    try:
        state = State(entry["state"])
        user_id, uid, user = entry["userId"], entry["uid"], entry["user"]
        raw_access = entry.get("access") or {}
        toolsets = raw_access.get("toolsets")
        access = Access(
            read_only=raw_access.get("readOnly", False) is True,
            toolsets=None if toolsets is None else tuple(str(name) for name in toolsets),
        )
        revoked = entry.get("revokedBefore")
        revoked_before = parse_time(revoked) if revoked else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MappingError("an entry of users has a missing or malformed field") from error
    if not _positive(user_id) or not isinstance(uid, str) or not uid or not isinstance(user, str):
        raise MappingError("an entry of users has a malformed userId, uid or user")
    token, organization = entry.get("apiToken"), entry.get("organizationId")
    if state is State.ACTIVE and (not isinstance(token, str) or not token):
        raise MappingError("an active entry of users has no apiToken")
    return Person(
        email=email,
        uid=uid,
        user=user,
        user_id=user_id,
        state=state,
        reason=_reason(entry.get("reason")),
        api_token=Secret(token) if isinstance(token, str) and token else None,
        organization_id=str(organization) if organization else None,
        access=access,
        revoked_before=revoked_before,
    )


def _reason(text: Any) -> Reason | None:
    # A newer operator may know more reasons; the state is what decides.
    return _REASONS.get(text) if isinstance(text, str) else None


def _decode_worker(document: dict[str, Any]) -> Mapping:
    if not document:
        # Nobody at all is believed only from a document that bears a revision: a half-written
        # Secret must not sign everybody out.
        raise MappingError("it is an empty object")
    people: dict[str, Person] = {}
    for key, entry in document.items():
        email = _email(key)
        if not isinstance(entry, dict):
            raise MappingError("an entry is not an object with userId and apiToken")
        user_id, token = entry.get("userId"), entry.get("apiToken")
        if isinstance(user_id, str) and user_id.isascii() and user_id.isdigit():
            user_id = int(user_id)
        if not _positive(user_id) or not isinstance(token, str) or not token:
            raise MappingError("an entry has no userId (a number) or no apiToken (a text)")
        if email in people:
            raise MappingError("one e-mail address stands twice, in different spellings")
        people[email] = Person(
            email=email,
            uid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{email}")),
            user=email,
            user_id=user_id,
            state=State.ACTIVE,
            reason=Reason.SYNCED,
            api_token=Secret(token),
        )
    return Mapping(0, MappingProxyType(people))


def format_time(moment: datetime) -> str:
    """Write an instant the way Kubernetes does, in whole seconds of UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 instant.

    Raises:
        ValueError: the text is none, or names no offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time has no offset from UTC")
    return moment.astimezone(UTC)


def _email(key: str) -> str:
    try:
        return canonical_email(key)
    except EmailError as error:
        raise MappingError(f"a key is no e-mail address: {error}") from error


def _positive(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


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
