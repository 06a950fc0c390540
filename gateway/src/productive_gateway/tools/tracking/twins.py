"""Looks for time entries that are the same as intended ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from productive_gateway.productive.records.store import Records
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.tools.tracking.entries import entries_on
from productive_gateway.tools.words import richtext

_LONGEST_NOTE: Final = 50_000
"""Characters; no note that is written here has more."""


@dataclass(frozen=True, slots=True)
class Intended:
    """What makes a time entry of a person the one that is meant."""

    day: date
    service_id: str
    task_id: str | None
    minutes: int
    start: datetime | None
    note: str | None
    """Plain text or HTML; only its words count."""

    @property
    def identity(self) -> tuple[object, ...]:
        """Two entries with the same identity are the same entry, written twice."""
        return (*self.work, self.start, tuple(_words(self.note)))

    @property
    def work(self) -> tuple[object, ...]:
        """Day, service, task and minutes: what entries that look alike share."""
        return (self.day, self.service_id, self.task_id, self.minutes)


def as_intended(entry: TimeEntry) -> Intended | None:
    """Return an existing entry in the form of an intended one."""
    if entry.date is None or entry.service is None:
        return None
    task = entry.task.id if entry.task else None
    return Intended(entry.date, entry.service.id, task, entry.minutes, entry.start, entry.note)


def twins(
    intended: Mapping[int, Intended], there: Sequence[TimeEntry], *, known: Collection[str] = ()
) -> dict[int, TimeEntry]:
    """Return which of the intended entries exist; each existing one stands for one intended.

    Args:
        intended: by position.
        there: the entries of their days.
        known: ids of entries that do not count.
    """
    free: dict[tuple[object, ...], list[TimeEntry]] = {}
    for entry in there:
        form = as_intended(entry)
        if form is not None and entry.id not in known:
            free.setdefault(form.identity, []).append(entry)
    found: dict[int, TimeEntry] = {}
    for position, one in intended.items():
        same = free.get(one.identity)
        if same:
            found[position] = same.pop(0)
    return found


async def existing(
    records: Records,
    person_id: str,
    intended: Mapping[int, Intended],
    *,
    known: Collection[str] = (),
) -> dict[int, TimeEntry]:
    """Read which of the intended entries of a person exist; see `twins`."""
    there = await entries_on(records, person_id, (one.day for one in intended.values()))
    return twins(intended, there, known=known)


def _words(note: str | None) -> list[str]:
    return richtext.plain(note, _LONGEST_NOTE).split()
