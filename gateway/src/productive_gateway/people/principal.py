"""The principal: the person whom a request acts as."""

from __future__ import annotations

from dataclasses import dataclass

from productive_contract.mapping import Person


@dataclass(frozen=True, slots=True)
class Principal:
    """A person and the grant through which a client acts for them; passed to every tool call."""

    person: Person
    grant: str
    """Name of the grant."""
    client: str
    """Hash prefix of the MCP client, for audit lines."""
    scopes: frozenset[str]
