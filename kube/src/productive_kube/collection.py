"""A collection of the API server, or the part of one that selectors leave: listed and watched."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from productive_kube.client import KubeClient, Listed, Query, version_of
from productive_kube.errors import Unreachable

Item = TypeVar("Item")

_LONGEST_VERSION: Final = 20
"""Digits of the largest unsigned number of 64 bits."""


@dataclass(frozen=True, slots=True)
class Change(Generic[Item]):
    """One event of a watch; a bookmark, which says only how far the watch has come, has no item."""

    version: str
    """The version of the store that the watch has come to."""
    item: Item | None = None
    """The object as it is now; a deleted one as it was last."""
    deleted: bool = False


class Source(Protocol[Item]):
    """What a reflector follows. Every method raises `errors.ApiError`."""

    async def list(self) -> Listed[Item]:
        """Read everything."""
        ...

    def watch(self, version: str, seconds: int) -> AsyncGenerator[Change[Item], None]:
        """Yield what changes after `version`, for one window; `Gone` if that is too old."""
        ...

    async def version(self) -> str:
        """Return the version of the store now."""
        ...


@dataclass(frozen=True, slots=True)
class Collection(Generic[Item]):
    """A `Source` over the API server; `decode` has to cope with any object.

    One object is a collection too: with `by_name` RBAC can grant list and watch by resourceNames.
    """

    client: KubeClient
    path: str
    decode: Callable[[dict[str, Any]], Item]
    query: Query = ()

    async def list(self) -> Listed[Item]:
        """Read everything that the selectors leave."""
        return await self.client.list(self.path, self.decode, query=self.query)

    async def watch(self, version: str, seconds: int) -> AsyncGenerator[Change[Item], None]:
        """Yield the changes of one window, bookmarks included."""
        events = self.client.watch(
            self.path, query=self.query, resource_version=version, seconds=seconds
        )
        async with aclosing(events):
            async for event in events:
                kind, found = event["type"], event["object"]
                reached = found["metadata"]["resourceVersion"]
                if kind == "BOOKMARK":
                    yield Change(reached)
                else:
                    yield Change(reached, self.decode(found), deleted=kind == "DELETED")

    async def version(self) -> str:
        """Read the shortest list there is, for its version."""
        answer = await self.client.get(self.path, query=[*self.query, ("limit", "1")])
        return version_of(answer, f"get {self.path}")


def by_name(name: str) -> Query:
    """Return the selector of one object."""
    return (("fieldSelector", f"metadata.name={name}"),)


def secret_data(secret: dict[str, Any]) -> dict[str, bytes]:
    """Return the decoded data of a Secret as the API gives it; empty when it has none.

    Raises:
        Unreachable: they are not base64, so this is not an API server's answer.
    """
    data = secret.get("data") or {}
    try:
        return {key: base64.b64decode(value or "") for key, value in data.items()}
    except (AttributeError, TypeError, binascii.Error) as error:
        raise Unreachable("decode a Secret", status=0, reason="NoSecret") from error


def number_of(version: str, request: str) -> int:
    """Return a resourceVersion as a number: versions of one server can be compared.

    Raises:
        Unreachable: it is not a number, so this is not a Kubernetes API server's answer.
    """
    if not version.isascii() or not version.isdecimal() or len(version) > _LONGEST_VERSION:
        raise Unreachable(request, status=0, reason="NoVersion")
    return int(version)
