"""The answer of log_time, as structure and as text."""

from __future__ import annotations

from datetime import date

from productive_gateway.productive.work import Named
from productive_gateway.tools.plan import Planned
from productive_gateway.tools.shaping import (
    DayTotal,
    EntryRow,
    Shape,
    hours,
    named_row,
    place_text,
    total_text,
)
from productive_gateway.tools.words.days import named


class ErrorRow(Shape):
    """The reason why an entry was not logged."""

    code: str
    message: str
    fix: str
    field: str | None = None
    candidates: list[dict[str, str]] | None = None
    retry_after_s: int | None = None


class ResultRow(Shape):
    """The outcome of one entry, in the order of the arguments."""

    ok: bool
    entry: EntryRow | None = None
    error: ErrorRow | None = None
    duplicate_of: EntryRow | None = None


class ResolvedRow(Shape):
    """What a reference was resolved to."""

    input: str
    kind: str
    id: str
    name: str
    how: str


class LogTimeAnswer(Shape):
    """The structured answer of log_time."""

    results: list[ResultRow]
    day_totals: list[DayTotal]
    resolved: list[ResolvedRow] | None = None
    dry_run: bool | None = None
    warnings: list[str] | None = None


def planned_row(planned: Planned) -> EntryRow:
    """Return an entry as it would be written."""
    draft, target = planned.draft, planned.target
    billable = draft.billable_minutes
    task = target.task
    return EntryRow(
        date=draft.day.isoformat(),
        hours=hours(draft.minutes),
        minutes=draft.minutes,
        billable_hours=None if billable is None else hours(billable),
        project=named_row(target.project),
        budget=named_row(target.service.budget),
        service=named_row(target.service),
        task=named_row(Named(task.id, task.title)) if task else None,
        note=draft.note,
    )


def answer_text(answer: LogTimeAnswer, today: date) -> str:
    """Return the same facts as Markdown, the outcome first."""
    good = [result.entry for result in answer.results if result.ok and result.entry]
    verb = "Would log" if answer.dry_run else "Logged"
    totals = ", ".join(
        f"{named(date.fromisoformat(total.date), today)} {total_text(total)}"
        for total in answer.day_totals
    )
    if len(answer.results) == 1 and good:
        lines = [f"{verb} {good[0].hours:.2f} h on {place_text(good[0])} ({totals})."]
    else:
        minutes = sum(row.minutes for row in good)
        lines = [f"{verb} {len(good)} of {len(answer.results)} entries, {hours(minutes):.2f} h."]
        lines += [f"- {_result_text(result, today)}" for result in answer.results]
        lines += [f"- Now {totals}"] if totals else []
    if answer.dry_run:
        lines.append("- This was a dry run: nothing was written.")
    lines += [f"- {warning}" for warning in answer.warnings or ()]
    return "\n".join(lines)


def _result_text(result: ResultRow, today: date) -> str:
    if result.duplicate_of is not None:
        return (
            f"Not logged: {_entry_text(result.duplicate_of, today)} exists already. If a second "
            "entry is meant, repeat this one with allow_duplicate."
        )
    if result.error is not None:
        candidates = "; ".join(
            f"{one['name']} ({one['id']}{', ' + one['context'] if 'context' in one else ''})"
            for one in result.error.candidates or ()
        )
        told = f"{_outcome(result)}: {result.error.message} {result.error.fix}"
        return f"{told} Candidates: {candidates}" if candidates else told
    return _entry_text(result.entry, today) if result.entry else "Logged."


def _outcome(result: ResultRow) -> str:
    if result.entry is not None:
        return "Logged differently"
    lost = result.error is not None and result.error.code == "timeout"
    return "State unknown" if lost else "Not logged"


def _entry_text(row: EntryRow, today: date) -> str:
    number = f" ({row.id})" if row.id else ""
    return (
        f"{row.hours:.2f} h on {place_text(row)}, "
        f"{named(date.fromisoformat(row.date), today)}{number}"
    )
