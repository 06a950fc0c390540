"""The published mapping, the people who are not ready, and token Secrets of another type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from productive_contract.mapping import Mapping as People
from productive_contract.mapping import MappingError, decode
from productive_contract.names import MAPPING_TYPE, TOKEN_TYPE
from productive_kube.errors import Forbidden, Unreachable
from productive_operator.cluster import ClusterObjects, Place
from productive_operator.doctor.installation import Installation
from productive_operator.doctor.reading import ClusterReader, is_unknown_kind
from productive_operator.doctor.result import NotReadable, Result, not_checked, ok, warning, wrong
from productive_operator.view import ListedUser, StoredMapping

MAPPING: Final = "mapping"
PEOPLE: Final = "people"
TOKENS: Final = "token Secrets"
SHOWN: Final = 3
"""People that a line names."""
_LOGS: Final = "Look at the log of the operator."


def objects_of(reader: ClusterReader, installation: Installation) -> ClusterObjects:
    """Return the operator's view of the installation."""
    namespace, name = installation.mapping
    return ClusterObjects(reader.client, Place(installation.users_namespace, namespace, name))


async def read_mapping(reader: ClusterReader, installation: Installation) -> StoredMapping | None:
    """Return the mapping Secret.

    Raises:
        NotReadable: we may not.
        ApiError: the API server gave no usable answer.
    """
    try:
        return await objects_of(reader, installation).mapping()
    except Forbidden as error:
        raise NotReadable(f"the right to get secrets in {installation.mapping[0]}") from error


def published(stored: StoredMapping | None) -> People | None:
    """Return the people of a mapping; None if it cannot be read."""
    if stored is None:
        return None
    try:
        return decode(stored.data)
    except MappingError:
        return None


def judge_mapping(stored: StoredMapping | None, installation: Installation, now: float) -> Result:
    """Judge the mapping Secret.

    Args:
        stored: the Secret, None if there is none.
        installation: where it should be, and of which people.
        now: Unix seconds by the API server's clock.
    """
    place = "/".join(installation.mapping)
    if stored is None:
        return wrong(MAPPING, f"there is no Secret {place}", f"Start the operator. {_LOGS}")
    if stored.type != MAPPING_TYPE or stored.immutable:
        fault = "is immutable" if stored.immutable else f"has the type {stored.type}"
        return wrong(
            MAPPING,
            f"the Secret {place} {fault}, so the operator cannot publish",
            f"Run kubectl delete secret -n {place.replace('/', ' ')}: the operator makes it anew.",
        )
    if not stored.data:
        return wrong(MAPPING, f"{place} is empty: the operator has published nothing yet", _LOGS)
    try:
        people = decode(stored.data)
    except MappingError as error:
        return wrong(MAPPING, f"{place} cannot be read: {error}", f"Start the operator. {_LOGS}")
    return _judge_people_of(people, place, installation, now)


def _judge_people_of(people: People, place: str, installation: Installation, now: float) -> Result:
    if people.namespace not in (None, installation.users_namespace):
        return wrong(
            MAPPING,
            f"{place} was made from the namespace {people.namespace}, and the operator reads "
            f"{installation.users_namespace}, so it publishes nothing",
            "See “Another namespace for the people” in docs/operations.md.",
        )
    if people.faults:
        return warning(
            MAPPING,
            f"{place} has faulty entries: {'; '.join(people.faults)}",
            f"The operator repairs it within 15 minutes. If it does not: {_LOGS}",
        )
    states = Counter(person.state.value for person in people.people.values())
    listed = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "nobody"
    age = _duration(max(now - people.revision / 1000, 0))
    return ok(MAPPING, f"{place} has {listed}; last changed {age} ago")


async def check_people(reader: ClusterReader, installation: Installation) -> list[Result]:
    """Look at the ProductiveUsers, and at the types of the Secrets that they name."""
    cluster, namespace = objects_of(reader, installation), installation.users_namespace
    try:
        users = await cluster.users()
    except Forbidden:
        return [not_checked(PEOPLE, f"the right to list productiveusers in {namespace}")]
    except Unreachable as error:
        if is_unknown_kind(error):
            return [not_checked(PEOPLE, "the CRD")]
        raise
    try:
        others = await cluster.other_types()
    except Forbidden:
        right = f"the right to list secrets in {namespace}"
        return [judge_people(users, {}), not_checked(TOKENS, right)]
    return [judge_people(users, others), judge_tokens(users, others)]


def judge_people(users: Sequence[ListedUser], others: Mapping[str, str]) -> Result:
    """Judge the conditions; those of a Secret of another type are a matter of `judge_tokens`."""
    waiting = [
        (one.user.name, one.status.ready.reason, one.status.ready.message)
        if one.status
        else (one.user.name, "no status", "the operator has not looked at it")
        for one in users
        if (one.status is None or not one.status.ready.true) and one.user.secret_name not in others
    ]
    if not waiting:
        return ok(PEOPLE, f"{len(users)}, all ready")
    reasons = Counter(reason for _, reason, _ in waiting)
    counted = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    shown = " ".join(f"{name}: {message}." for name, _, message in waiting[:SHOWN])
    more = f" And {len(waiting) - SHOWN} more." if len(waiting) > SHOWN else ""
    return warning(
        PEOPLE,
        f"{len(waiting)} of {len(users)} are not ready ({counted})",
        f"{shown.replace('..', '.')}{more} `kubectl get pu -A -o wide` shows all.",
    )


def judge_tokens(users: Sequence[ListedUser], others: Mapping[str, str]) -> Result:
    """Judge the types of the Secrets that ProductiveUsers name."""
    named = [
        (one.user, others[one.user.secret_name]) for one in users if one.user.secret_name in others
    ]
    if not named:
        return ok(TOKENS, f"none that a ProductiveUser names is of another type than {TOKEN_TYPE}")
    user, kind = named[0]
    listed = ", ".join(user.secret_name for user, _ in named[:SHOWN])
    return wrong(
        TOKENS,
        f"{len(named)} are not of the type {TOKEN_TYPE} and so are not read: {listed}"
        f"{', …' if len(named) > SHOWN else ''} (type {kind})",
        f"Make each again, because a type cannot be changed: kubectl delete secret -n "
        f"{user.namespace} {user.secret_name}; kubectl create secret generic -n {user.namespace} "
        f"{user.secret_name} --type={TOKEN_TYPE} --from-literal={user.secret_key}=…",
    )


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
