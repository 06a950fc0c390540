"""The requests that were answered, for tests that count what a tool costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Logged:
    """One request; it has the label of the token, never the token."""

    method: str
    path: str
    query: str
    status: int
    """499 where the client went before it was answered."""
    token: str | None
    organization: str | None
    body: Any = None
    person: str | None = None
    """Id of the person whom the token belongs to in that organization."""

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)
