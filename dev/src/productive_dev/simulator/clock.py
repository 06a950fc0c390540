"""The simulator's clock: the real one, until a test freezes or moves it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo


class SimulatorClock:
    """Unix seconds as the simulator sees them."""

    def __init__(self, source: Callable[[], float]) -> None:
        self._source = source
        self._frozen: float | None = None
        self._offset = 0.0

    def now(self) -> float:
        """Return the present in Unix seconds."""
        return self._frozen if self._frozen is not None else self._source() + self._offset

    def freeze(self, at: float | None = None) -> None:
        """Stop, now or at another time."""
        self._frozen = self.now() if at is None else at

    def advance(self, seconds: float) -> None:
        """Move on at once; a frozen clock stays frozen at the later time."""
        if self._frozen is not None:
            self._frozen += seconds
        else:
            self._offset += seconds

    def release(self) -> None:
        """Return to the source's time."""
        self._frozen, self._offset = None, 0.0


def local(seconds: float, zone: tzinfo) -> datetime:
    """Return the wall-clock time in a zone."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone)


def stamp(moment: datetime, *, milliseconds: bool = True) -> str:
    """Write an instant as the API does: milliseconds and a zone offset.

    `approved_at`, `started_at` and their like were recorded with the milliseconds at zero.
    """
    if not milliseconds:
        moment = moment.replace(microsecond=0)
    return moment.isoformat(timespec="milliseconds")
