"""Writes new time entries: each once, and what became of each is said.

One entry is one request, whose answer is compared with what was asked for. Several are one bulk
request; a list read afterwards compares them. The writer looks for entries whose answers were lost;
a refused bulk request leaves open what was written as well, so that is looked up before the rest is
written singly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from productive_gateway.productive.records.budgets import ServiceRef, TrackedBudget
from productive_gateway.productive.records.projects import ProjectRef
from productive_gateway.productive.records.tasks import TaskRef
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.productive.wire.errors import (
    FeatureOff,
    Forbidden,
    NotFound,
    ProductiveError,
    Refused,
    StateUnknown,
)
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.errors import Problem
from productive_gateway.tools.tracking.capacity import Tracker
from productive_gateway.tools.tracking.entries import entries_on
from productive_gateway.tools.tracking.rules import NewTime
from productive_gateway.tools.tracking.twins import Intended, existing
from productive_gateway.tools.words import richtext
from productive_gateway.tools.writes.compare import differences
from productive_gateway.tools.writes.writer import Made

_NO_BULK: Final = (Refused, Forbidden, NotFound, FeatureOff)
"""Errors of a bulk request that may be about one of its entries, or about bulk requests."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry; both are set if it was written differently."""

    entry: TimeEntry | None = None
    problem: Problem | None = None
    earlier: bool = False
    """An identical call wrote it just before."""


@dataclass(slots=True)
class EntryWriter:
    """Writes the entries of one call."""

    call: Call
    tracker: Tracker
    known: frozenset[str]
    """Ids of the entries that were there before: they are not this call's."""
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    async def write(self, new: Mapping[int, NewTime], again: Collection[int]) -> dict[int, Outcome]:
        """Write entries, by position; whatever happens to an entry is its outcome.

        Args:
            new: the entries.
            again: positions of those that are meant although the same exists.

        Raises:
            LedgerUnavailable: nothing was written.
            ConfirmRefused: nothing was written, because the confirmation was used before.
        """
        if len(new) > 1:
            await self.call.progress(0, len(new), f"Writing {len(new)} time entries.")
        made = await self._create(new, again, bulk=len(new) > 1)
        refused = [at for at, one in made.items() if isinstance(one.error, _NO_BULK)]
        if len(new) > 1 and len(refused) == len(new):
            left = await self._left_by_refusal(new)
            made = await self._create(left, again, bulk=False) if left is not None else made
        await self._compare(new, made)
        return self.outcomes

    async def _create(
        self, new: Mapping[int, NewTime], again: Collection[int], *, bulk: bool
    ) -> dict[int, Made[TimeEntry]]:
        made = await self.call.writes.create_each(
            TimeEntry,
            [self._values(one) for one in new.values()],
            allow_duplicate=[at in again for at in new],
            bulk=bulk,
        )
        return dict(zip(new, made, strict=True))

    async def _left_by_refusal(self, new: Mapping[int, NewTime]) -> dict[int, NewTime] | None:
        """Return what a refused bulk request left to be written; None if that is unknown.

        Whether it is all or nothing is not documented.
        """
        wanted = {position: intended(one) for position, one in new.items()}
        try:
            found = await existing(self.call.records, self.tracker.id, wanted, known=self.known)
        except ProductiveError:
            return None
        self.outcomes |= {position: Outcome(entry) for position, entry in found.items()}
        return {at: one for at, one in new.items() if at not in found}

    async def _compare(
        self, new: Mapping[int, NewTime], made: Mapping[int, Made[TimeEntry]]
    ) -> None:
        """Compare what was written with what was asked for.

        The answer of a bulk request names no service: those entries are read again.
        """
        days = {
            new[at].day
            for at, one in made.items()
            if one.record is not None and one.record.service is None
        }
        try:
            rows = await entries_on(self.call.records, self.tracker.id, days)
        except ProductiveError:
            self.call.warn("The entries were written, but could not be read back to check them.")
            rows = ()
        read = {row.id: row for row in rows}
        for at, one in made.items():
            self.outcomes[at] = self._outcome(new[at], one, read)

    def _outcome(
        self, new: NewTime, made: Made[TimeEntry], read: Mapping[str, TimeEntry]
    ) -> Outcome:
        record = made.record
        if record is None:
            return Outcome(problem=self._problem(made.error))
        if record.id in self.known and not made.earlier:
            # Found after a lost answer, but it was there before.
            return Outcome(problem=_UNKNOWN)
        if record.service is None and record.id not in read and made.error is None:
            return Outcome(planned_entry(new, record.id))
        entry = read.get(record.id, record)
        wrong = differences(entry, self._values(new))
        return Outcome(entry, _differs(entry, wrong) if wrong else None, made.earlier)

    def _values(self, new: NewTime) -> dict[str, Any]:
        values = {
            "date": new.day,
            "hours": new.minutes,
            "billable_hours": new.billable,
            "start": new.start,
            "note": html_of(new.note),
            "person": self.tracker.id,
            "service": new.target.service.id,
            "task": new.target.task.id if new.target.task else None,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _problem(self, error: Exception | None) -> Problem:
        if error is None or isinstance(error, StateUnknown):
            return _UNKNOWN
        return self.call.explain.explain(error)


def intended(new: NewTime) -> Intended:
    """Return what makes an entry the one that is meant."""
    task = new.target.task
    return Intended(
        day=new.day,
        service_id=new.target.service.id,
        task_id=task.id if task else None,
        minutes=new.minutes,
        start=new.start,
        note=html_of(new.note),
    )


def planned_entry(new: NewTime, number: str = "") -> TimeEntry:
    """Return an entry as it would be, or is, written."""
    service, task = new.target.service, new.target.task
    project, budget = new.target.project, service.budget
    return TimeEntry(
        id=number,
        date=new.day,
        hours=new.minutes,
        billable_hours=new.billable,
        project=ProjectRef(id=project.id, name=project.name) if project else None,
        service=ServiceRef(id=service.id, name=service.name),
        budget=TrackedBudget(id=budget.id, name=budget.name) if budget else None,
        task=TaskRef(id=task.id, name=task.name, number=task.number) if task else None,
        start=new.start,
        note=html_of(new.note),
    )


def html_of(note: str | None) -> str | None:
    """Return a note in the form that Productive keeps."""
    return richtext.html_of_plain(note) if note else None


_UNKNOWN: Final = Problem(
    "timeout",
    "Productive's answer was lost, and the entry is not there yet: it may or may not be written.",
    "Do not simply repeat it. In a minute, call log_time with only this entry and dry_run: if "
    "the result names duplicate_of, it was written; if not, log it.",
)


def _differs(entry: TimeEntry, wrong: list[str]) -> Problem:
    return Problem(
        "write_not_effective",
        f"Time entry {entry.id} was written, but Productive did not apply: {', '.join(wrong)}.",
        "Do not log it again; tell the user to correct this entry in Productive.",
    )
