"""Writes audit lines: one encoding and one write each.

Every tool call writes one, so they do not pass structlog's processors and the standard library's
handlers, which take ten times as long. They look the same as all other lines of the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from threading import RLock
from typing import Any, Final, TextIO

from productive_contract.masking import mask, may_hold_secret

LOGGER: Final = "audit"
LEVEL: Final = "info"

_encode: Final = json.JSONEncoder().encode


class AuditLines:
    """Writes JSON lines to a stream that other log lines are written to as well."""

    def __init__(self, stream: TextIO, lock: RLock) -> None:
        """Write to a stream.

        Args:
            stream: of the log.
            lock: held while a line is written, so that lines do not run into each other.
        """
        self._stream = stream
        self._lock = lock

    def write(self, event: str, facts: Mapping[str, Any]) -> None:
        """Write one line; a secret in it is masked as in any other."""
        line = {
            **facts,
            "event": event,
            "logger": LOGGER,
            "level": LEVEL,
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        text = _encode(line)
        if may_hold_secret(text):
            text = _encode({name: mask(value) for name, value in line.items()})
        # As for any log line: a log that cannot be written must not fail the request.
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()
