"""What may have changed since the last pass began: where to look, never what is there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Changes:
    """Names to list again, or everything."""

    users: frozenset[str] = frozenset()
    """Names of ProductiveUsers."""
    secrets: frozenset[str] = frozenset()
    """Names of token Secrets."""
    everything: bool = False
    """Whether anything else may have changed as well."""

    def __or__(self, other: Self) -> Changes:
        return Changes(
            self.users | other.users,
            self.secrets | other.secrets,
            self.everything or other.everything,
        )


NOTHING: Final = Changes()
EVERYTHING: Final = Changes(everything=True)


def user_named(name: str) -> Changes:
    """Return that this ProductiveUser may have changed."""
    return Changes(users=frozenset({name}))


def secret_named(name: str) -> Changes:
    """Return that this token Secret may have changed."""
    return Changes(secrets=frozenset({name}))
