"""Strict reading of JSON objects and arrays, and compact writing of JSON.

Two readers of one document must not see two things: repeated names and the constants that JSON
does not have (NaN, Infinity) are refused wherever a document decides about access.
"""

from __future__ import annotations

import json
from typing import Any

from productive_gateway.web.json_bounds import is_too_deep


class JsonError(ValueError):
    """The text cannot be read, or not in only one way; `str()` says why."""


def read_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw`.

    Raises:
        JsonError: not UTF-8, not JSON, not an object, a repeated name, or too deep.
    """
    document = _read(raw)
    if not isinstance(document, dict):
        raise JsonError("it is not a JSON object")
    return document


def read_array(raw: bytes) -> list[Any]:
    """Return the JSON array in `raw`.

    Raises:
        JsonError: not UTF-8, not JSON, not an array, a repeated name, or too deep.
    """
    document = _read(raw)
    if not isinstance(document, list):
        raise JsonError("it is not a JSON array")
    return document


def compact_json(value: object) -> bytes:
    """Write a value in the fewest bytes that stay readable."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def is_json(content_type: str) -> bool:
    """Whether a Content-Type names a JSON document (RFC 6839 structured suffix included)."""
    media = content_type.partition(";")[0].strip().lower()
    return media == "application/json" or (
        media.startswith("application/") and media.endswith("+json")
    )


def _read(raw: bytes) -> Any:
    if is_too_deep(raw):
        raise JsonError("it is nested too deeply")
    try:
        return json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise JsonError("it is not a JSON document, or repeats a name") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is repeated")
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
