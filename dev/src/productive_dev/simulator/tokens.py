"""Tokens of the simulator: obviously fake, and each with a story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PREFIXES: Final = ("simulator-", "sandbox-")


@dataclass(frozen=True, slots=True)
class Token:
    """What a token opens; the value says that it is none of Productive's."""

    value: str
    label: str
    """Its name in logs, which never contain the value."""
    people: Mapping[str, str]
    """Organization id → the person's id there."""
    read_only: bool = False
    revoked: bool = False
    limit: int | None = None
    """Requests in 10 s, where they differ from the simulator's own limit."""


class Tokens:
    """The tokens that exist."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = {token.value: token for token in tokens}

    def find(self, value: str) -> Token | None:
        """Return a token that is not revoked."""
        token = self.known(value)
        return None if token is None or token.revoked else token

    def known(self, value: str) -> Token | None:
        """Return a token, whether or not it is revoked."""
        return self._tokens.get(value)

    def list(self) -> tuple[Token, ...]:
        """Return all tokens, revoked ones too."""
        return tuple(self._tokens.values())

    def put(self, token: Token) -> None:
        """Add or replace a token.

        Raises:
            ValueError: the value does not show that it is fake.
        """
        if not token.value.startswith(PREFIXES):
            raise ValueError(f"a token of the simulator begins with {' or '.join(PREFIXES)}")
        self._tokens[token.value] = token
