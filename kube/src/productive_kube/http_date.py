"""The time in an HTTP answer."""

from __future__ import annotations

from email.utils import parsedate_to_datetime


def read_date(header: str | None) -> float | None:
    """Return the Unix seconds of a Date header (RFC 9110 6.6.1), whole ones; None if unreadable."""
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except (ValueError, OverflowError):
        return None
