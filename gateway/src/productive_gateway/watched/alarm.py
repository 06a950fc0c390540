"""A state that somebody has to look at: one log line per change, and a gauge for the alert."""

from __future__ import annotations

import structlog
from prometheus_client import Gauge

_log = structlog.get_logger(__name__)


class Alarm:
    """Says once that something is broken, once what is broken differently, and once that it ended.

    The log events are `<name>.broken` and `<name>.restored`.
    """

    def __init__(self, name: str, gauge: Gauge) -> None:
        self._name = name
        self._gauge = gauge
        self._cause: str | None = None
        gauge.set(0)

    @property
    def cause(self) -> str | None:
        """Why it is broken; None while it is not."""
        return self._cause

    def sound(self, cause: str) -> None:
        """Note that it is broken; `cause` says why, without any content."""
        if cause != self._cause:
            self._cause = cause
            self._gauge.set(1)
            _log.error(f"{self._name}.broken", cause=cause)

    def clear(self) -> None:
        """Note that it is whole."""
        if self._cause is not None:
            self._cause = None
            self._gauge.set(0)
            _log.info(f"{self._name}.restored")
