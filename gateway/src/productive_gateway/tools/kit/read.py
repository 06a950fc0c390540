"""Reads days, periods, hours and Markdown of arguments, with errors that name the argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, TypeVar

from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.words.days import Direction, day_of
from productive_gateway.tools.words.durations import minutes_of
from productive_gateway.tools.words.mentions import Mention
from productive_gateway.tools.words.periods import Period, period_of
from productive_gateway.tools.words.richtext import to_html

T = TypeVar("T")


def read_day(text: str, field: str, today: date, *, direction: Direction) -> date:
    """Return the day that a text names.

    Raises:
        ToolError: it names none; the message says what today is.
    """
    return _read(field, day_of, text, today, direction=direction)


def read_period(text: str, field: str, today: date, *, direction: Direction) -> Period:
    """Return the period that a text names.

    Raises:
        ToolError: it names none; the message says what today is.
    """
    return _read(field, period_of, text, today, direction=direction)


def read_minutes(hours: float | str, field: str) -> int:
    """Return the whole minutes of a duration.

    Raises:
        ToolError: it is none, or not within a day.
    """
    return _read(field, minutes_of, hours)


def read_markdown(text: str, field: str, mentions: Iterable[Mention] = ()) -> str:
    """Return Markdown as HTML for Productive.

    Args:
        text: the Markdown.
        field: the argument's name.
        mentions: people who are mentioned in it, as texts show them.

    Raises:
        ToolError: it is too large.
    """
    return _read(field, to_html, text, mentions)


def invalid(field: str, message: str, fix: str = "Correct it, then call again.") -> ToolError:
    """Return the error for an argument that cannot be used."""
    return ToolError(Problem("invalid_value", message, fix, field=field))


def _read(field: str, read: Callable[..., T], *arguments: Any, **more: Any) -> T:
    try:
        return read(*arguments, **more)
    except ValueError as error:
        raise invalid(field, str(error)) from error
