"""The id of the HTTP request that is being served.

It is the same in the answer's `X-Request-Id`, in the number that a failed call shows, and in every
log and audit line of the request. It is ours alone: one that a client sends is ignored, since it
would let anybody write into the logs.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final

REQUEST_ID: Final = ContextVar("request_id", default="")
"""Empty outside of a request."""
_BYTES: Final = 8


def new_request_id() -> str:
    """Return 16 hexadecimal digits: short enough to be read out on the telephone."""
    return os.urandom(_BYTES).hex()


def add_request_id(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> Any:
    """Add the id to a log line that has none; this is a structlog processor."""
    request_id = REQUEST_ID.get()
    if request_id:
        line.setdefault("request_id", request_id)
    return line
