"""The three namespaces of an installation, created for one test.

They are not deleted: the control plane is discarded as a whole, and deleting a namespace takes 5 s
and much CPU time.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from harness.kube import Kube


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The names of the namespaces and of the two Secrets in the release namespace."""

    release: str
    users: str
    grants: str
    mapping: str
    key_ring: str

    @classmethod
    def of(cls, release: str) -> Namespaces:
        """Return the names that the chart derives from a release."""
        return cls(
            release=release,
            users=f"{release}-users",
            grants=f"{release}-grants",
            mapping=f"{release}-mapping",
            key_ring=f"{release}-keys",
        )

    def named(self, role: str) -> str:
        """Return the namespace of a role: `release`, `users` or `grants`."""
        return {"release": self.release, "users": self.users, "grants": self.grants}[role]


def new_namespaces(kube: Kube, release: str | None = None) -> Namespaces:
    """Create the namespaces of a release; without a name, of one with a unique name."""
    names = Namespaces.of(release or f"t-{secrets.token_hex(4)}")
    for name in (names.release, names.users, names.grants):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        kube.create("/api/v1/namespaces", body)
    return names
