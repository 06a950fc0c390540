"""One spelling of a value, so that two calls that mean the same compare equal."""

from __future__ import annotations

import json


def canonical(value: object) -> bytes:
    """Return a JSON value as bytes that do not depend on the order of its keys.

    Args:
        value: of JSON's types. Give numbers one form before (minutes as int, not 90.0).

    Raises:
        TypeError, ValueError: it is not of JSON's types.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")
