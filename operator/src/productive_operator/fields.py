"""Reads an untyped object field by field, with a message for each one that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_REQUIRED: Final = "<required>"


class Fields:
    """The fields of one object; those that were never taken can be refused in the end.

    A field that is null counts as absent, as it does for the API server.
    """

    def __init__(self, values: Mapping[str, Any] | None, path: str, problems: list[str]) -> None:
        self._values = values or {}
        self._there = values is not None
        self._path = path
        self._problems = problems
        self._taken: set[str] = set()

    @classmethod
    def of(cls, value: object, path: str, problems: list[str]) -> Fields:
        """Read a required object; anything else is a problem and has no fields."""
        if isinstance(value, dict):
            return cls(value, path, problems)
        problems.append(f"{path} is missing" if value is None else f"{path} must be an object")
        return cls(None, path, problems)

    def take(self, name: str) -> Any:
        """Return the raw value, None if absent."""
        self._taken.add(name)
        return self._values.get(name)

    def text(self, name: str, *, default: str | None = _REQUIRED) -> str | None:
        """Return a text; without a default it is required."""
        value = self.take(name)
        if isinstance(value, str):
            return value
        if value is not None:
            self._problems.append(f"{self._path}.{name} must be a text (put it in quotes)")
        elif default != _REQUIRED:
            return default
        elif self._there:
            # An object that is missing is one problem, not one for each field.
            self._problems.append(f"{self._path}.{name} is missing")
        return None

    def flag(self, name: str) -> bool:
        """Return a boolean, false if absent."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            self._problems.append(f"{self._path}.{name} must be true or false")
        return value is True

    def refuse_others(self) -> None:
        """Record a problem for each field that was never taken."""
        self._problems.extend(
            f"{self._path}.{name} is not known" for name in self._values if name not in self._taken
        )
