"""Writes audit lines: one encoding and one write each.

Every tool call writes one, so they do not pass structlog's processors and the standard library's
handlers, which take ten times as long. They look the same as all other lines of the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from threading import RLock
from typing import Any, Final, TextIO

from productive_contract.masking import mask

LOGGER: Final = "audit"
LEVEL: Final = "info"

_LONGEST_REMEMBERED: Final = 100
"""Characters of a text whose encoding is remembered."""
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
        timestamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        fields = [_field(name, value) for name, value in facts.items() if name not in _LAST]
        fields += (_text("event", event), f'{_END}, "timestamp": "{timestamp}"')
        text = f"{{{', '.join(fields)}}}"
        # As for any log line: a log that cannot be written must not fail the request.
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()


_LAST: Final = frozenset({"event", "logger", "level", "timestamp"})
_END: Final = f'"logger": "{LOGGER}", "level": "{LEVEL}"'


def _field(name: str, value: Any) -> str:
    """Return one member of the line, masked."""
    kind = type(value)
    if kind is str and value.isascii() and value.isalnum():
        # No secret, since each pattern of one has another character, and nothing to escape.
        return f'{_name(name)}: "{value}"'
    if kind is bool or (isinstance(value, str) and len(value) <= _LONGEST_REMEMBERED):
        return _text(name, value)
    if kind is int or (kind is float and isfinite(value)):
        return f"{_name(name)}: {value!r}"
    return f"{_name(name)}: {_encode(mask(value))}"


@lru_cache(maxsize=4096)
def _text(name: str, value: str | bool) -> str:
    """Return a member that is a text. Most are the same in many lines: people, clients, tools."""
    return f"{_name(name)}: {_encode(mask(value))}"


@lru_cache(maxsize=256)
def _name(name: str) -> str:
    return _encode(name)
