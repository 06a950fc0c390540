"""What one pass needs of the cluster: values and a port.

The port is implemented by `cluster`; tests of the reconciler put a cluster of their own there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from productive_operator.conditions import Status
from productive_operator.users import TokenSecret, User


@dataclass(frozen=True, slots=True)
class StoredMapping:
    """The mapping Secret as it was read: what a publication is compared with."""

    uid: str
    resource_version: str
    type: str
    data: Mapping[str, bytes] = field(repr=False)
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class ListedUser:
    """One ProductiveUser with the status it has."""

    user: User
    status: Status | None


class ClusterView(Protocol):
    """The operator's rights, one method each; all raise `productive_kube.errors.ApiError`."""

    @property
    def namespace(self) -> str:
        """The namespace of the ProductiveUsers."""
        ...

    async def mapping(self) -> StoredMapping | None:
        """Read the mapping Secret; None if it does not exist."""
        ...

    async def make_mapping(self) -> StoredMapping:
        """Create the mapping Secret without data; keep the data of one that has appeared."""
        ...

    async def users(self) -> list[ListedUser]:
        """List all ProductiveUsers: everything, or an error."""
        ...

    async def secrets(self) -> list[TokenSecret]:
        """List all Secrets of the token type: everything, or an error."""
        ...

    async def user(self, name: str) -> ListedUser | None:
        """List the ProductiveUser of that name; None if the complete list is empty."""
        ...

    async def secret(self, name: str) -> TokenSecret | None:
        """List the Secret of the token type and that name; None if the complete list is empty."""
        ...

    async def other_types(self) -> dict[str, str]:
        """Return the type of each Secret that is not of the token type, by name; no content."""
        ...

    async def publish(self, stored: StoredMapping, data: Mapping[str, bytes]) -> StoredMapping:
        """Replace our data, if the Secret is still the one that was read.

        Raises:
            Conflict: it is not.
        """
        ...

    async def drop_keys(self, stored: StoredMapping, keys: Collection[str]) -> StoredMapping:
        """Remove keys that somebody else added, if the Secret is still the one that was read.

        Raises:
            Conflict: it is not.
        """
        ...

    async def set_status(self, user: User, status: Status) -> None:
        """Write the status of one ProductiveUser.

        Raises:
            NotFound: it is gone.
            Conflict: another one has its name by now.
        """
        ...

    async def post_event(self, user: User, status: Status) -> None:
        """Post an Event on the ProductiveUser: its Ready condition changed."""
        ...
