"""Dates relative to the seed's today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from productive_dev.simulator.clock import local, stamp

ZONE: Final = ZoneInfo("Europe/Zagreb")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The seed's today in the time zone of the first company."""

    now: float

    @property
    def today(self) -> date:
        """Return the local date."""
        return local(self.now, ZONE).date()

    def workday(self, back: int) -> date:
        """Return the n-th last working day before today; 1 is the last one."""
        day = self.today
        while back:
            day -= timedelta(days=1)
            back -= day.weekday() < 5
        return day

    def monday(self, weeks: int = 0) -> date:
        """Return the Monday of this week, or of one some weeks ahead."""
        return self.today - timedelta(days=self.today.weekday()) + timedelta(weeks=weeks)

    def days(self, ahead: int) -> str:
        """Return the date some days ahead, or back, as the API writes it."""
        return (self.today + timedelta(days=ahead)).isoformat()

    def at(self, day: date, hour: int, minute: int = 0) -> datetime:
        """Return an instant of local time."""
        return datetime.combine(day, time(hour, minute), ZONE)

    def ago(self, days: int, hour: int = 9) -> str:
        """Return an instant some days back, as the API writes it."""
        return stamp(self.at(self.today - timedelta(days=days), hour))
