"""Names and hashes that follow from what they stand for."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from productive_gateway.sealing.seal import frame

NAME_BYTES: Final = 16
CLIENT_PREFIX: Final = 20
"""Hex digits of a client's hash in labels and audit lines."""


def grant_name(transaction: bytes) -> str:
    """Return the name of the grant that a transaction makes: always the same one."""
    return pack_name(hashlib.sha256(transaction).digest()[:NAME_BYTES])


def pack_name(raw: bytes) -> str:
    """Write 16 bytes as an object name: `g-` and 26 characters that every cluster takes."""
    return "g-" + base64.b32encode(raw).decode().rstrip("=").lower()


def unpack_name(name: str) -> bytes:
    """Return the 16 bytes of a grant's name."""
    return base64.b32decode(name.removeprefix("g-").upper() + "======")


def subject_name(user_uid: str) -> str:
    """Return the name of a person's subject binding."""
    return f"subject-{user_uid}"


def subject_digest(issuer: str, subject: str, user_uid: str) -> str:
    """Return what a subject binding holds: SHA-256 over issuer, subject and uid, in hex."""
    parts = (issuer.encode(), subject.encode(), user_uid.encode())
    return hashlib.sha256(frame(*parts)).hexdigest()


def client_hash(client_id: str) -> str:
    """Return SHA-256 of a client_id, in hex: ids of 2,000 characters are stored nowhere."""
    return hashlib.sha256(client_id.encode("utf-8", "surrogatepass")).hexdigest()
