"""Lifetimes and limits of grants, in seconds unless stated otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY: Final = 86400.0
TRANSACTION_LIFE: Final = 600.0
"""How long a consent page can be approved, and then a transaction come back from the upstream."""
KEPT: Final = 2 * TRANSACTION_LIFE
"""A grant that is over is kept until this age, so that its transaction cannot be completed a second
time, not even by somebody who approves the same page again in its last second."""
SKEW: Final = 30.0
"""How far the clocks of two replicas may differ."""
LEASE: Final = 20.0
"""How long one request may take to ask the provider and to store what follows. Others wait as long,
and for the difference of the clocks, before they use the same token of the provider."""


@dataclass(frozen=True, slots=True)
class GrantConfig:
    """What the settings decide about grants."""

    resource: str
    """Canonical URL of the MCP endpoint; every code and token is bound to it (RFC 8707)."""
    access_life: float = 3600.0
    refresh_idle: float = 14 * DAY
    """A grant that was not refreshed for this long is over."""
    absolute_life: float = 7 * DAY
    """A grant is over this long after its sign-in if the provider is not asked at refreshes."""
    absolute_life_asked: float = 30 * DAY
    """The same if the provider is asked at each refresh whether the account may still be used."""
    code_life: float = 300.0
    grace: float = 120.0
    """How long after a refresh the same token may be presented again (lost answers)."""
    max_staleness: float = 300.0
    """How long known grants serve after they were last confirmed while the API server is away."""
    per_person: int = 50
    """Grants that one person may have; the sweeper removes the least recently used above it."""

    @property
    def longest_life(self) -> float:
        """Seconds after which no grant of any kind is alive."""
        return max(self.absolute_life, self.absolute_life_asked)
