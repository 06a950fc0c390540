"""Time zones by the names that Productive may use: IANA's, those of Rails, and single cities.

In which form Productive writes `time_zone` is not documented. Productive is written in Rails, whose
own names ("Eastern Time (US & Canada)") are therefore as likely as IANA's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from productive_gateway.productive.rails_zones import RAILS_ZONES

_OFFSET: Final = re.compile(r"\((?:GMT|UTC)[^()]{0,10}\)\s*")
"""What Rails puts before a name in lists: "(GMT-05:00) Eastern Time (US & Canada)"."""


@lru_cache(maxsize=1024)
def zone_of(name: str | None) -> ZoneInfo | None:
    """Return a zone by its IANA name, its name in Rails, or a city that only one zone has.

    Case does not matter. None means that there is no name, or that it is unknown: the caller must
    say so wherever a day depends on it.
    """
    wanted = _folded(_OFFSET.sub("", name or "", count=1))
    key = _zones().get(wanted) or _cities().get(wanted)
    return ZoneInfo(key) if key else None


@cache
def _zones() -> Mapping[str, str]:
    """Return the keys of all zones by their folded names; a name of IANA's comes first."""
    rails = {_folded(name): key for name, key in RAILS_ZONES.items()}
    return rails | {_folded(key): key for key in _known()}


@cache
def _cities() -> Mapping[str, str]:
    """Return the keys of zones by the folded names of cities that only one zone has."""
    keys: dict[str, list[str]] = {}
    for key in _known():
        area, _, city = key.partition("/")
        # Etc holds offsets, not cities.
        if city and "/" not in city and area != "Etc":
            keys.setdefault(_folded(city), []).append(key)
    return {city: found[0] for city, found in keys.items() if len(found) == 1}


def _known() -> set[str]:
    # These two name no place: the first is UTC in disguise, the second depends on the machine.
    return available_timezones() - {"Factory", "localtime"}


def _folded(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())
