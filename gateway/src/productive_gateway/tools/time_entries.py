"""log_time: logs the person's own time on projects, tasks and services given by name.

All entries are read, resolved and checked before the first one is written; the good ones are then
written one by one. No write is repeated: if an answer is lost, that entry's state is reported as
unknown, and nothing further is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from productive_gateway.productive import errors as api
from productive_gateway.productive import work
from productive_gateway.productive.identity import Identity
from productive_gateway.productive.work import Entry
from productive_gateway.tools import problems
from productive_gateway.tools.errors import Problem, ToolError
from productive_gateway.tools.plan import EntryArguments, Planned, check_day, draft_of, twin_of
from productive_gateway.tools.problems import differences
from productive_gateway.tools.shaping import day_total, entry_row
from productive_gateway.tools.targets import Resolver
from productive_gateway.tools.time_answers import (
    ErrorRow,
    LogTimeAnswer,
    ResolvedRow,
    ResultRow,
    answer_text,
    planned_row,
)
from productive_gateway.tools.tool import Call, Done, Kind, Tool
from productive_gateway.tools.words.days import today_in


class LogTimeArguments(BaseModel):
    """Arguments of log_time."""

    model_config = ConfigDict(extra="forbid")

    entries: Annotated[list[EntryArguments], Field(min_length=1, max_length=10)]
    allow_duplicate: Annotated[
        bool, Field(description="log it even if the same entry exists already")
    ] = False
    dry_run: Annotated[bool, Field(description="check everything, write nothing")] = False


@dataclass(slots=True)
class _Run:
    """State of one call of log_time."""

    call: Call
    arguments: LogTimeArguments
    me: Identity
    today: date
    planned: dict[int, Planned] = field(default_factory=dict)
    results: dict[int, ResultRow] = field(default_factory=dict)
    minutes: dict[date, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    first_problem: Problem | None = None

    def refuse(self, index: int, problem: Problem) -> None:
        """Record that an entry is not logged."""
        self.planned.pop(index, None)
        self.first_problem = self.first_problem or problem
        self.results[index] = ResultRow(ok=False, error=ErrorRow(**problem.structured()))


async def log_time(call: Call, arguments: LogTimeArguments) -> Done:
    """Log time for the calling person.

    Raises:
        ToolError: not one of the entries could be logged.
        ProductiveError: nothing was written, because Productive could not be asked.
    """
    me = await call.session.identity()
    run = _Run(call, arguments, me, today_in(me.time_zone, call.now()))
    await _resolve(run)
    await _compare(run)
    if not arguments.dry_run:
        await _write(run)
    answer = _answer(run)
    several = len(answer.results) > 1
    if run.first_problem is not None and not (several and _anything(answer.results)):
        problem = run.first_problem
        if several:
            lead = f"None of {len(answer.results)} entries is known to be logged. The first: "
            problem = replace(problem, message=lead + problem.message)
        raise ToolError(problem, extra=answer.model_dump(mode="json", exclude_none=True))
    return Done(answer, answer_text(answer, run.today))


LOG_TIME = Tool(
    name="log_time",
    title="Log time",
    description=(
        "Log your own time. Name the project, task or service the way the user does; no lookup is "
        "needed first. Up to 10 entries are checked before the first is written, and each result "
        "says what happened to its entry. If a reference is ambiguous you get candidates: ask the "
        "user. An entry that exists already (same day, service, task and duration) is not written "
        "again."
    ),
    kind=Kind.ADDS,
    toolset="time",
    arguments=LogTimeArguments,
    answer=LogTimeAnswer,
    run=log_time,
)


async def _resolve(run: _Run) -> None:
    resolver = Resolver(run.call.session, run.me.person_id, run.today)
    for index, entry in enumerate(run.arguments.entries):
        try:
            draft = draft_of(entry, index, run.me, run.today)
            run.planned[index] = Planned(draft, await resolver.target(draft.wanted))
        except ToolError as error:
            run.refuse(index, error.problem)


async def _compare(run: _Run) -> None:
    """Check what is logged on these days already: duplicates, and days that would be too long."""
    days = {one.draft.day for one in run.planned.values()}
    there = await work.entries_on(run.call.session, run.me.person_id, days)
    run.minutes = {day: sum(entry.minutes for entry in there[day]) for day in sorted(days)}
    seen: dict[Any, int] = {}
    sums = dict(run.minutes)
    for index, planned in sorted(run.planned.items()):
        twin = twin_of(planned, there[planned.draft.day])
        same = (*planned.key, planned.draft.note)
        if twin is not None and not run.arguments.allow_duplicate:
            del run.planned[index]
            run.results[index] = ResultRow(ok=False, duplicate_of=entry_row(twin))
            continue
        if same in seen and not run.arguments.allow_duplicate:
            run.refuse(index, problems.twice(planned, seen[same]))
            continue
        try:
            check_day(planned, sums)
        except ToolError as error:
            run.refuse(index, error.problem)
            continue
        seen[same] = index
        sums[planned.draft.day] += planned.draft.minutes
    if run.arguments.dry_run:
        run.minutes = sums


async def _write(run: _Run) -> None:
    """Write the entries one by one; stop when Productive itself fails."""
    stopped: Problem | None = None
    for index, planned in sorted(run.planned.items()):
        if stopped is not None:
            run.refuse(index, stopped)
            continue
        try:
            made = await work.create_entry(run.call.session, planned.new_entry(run.me.person_id))
        except api.StateUnknown:
            run.refuse(index, problems.unknown(planned))
            stopped = problems.not_tried(index)
        except api.Refused as error:
            run.refuse(index, _at(planned, run.call.explain.explain(error)))
        except api.ProductiveError as error:
            stopped = run.call.explain.explain(error)
            run.refuse(index, _at(planned, stopped))
        else:
            await _read_back(run, index, planned, made)


async def _read_back(run: _Run, index: int, planned: Planned, made: Entry) -> None:
    """Compare the written entry with the request: Productive ignores fields it does not know."""
    day, project = planned.draft.day, planned.target.project
    if project is not None:
        work.forget_services(run.call.session, project.id)
    try:
        made = await work.entry_by_id(run.call.session, made.id)
    except api.ProductiveError:
        run.minutes[day] += planned.draft.minutes
        run.warnings.append(f"entries[{index}] was written but could not be read back to check it.")
        row = planned_row(planned).model_copy(update={"id": made.id, "state": made.state})
        run.results[index] = ResultRow(ok=True, entry=row)
        return
    run.minutes[day] += made.minutes if made.day == day else 0
    wrong = differences(planned, made, run.me.person_id)
    if not wrong:
        run.results[index] = ResultRow(ok=True, entry=entry_row(made))
        return
    run.refuse(index, problems.not_effective(planned, made, wrong))
    run.results[index] = run.results[index].model_copy(update={"entry": entry_row(made)})


def _answer(run: _Run) -> LogTimeAnswer:
    if run.arguments.dry_run:
        for index, planned in run.planned.items():
            run.results[index] = ResultRow(ok=True, entry=planned_row(planned))
    echoed = dict.fromkeys(
        resolved for planned in run.planned.values() for resolved in planned.target.resolved
    )
    totals = [
        day_total(day, minutes, run.me.availabilities) for day, minutes in run.minutes.items()
    ]
    return LogTimeAnswer(
        results=[run.results[index] for index in range(len(run.arguments.entries))],
        day_totals=totals,
        resolved=[ResolvedRow(**asdict(one)) for one in echoed] or None,
        dry_run=True if run.arguments.dry_run else None,
        warnings=run.warnings or None,
    )


def _anything(results: Sequence[ResultRow]) -> bool:
    """Return whether any entry is in Productive, written now or before, as asked or not."""
    return any(result.ok or result.duplicate_of or result.entry for result in results)


def _at(planned: Planned, problem: Problem) -> Problem:
    name = f".{problem.field}" if problem.field else ""
    return replace(problem, field=planned.draft.field + name)
