"""Masks secrets in log lines.

Our own code logs no token. This protects against the rest: libraries quote their input, and a
traceback quotes the text of an error.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, Final

from productive_contract.secret import Secret

_MASK: Final = "…"

_PATTERNS: Final = (
    # Our own tokens, codes and client ids all have this prefix.
    (re.compile(r"pmcp_([a-z]{2})_[A-Za-z0-9._~-]+"), rf"pmcp_\1_{_MASK}"),
    # Tokens of providers and of the API server are JWTs.
    (re.compile(r"eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)+"), f"eyJ{_MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {_MASK}"),
    # Parameters of a URL or a form that a library logs as a whole.
    (
        re.compile(r"(?i)\b(code|state|client_secret|refresh_token|access_token)=[^&\s\"']+"),
        rf"\1={_MASK}",
    ),
)


def mask_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """Mask each value of a log line; this is a structlog processor."""
    return {key: mask(value) for key, value in line.items()}


def mask(value: Any) -> Any:
    """Return the value with everything masked that looks like a secret."""
    match value:
        case str():
            return _mask_text(value)
        case Secret() | bytes() | bytearray() | memoryview():
            return _MASK
        case bool() | int() | float() | None:
            return value
        case dict():
            return {mask(key): mask(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [mask(one) for one in value]
        case _:
            return _mask_text(str(value))


def _mask_text(text: str) -> str:
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
