"""Faults that a test orders for the next requests: an answer, a delay, a broken connection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the next `times` requests that fit, after `skip` of them."""

    times: int = 1
    skip: int = 0
    """How many requests that fit pass first."""
    method: str | None = None
    path: str = ""
    """Beginning of the path below /api/v2, such as "/time_entries"."""
    person: str | None = None
    """Label of the token."""
    status: int | None = None
    """Answer this instead."""
    retry_after: int | None = None
    """Seconds in X-RateLimit-Reset, for a 429."""
    delay: float = 0.0
    """Seconds before anything happens."""
    cut: bool = False
    """Close the connection in the middle of the answer."""
    hang: bool = False
    """Answer nothing until the client goes."""
    revoke: bool = False
    """Revoke the token before the request is looked at."""
    applied: bool = False
    """Whether the request takes effect all the same."""

    @classmethod
    def of(cls, document: dict[str, Any]) -> Fault:
        """Read a fault from JSON.

        Raises:
            TypeError: it names something that a fault does not have.
        """
        return cls(**document)

    @property
    def replaces_answer(self) -> bool:
        """Tell whether the client gets something else than the answer."""
        return self.cut or self.hang or self.status is not None

    def fits(self, method: str, path: str, person: str | None) -> bool:
        """Tell whether a request is meant."""
        return (
            self.method in (None, method)
            and path.startswith(self.path)
            and self.person in (None, person)
        )


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

    def take(self, method: str, path: str, person: str | None = None) -> Fault | None:
        """Return the first fault that fits a request, and count it."""
        for position, fault in enumerate(self._faults):
            if not fault.fits(method, path, person):
                continue
            if fault.skip:
                self._faults[position] = replace(fault, skip=fault.skip - 1)
                continue
            if fault.times > 1:
                self._faults[position] = replace(fault, times=fault.times - 1)
            else:
                del self._faults[position]
            return fault
        return None
