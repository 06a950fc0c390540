"""Lists everything, or lists again what may have changed: either way the result is a complete view.

An event only says where to look. What is there is always asked of the API server, and an empty list
of one name says that the object is gone. Called by `reconciler`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from productive_operator.changes import Changes
from productive_operator.users import TokenSecret
from productive_operator.view import ClusterView, ListedUser

MOST_NAMES: Final = 40
"""Names beyond which everything is listed: that many single requests cost about as much."""
_IN_FLIGHT: Final = 10

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class View:
    """All ProductiveUsers and token Secrets, by name."""

    users: Mapping[str, ListedUser]
    secrets: Mapping[str, TokenSecret]

    def updated(self, users: Iterable[ListedUser]) -> View:
        """Return the view after the statuses of these were written."""
        return replace(self, users={**self.users, **_users_by_name(users)})

    def referenced_by(self, users: Iterable[str]) -> frozenset[str]:
        """Return the names of the Secrets that these ProductiveUsers refer to."""
        found = (self.users.get(name) for name in users)
        return frozenset(listed.user.secret_name for listed in found if listed) - {""}

    def referring_to(self, secrets: Collection[str]) -> frozenset[str]:
        """Return the names of the ProductiveUsers that refer to these Secrets."""
        return frozenset(
            name for name, listed in self.users.items() if listed.user.secret_name in secrets
        )


async def list_everything(cluster: ClusterView) -> View:
    """List both kinds at once: one is decoded while the API server prepares the other.

    Raises:
        ApiError: a list failed.
    """
    async with _together() as group:
        users = group.create_task(cluster.users())
        secrets = group.create_task(cluster.secrets())
    return View(
        _users_by_name(users.result()), {secret.name: secret for secret in secrets.result()}
    )


async def list_again(cluster: ClusterView, view: View, changes: Changes) -> View | None:
    """List what may have changed, with what belongs to it; the rest is taken from the last view.

    Somebody belongs to the Secret that they refer to, before or now, and the other way round, so
    that a pass decides about both as they are now. None if these are too many names.

    Raises:
        ApiError: a list failed.
    """
    names = changes.users | view.referring_to(changes.secrets)
    if len(names) + len(changes.secrets) > MOST_NAMES:
        return None
    users = await _each(names, cluster.user)
    listed = View(_updated(view.users, users), view.secrets)
    wanted = changes.secrets | view.referenced_by(names) | listed.referenced_by(names)
    secrets = await _each(wanted, cluster.secret)
    return View(listed.users, _updated(view.secrets, secrets))


async def _each(
    names: Collection[str], find: Callable[[str], Awaitable[_Found | None]]
) -> dict[str, _Found | None]:
    found: dict[str, _Found | None] = {}
    waiting = iter(sorted(names))

    async def take() -> None:
        for name in waiting:
            found[name] = await find(name)

    async with _together() as group:
        for _ in range(min(_IN_FLIGHT, len(names))):
            group.create_task(take())
    return found


@asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """Run tasks at once; the first failure decides, and cancels the others."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _users_by_name(users: Iterable[ListedUser]) -> dict[str, ListedUser]:
    return {listed.user.name: listed for listed in users}


def _updated(
    before: Mapping[str, _Found], found: Mapping[str, _Found | None]
) -> Mapping[str, _Found]:
    merged = {**before, **found}
    return {name: one for name, one in merged.items() if one is not None}
