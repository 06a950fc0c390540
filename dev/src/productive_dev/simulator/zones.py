"""Time zones by the names that Productive may use: IANA's, and those of Rails.

In which form the original writes `time_zone` is seen nowhere, so both are understood.
"""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_RAILS: Final = {
    "Amsterdam": "Europe/Amsterdam",
    "Berlin": "Europe/Berlin",
    "Central Time (US & Canada)": "America/Chicago",
    "Eastern Time (US & Canada)": "America/New_York",
    "Ljubljana": "Europe/Ljubljana",
    "London": "Europe/London",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Paris": "Europe/Paris",
    "Sarajevo": "Europe/Sarajevo",
    "Tokyo": "Asia/Tokyo",
    "Vienna": "Europe/Vienna",
    "Zagreb": "Europe/Zagreb",
}


def zone_of(name: object) -> ZoneInfo:
    """Return the zone of a name; UTC for a name that is neither IANA's nor of Rails."""
    text = _RAILS.get(str(name), str(name))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
