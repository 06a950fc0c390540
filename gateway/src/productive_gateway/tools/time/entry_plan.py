"""The entries of one call of log_time: read, resolved and checked before the first is written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.time import TimeEntry
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import Answer, Resolved
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.kit.failure import Failure, failure_of
from productive_gateway.tools.time.entry_writes import (
    Outcome,
    intended,
    planned_entry,
)
from productive_gateway.tools.time.new_entries import Draft, Entries, draft_of, placed
from productive_gateway.tools.time.situations import situation_of
from productive_gateway.tools.tracking.capacity import Tracker
from productive_gateway.tools.tracking.entries import DayTotal, shown, total_text
from productive_gateway.tools.tracking.rules import (
    NewTime,
    Situation,
    overruns,
    refusal,
    warnings,
)
from productive_gateway.tools.tracking.services import Target, Targets
from productive_gateway.tools.tracking.twins import Intended, as_intended, twins
from productive_gateway.tools.words import untrusted
from productive_gateway.tools.words.days import named
from productive_gateway.tools.words.durations import hours_text


class Result(has.Declared):
    """What became of one entry, in the order of the arguments."""

    ok: bool = has.flag(default=False)
    entry: TimeEntry | None = has.one(lambda: TimeEntry, default=None, label="")
    duplicate_of: TimeEntry | None = has.one(
        lambda: TimeEntry, default=None, label="exists already:"
    )
    error: Failure | None = has.one(lambda: Failure, default=None)


class Logged(Answer):
    """The answer of log_time."""

    results: tuple[Result, ...] = has.many(lambda: Result, label="")
    day_totals: tuple[DayTotal, ...] = has.many(
        lambda: DayTotal, default=(), label="tracked on these days"
    )
    dry_run: bool = has.flag(default=False, label="This was a dry run: nothing was written.")


@dataclass(slots=True)
class EntryPlan:
    """The entries of one call: what is to be written, and what became of the others."""

    call: Call
    tracker: Tracker
    new: dict[int, NewTime] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    problems: dict[int, Problem] = field(default_factory=dict)
    totals: dict[date, int] = field(default_factory=dict)
    there: tuple[TimeEntry, ...] = ()
    echoes: dict[Resolved, None] = field(default_factory=dict)
    situation: Situation | None = None

    async def read(self, entries: Entries, *, thorough: bool) -> None:
        """Read, resolve and check all entries."""
        drafts: dict[int, Draft] = {}
        for at, entry in enumerate(entries):
            try:
                drafts[at] = draft_of(entry, self.call.me.time_zone, self.call.today)
            except ToolError as error:
                self._refuse(at, error.problem)
        if not drafts:
            return
        targets = Targets(self.call, self.tracker.id)
        days = {draft.day for draft in drafts.values()}
        found, (situation, self.there) = await asyncio.gather(
            asyncio.gather(*(_found(targets, draft) for draft in drafts.values())),
            situation_of(self.call, self.tracker, days, thorough=thorough),
        )
        self.situation = situation
        self.totals = {day: situation.at(day).minutes for day in sorted(days)}
        wanted: dict[int, NewTime] = {}
        for (at, draft), target in zip(drafts.items(), found, strict=True):
            if isinstance(target, Problem):
                self._refuse(at, target)
            else:
                wanted[at] = _new(draft, target)
        self._check(wanted, drafts, situation)

    def take(self, outcomes: Mapping[int, Outcome]) -> None:
        """Take over what became of the entries that were to be written."""
        for at, outcome in outcomes.items():
            if outcome.problem is not None:
                self._refuse(at, outcome.problem, outcome.entry)
            elif outcome.entry is not None and outcome.earlier:
                entry = shown(outcome.entry, self.call.me.person_id)
                self.results[at] = Result(duplicate_of=entry)
            elif outcome.entry is not None:
                self._log(at, outcome.entry)
            if outcome.entry is not None and outcome.entry.date in self.totals:
                self.totals[outcome.entry.date] += outcome.entry.minutes

    def answer(self, count: int, *, dry_run: bool) -> Logged:
        """Return the answer for all entries."""
        if dry_run:
            for at, one in self.new.items():
                self._log(at, planned_entry(one))
                self.totals[one.day] += one.minutes
        results = tuple(self._result(at) for at in range(count))
        if count > _MOST_WITH_BUDGET:
            results = tuple(_short(one) for one in results)
        totals = tuple(self._total(day, minutes) for day, minutes in self.totals.items())
        return Logged(
            headline=_headline(results, totals, self.call.today, dry_run=dry_run),
            results=results,
            day_totals=totals,
            dry_run=dry_run,
            resolved=tuple(self.echoes),
        )

    def _result(self, at: int) -> Result:
        """Return what became of an entry; an error that an earlier entry has is told once."""
        result, problem = self.results[at], self.problems.get(at)
        if problem is None:
            return result
        plain = replace(problem, field=None)
        first = min(n for n, one in self.problems.items() if replace(one, field=None) == plain)
        if first == at:
            return result
        told = replace(
            problem, message=f"The same as entries[{first}].", fix="", candidates=(), left=0
        )
        return replace(result, error=failure_of(told))

    def failed(self, results: Sequence[Result]) -> Problem | None:
        """Return the problem of a call by which nothing is in Productive, now or before."""
        first = next(iter(sorted(self.problems.items())), None)
        if first is not None and len(results) == 1:
            return first[1]
        if first is None or any(one.ok or one.entry or one.duplicate_of for one in results):
            return None
        lead = f"None of {len(results)} entries is known to be logged. The first: "
        return replace(first[1], message=lead + first[1].message)

    def _check(
        self, wanted: Mapping[int, NewTime], drafts: Mapping[int, Draft], situation: Situation
    ) -> None:
        """Sort out what exists, what is meant twice, and what the rules forbid."""
        forms = {at: intended(one) for at, one in wanted.items()}
        self._sort_out(forms, [at for at in wanted if not drafts[at].allow_duplicate])
        remarks: dict[str, list[int]] = {}
        for at, one in wanted.items():
            if at in self.results:
                continue
            problem = refusal(one, situation)
            if problem is not None:
                self._refuse(at, problem)
                continue
            for text in (*warnings(one, situation), *_alike(forms[at], self.there)):
                remarks.setdefault(text, []).append(at)
            situation.plan(one)
            self.new[at] = one
            if one.target.implied is not None:
                self.echoes[one.target.implied] = None
        several = len(drafts) > 1
        for text, where in remarks.items():
            lead = ", ".join(f"entries[{at}]" for at in where) + ": " if several else ""
            self.call.warn(lead + text)
        for text in overruns(self.new.values()):
            self.call.warn(text)

    def _sort_out(self, forms: Mapping[int, Intended], once: Sequence[int]) -> None:
        """Sort out what exists already, and what the call holds twice."""
        first: dict[tuple[object, ...], int] = {}
        for at in once:
            same = first.setdefault(forms[at].identity, at)
            if same != at:
                self._refuse(at, _twice(same))
        for at, entry in twins({at: forms[at] for at in first.values()}, self.there).items():
            self.results[at] = Result(duplicate_of=shown(entry, self.call.me.person_id))

    def _log(self, at: int, entry: TimeEntry) -> None:
        self.results[at] = Result(ok=True, entry=shown(entry, self.call.me.person_id))

    def _refuse(self, at: int, problem: Problem, entry: TimeEntry | None = None) -> None:
        problem = placed(problem, at)
        self.problems[at] = problem
        row = shown(entry, self.call.me.person_id) if entry is not None else None
        self.results[at] = Result(entry=row, error=failure_of(problem))

    def _total(self, day: date, minutes: int) -> DayTotal:
        capacity = self.situation.calendar.day(day).capacity if self.situation else None
        return DayTotal(date=day, tracked=minutes, capacity=capacity)


_MOST_WITH_BUDGET: Final = 10
"""Entries whose budgets an answer names; the service says it too, and answers stay small."""


def _short(result: Result) -> Result:
    entry = result.entry
    return result if entry is None else replace(result, entry=replace(entry, budget=None))


async def _found(targets: Targets, draft: Draft) -> Target | Problem:
    try:
        return await targets.find(draft.wanted)
    except ToolError as error:
        return error.problem


def _new(draft: Draft, target: Target) -> NewTime:
    return NewTime(draft.day, draft.minutes, draft.billable, draft.start, draft.note, target)


def _alike(form: Intended, there: Sequence[TimeEntry]) -> list[str]:
    """Return warnings about entries that differ from an intended one in start or note alone."""
    found = [one.id for one in there if (other := as_intended(one)) and other.work == form.work]
    told = f"{' and '.join(found)} is the same but for the note or the time of day."
    return [told] if found else []


def _twice(first: int) -> Problem:
    return Problem(
        "conflict",
        f"It is the same as entries[{first}]: same day, service, task, duration, start and note.",
        "If a second entry is meant, repeat it with allow_duplicate.",
    )


def _headline(
    results: Sequence[Result], totals: Sequence[DayTotal], today: date, *, dry_run: bool
) -> str:
    verb = "Would log" if dry_run else "Logged"
    good = [one.entry for one in results if one.ok and one.entry is not None]
    days = ", ".join(f"{named(one.date, today)} {total_text(one)}" for one in totals)
    if len(results) == 1 and good:
        return f"{verb} {hours_text(good[0].minutes)} h on {_place(good[0])} ({days})."
    if len(results) == 1:
        return "Not logged: it exists already. If a second one is meant, set allow_duplicate."
    minutes = sum(one.minutes for one in good)
    repeated = sum(one.duplicate_of is not None for one in results)
    known = f" {repeated} exist already (allow_duplicate logs them again)." if repeated else ""
    return f"{verb} {len(good)} of {len(results)} entries, {hours_text(minutes)} h.{known}"


def _place(entry: TimeEntry) -> str:
    around = (entry.project, entry.service, entry.task)
    return " / ".join(untrusted.name(one.name) for one in around if one is not None)


def planned_line(new: NewTime) -> str:
    """Return an entry as the preview of a confirmation shows it."""
    return f"{new.day.isoformat()} {hours_text(new.minutes)} h on {_place(planned_entry(new))}"
