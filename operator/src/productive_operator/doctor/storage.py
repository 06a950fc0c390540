"""The namespaces, the room for grants, and the key ring."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from productive_contract.mapping import parse_time
from productive_contract.names import KEY_RING_KEY
from productive_kube.collection import secret_data
from productive_operator.doctor.installation import Installation
from productive_operator.doctor.reading import SECRETS, ClusterReader
from productive_operator.doctor.result import Result, ok, warning, wrong

NAMESPACES: Final = "namespaces"
QUOTA: Final = "room for sign-ins"
KEY_RING: Final = "key ring"
NEARLY_FULL: Final = 0.8
"""Fraction of the quota above which the chart's alert fires."""
OLD_KEY_DAYS: Final = 400
_COUNTED: Final = ("count/secrets", "secrets")
_SUFFIXES: Final = {"": 1, "k": 1000, "M": 10**6}
_KEY_BYTES: Final = 32
_RESTORE: Final = (
    "Restore the Secret from a backup. Without one, delete it and run `productive-gateway keys "
    "init`, or helm upgrade: then everybody signs in again."
)
_MAKE: Final = (
    "Restore the Secret from a backup. Without one, run `productive-gateway keys init`, or helm "
    "upgrade, which make another: then everybody signs in again."
)


async def check_namespaces(reader: ClusterReader, installation: Installation) -> Result:
    """Look for the three namespaces."""
    wanted = [installation.namespace, installation.users_namespace]
    if installation.grants_namespace is not None:
        wanted.append(installation.grants_namespace)
    missing = [
        name
        for name in wanted
        if await reader.find(f"/api/v1/namespaces/{name}", "get namespaces") is None
    ]
    if missing:
        listed = ", ".join(missing)
        return wrong(NAMESPACES, f"missing: {listed}", f"kubectl create namespace {missing[0]}")
    return ok(NAMESPACES, ", ".join(wanted))


async def check_quota(reader: ClusterReader, installation: Installation) -> Result:
    """Look at the quota of the grants namespace."""
    namespace = installation.grants_namespace
    if namespace is None:
        raise installation.needs()
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    return judge_quota(namespace, await reader.items(path, f"list resourcequotas in {namespace}"))


def judge_quota(namespace: str, quotas: Sequence[Mapping[str, Any]]) -> Result:
    """Judge how much of the number of Secrets is used."""
    found = []
    for quota in quotas:
        status = quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for name in _COUNTED:
            limit, count = _number(hard.get(name)), _number(used.get(name))
            if limit is not None and count is not None:
                found.append((count / limit if limit else 1.0, count, limit))
    if not found:
        return ok(QUOTA, f"no quota limits the Secrets of {namespace}")
    part, count, limit = max(found)
    words = f"{count} of {limit} Secrets are used in {namespace}"
    remedy = (
        "Raise namespaces.grantsQuota of the chart (or the quota that somebody else made), or end "
        "sign-ins that nobody needs."
    )
    if part >= 1:
        return wrong(QUOTA, f"{words}: nobody new can sign in", remedy)
    if part >= NEARLY_FULL:
        return warning(QUOTA, words, remedy)
    return ok(QUOTA, words)


@dataclass(frozen=True, slots=True)
class RingSummary:
    """What is known of a key ring without its keys' bytes."""

    current: str
    created: Mapping[str, float]
    """When each key was made, in Unix seconds."""

    @property
    def waiting(self) -> list[str]:
        """Keys that are newer than the current one: made, and not yet in use."""
        since = self.created[self.current]
        return [kid for kid, created in self.created.items() if created > since]


class BrokenRing(Exception):
    """The gateway cannot use the key ring; `str()` says why, without its content."""


async def read_ring(reader: ClusterReader, installation: Installation) -> dict[str, Any] | None:
    """Return the key ring Secret; None if there is none.

    Raises:
        NotReadable: we may not, or its name is not known.
        ApiError: the API server gave no usable answer.
    """
    if installation.key_ring is None:
        raise installation.needs()
    namespace, name = installation.key_ring
    return await reader.find(f"{SECRETS.format(namespace)}/{name}", f"get secrets in {namespace}")


def judge_ring(secret: Mapping[str, Any] | None, installation: Installation, now: float) -> Result:
    """Judge the key ring.

    Args:
        secret: the Secret, None if there is none.
        installation: where it should be.
        now: Unix seconds.
    """
    place = "/".join(installation.key_ring or ())
    if secret is None:
        return wrong(KEY_RING, f"there is no Secret {place}", _MAKE)
    try:
        ring = summary(secret)
    except BrokenRing as error:
        return wrong(KEY_RING, f"{place} cannot be used: {error}", _RESTORE)
    days = (now - ring.created[ring.current]) / 86400
    waiting = f"; waiting: {', '.join(ring.waiting)}" if ring.waiting else ""
    words = f"{place}: keys: {len(ring.created)}; the current one is {days:.0f} days old{waiting}"
    if days > OLD_KEY_DAYS:
        return warning(KEY_RING, words, "Rotate it: see “Keys” in docs/operations.md.")
    return ok(KEY_RING, words)


def summary(secret: Mapping[str, Any]) -> RingSummary:
    """Read a key ring Secret as far as its form goes; the gateway is stricter about the keys.

    Raises:
        BrokenRing: it cannot be read.
    """
    raw = secret_data(dict(secret)).get(KEY_RING_KEY)
    if raw is None:
        raise BrokenRing(f"it has no {KEY_RING_KEY}")
    try:
        document = json.loads(raw)
        version, current = document["version"], document["current"]
        created = {str(key["kid"]): _created(key) for key in document["keys"]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenRing(f"{KEY_RING_KEY} is not a key ring document") from error
    if version != 1:
        raise BrokenRing("its version is not 1")
    if current not in created:
        raise BrokenRing("the current key is not among its keys")
    return RingSummary(current, created)


def _created(key: Mapping[str, Any]) -> float:
    """Return when a key was made; raises ValueError, KeyError or TypeError if it is no key."""
    secret = key["secret"].encode("ascii").rstrip(b"=")
    try:
        raw = base64.b64decode(secret + b"=" * (-len(secret) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError from error
    if len(raw) != _KEY_BYTES:
        raise ValueError
    return parse_time(key["created"]).timestamp()


def current_key(secret: Mapping[str, Any] | None) -> str | None:
    """Return the id of the current key; None if there is no ring that can be read."""
    if secret is None:
        return None
    try:
        return summary(secret).current
    except BrokenRing:
        return None


def _number(text: object) -> int | None:
    """Read a Kubernetes quantity of things."""
    if not isinstance(text, str):
        return None
    digits = text.rstrip("kM")
    if not digits.isdecimal():
        return None
    return int(digits) * _SUFFIXES.get(text[len(digits) :], 1)
