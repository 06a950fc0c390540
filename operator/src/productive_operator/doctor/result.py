"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should look at it."""
    WRONG = "wrong"
    """Something does not work."""
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report; it never holds a secret."""

    title: str
    outcome: Outcome
    words: str
    remedy: str = ""
    """What to do; empty where there is nothing."""


class NotReadable(Exception):
    """What a check needs cannot be read; `str()` says what it needs."""


def ok(title: str, words: str) -> Result:
    """Return the result of a check that found nothing."""
    return Result(title, Outcome.OK, words)


def warning(title: str, words: str, remedy: str) -> Result:
    """Return the result of a check that found something to look at."""
    return Result(title, Outcome.WARNING, words, remedy)


def wrong(title: str, words: str, remedy: str) -> Result:
    """Return the result of a check that found something broken."""
    return Result(title, Outcome.WRONG, words, remedy)


def not_checked(title: str, needs: str) -> Result:
    """Return the result of a check that could not look.

    Args:
        title: of the check.
        needs: what it needs, such as `get secrets in acme`.
    """
    return Result(title, Outcome.NOT_CHECKED, f"needs {needs}")
