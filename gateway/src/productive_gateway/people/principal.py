"""Who a request acts as."""

from __future__ import annotations

from dataclasses import dataclass

from productive_contract.mapping import Person


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, through one grant: what every tool call is given."""

    person: Person
    grant: str
    """Name of the grant."""
    client: str
    """Hash prefix of the MCP client, for audit lines."""
    scopes: frozenset[str]
