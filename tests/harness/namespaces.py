"""The three namespaces of one installation, made new for one test.

They are left where they are afterwards: the plane is thrown away as a whole, and deleting a
namespace takes 5 s and a good part of a core.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from harness.kube import Kube


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Names of the namespaces, and of the two Secrets in the release namespace."""

    release: str
    users: str
    grants: str
    mapping: str
    key_ring: str

    @classmethod
    def of(cls, release: str) -> Namespaces:
        """Name them after the release, as the chart does."""
        return cls(
            release=release,
            users=f"{release}-users",
            grants=f"{release}-grants",
            mapping=f"{release}-mapping",
            key_ring=f"{release}-keys",
        )

    def named(self, role: str) -> str:
        """Return the namespace that the word `release`, `users` or `grants` stands for."""
        return {"release": self.release, "users": self.users, "grants": self.grants}[role]


def new_namespaces(kube: Kube, release: str | None = None) -> Namespaces:
    """Make the namespaces of a release; without a name, of one that nobody else has."""
    names = Namespaces.of(release or f"t-{secrets.token_hex(4)}")
    for name in (names.release, names.users, names.grants):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        kube.create("/api/v1/namespaces", body)
    return names
