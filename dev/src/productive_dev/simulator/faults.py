"""Faults that a test orders for the next requests: a status, a delay, a cut connection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the next `times` requests that fit."""

    times: int = 1
    method: str | None = None
    path: str = ""
    """Beginning of the path below /api/v2, such as "/time_entries"."""
    status: int | None = None
    """Answer this instead."""
    retry_after: int | None = None
    """Value of X-RateLimit-Reset, for a 429."""
    delay: float = 0.0
    """Seconds before anything happens."""
    cut: bool = False
    """Close the connection in the middle of the answer."""
    applied: bool = False
    """Whether the request takes effect all the same."""

    @classmethod
    def of(cls, document: dict[str, Any]) -> Fault:
        """Read a fault from JSON.

        Raises:
            TypeError: it names something that a fault does not have.
        """
        return cls(**document)


class Faults:
    """The faults still to come, in their order."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def put(self, faults: list[Fault]) -> None:
        """Replace all faults."""
        self._faults = list(faults)

    def list(self) -> list[Fault]:
        """Return the faults that wait."""
        return list(self._faults)

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first fault that fits a request, and count it."""
        for position, fault in enumerate(self._faults):
            if fault.method not in (None, method) or not path.startswith(fault.path):
                continue
            if fault.times > 1:
                self._faults[position] = replace(fault, times=fault.times - 1)
            else:
                del self._faults[position]
            return fault
        return None
