"""A sign-in as an administrator sees it, with or without the keys to check it.

Without a key ring the fields of a grant are what somebody wrote there: they are shown as they are,
and said to be unverified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from productive_gateway.admin.output import time_text
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.grant import CLIENT_PREFIX, GrantState, client_hash
from productive_gateway.grants.record import Record, Tampered, decode
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import KeyRing

HEADS: Final = ("NAME", "PERSON", "CLIENT", "HOST", "SINCE", "RENEWED", "EXPIRES", "STATE")
CONFIG: Final = GrantConfig(resource="")
"""Lives of sign-ins, which no setting changes."""


class Check(StrEnum):
    """What is known of a record's authenticity."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    """There is no key ring to check it with."""
    TAMPERED = "tampered"
    """No gateway wrote it like that: it refuses it."""
    UNKNOWN_KEY = "unknown key"
    """Made with a key that the ring does not hold: a gateway refuses it."""


@dataclass(frozen=True, slots=True)
class SignInView:
    """What a grant Secret says."""

    name: str
    check: Check
    state: str
    """pending, active, gone, expired, or `old epoch`."""
    user_uid: str
    user: str
    """namespace/name of the ProductiveUser."""
    client: str
    """Hash prefix, as in labels and audit lines."""
    client_name: str
    client_host: str
    since: float
    renewed: float | None
    expires: float
    scopes: str
    redirect_uri: str
    ended_cause: str

    @property
    def over(self) -> bool:
        """Whether it is over already, so that there is nothing to end."""
        return self.state == GrantState.GONE.value

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table, see `HEADS`."""
        trusted = self.check in {Check.VERIFIED, Check.UNVERIFIED}
        return (
            self.name,
            self.user.rpartition("/")[2],
            self.client_name,
            self.client_host,
            time_text(self.since),
            "-" if self.renewed is None else time_text(self.renewed),
            time_text(self.expires),
            self.state if trusted else self.check.value,
        )

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "name": self.name,
            "check": self.check.value,
            "state": self.state,
            "user": self.user,
            "userUid": self.user_uid,
            "client": self.client,
            "clientName": self.client_name,
            "clientHost": self.client_host,
            "since": time_text(self.since),
            "renewed": None if self.renewed is None else time_text(self.renewed),
            "expires": time_text(self.expires),
            "scopes": self.scopes.split(),
            "redirectUri": self.redirect_uri,
            "endedCause": self.ended_cause or None,
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """Which sign-ins are meant: those that match everything that is given."""

    names: frozenset[str] = frozenset()
    user: str | None = None
    """Name of a ProductiveUser, or namespace/name."""
    user_uid: str | None = None
    client: str | None = None
    """A client's hash prefix, client_id or name."""

    def matches(self, view: SignInView) -> bool:
        """Return whether a sign-in is meant."""
        return (
            (not self.names or view.name in self.names)
            and (self.user is None or self.user in {view.user, view.user.rpartition("/")[2]})
            and (self.user_uid is None or self.user_uid == view.user_uid)
            and (self.client is None or _is_client(self.client, view))
        )


def view(record: Record, ring: KeyRing | None, *, now: float) -> SignInView:
    """Return what a record says.

    Args:
        record: of the type of grants.
        ring: checks the record; None if there is none.
        now: Unix seconds.
    """
    fields = {name: value.decode("utf-8", "replace") for name, value in record.data.items()}
    created = _seconds(fields, "created", record.created)
    renewed = _seconds(fields, "rotated-at", 0.0)
    state = GrantState.GONE.value if record.deleting else fields.get("state", "")
    expires = _expiry(fields, state, created, renewed)
    epoch = fields.get("epoch", "")
    if state != GrantState.GONE.value:
        old = ring is not None and epoch.isdecimal() and int(epoch[:10]) < ring.epoch
        state = "old epoch" if old else "expired" if expires <= now else state
    return SignInView(
        name=record.name,
        check=_check(record, ring),
        state=state,
        user_uid=fields.get("user-uid", ""),
        user=fields.get("user", ""),
        client=fields.get("client", "")[:CLIENT_PREFIX],
        client_name=fields.get("client-name", ""),
        client_host=fields.get("client-host", ""),
        since=created,
        renewed=renewed if renewed > 0 else None,
        expires=expires,
        scopes=fields.get("scopes", ""),
        redirect_uri=fields.get("redirect-uri", ""),
        ended_cause=fields.get("ended-cause", ""),
    )


def in_order(views: Iterable[SignInView]) -> list[SignInView]:
    """Return sign-ins by person, the oldest first."""
    return sorted(views, key=lambda one: (one.user, one.since, one.name))


def _is_client(wanted: str, view: SignInView) -> bool:
    by_name = wanted.casefold() == view.client_name.casefold()
    return by_name or view.client in {wanted, client_hash(wanted)[:CLIENT_PREFIX]}


def _check(record: Record, ring: KeyRing | None) -> Check:
    if ring is None:
        return Check.UNVERIFIED
    try:
        decode(record, ring)
    except UnknownKey:
        return Check.UNKNOWN_KEY
    except Tampered:
        return Check.TAMPERED
    return Check.VERIFIED


def _expiry(fields: Mapping[str, str], state: str, created: float, renewed: float) -> float:
    if state == GrantState.ACTIVE.value:
        # As `Grant.end` has it.
        end = _seconds(fields, "absolute-end", created)
        asked = bool(fields.get("upstream"))
        latest = end if asked else min(end, created + CONFIG.absolute_life)
        return min(latest, renewed + CONFIG.refresh_idle)
    return _seconds(fields, "code-end", created)


def _seconds(fields: Mapping[str, str], name: str, otherwise: float) -> float:
    try:
        value = float(fields[name])
    except (KeyError, ValueError):
        return otherwise
    # Neither infinite nor NaN.
    return value if abs(value) < 1e12 else otherwise
