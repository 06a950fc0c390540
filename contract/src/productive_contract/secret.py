"""A wrapper for values that must not be printed."""

from __future__ import annotations

import hmac


class Secret:
    """A secret text that `repr`, `str` and format do not show; only `reveal()` returns it.

    Comparison takes constant time. It is not hashable, so it cannot become a dictionary key.
    """

    __slots__ = ("_value",)

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value; call this only where it is sent to its destination."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('…')"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret cannot be pickled")
