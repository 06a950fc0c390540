"""log_time: logs time on projects, tasks and services that are given by name."""

from __future__ import annotations

from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.answers import structure_of, text_of, within_limit
from productive_gateway.tools.kit.declare import Cost, Example, Kind, tool
from productive_gateway.tools.kit.errors import ToolError
from productive_gateway.tools.kit.parameters import Confirm, DryRun, Person
from productive_gateway.tools.time.entry_plan import EntryPlan, Logged, planned_line
from productive_gateway.tools.time.entry_writes import EntryWriter
from productive_gateway.tools.time.new_entries import Entries
from productive_gateway.tools.tracking.capacity import tracker_of


@tool(
    title="Log time",
    kind=Kind.ADDS,
    cost=Cost(reads=8, writes=1),
    example=Example(
        "Log 2 hours of design on the website relaunch for today",
        {"entries": [{"project": "Website relaunch", "service": "design", "hours": 2}]},
    ),
)
async def log_time(
    call: Call,
    *,
    entries: Entries,
    person: Person = None,
    dry_run: DryRun = False,
    confirm: Confirm = None,
) -> Logged:
    """Log time, 1 to 50 entries at once. Name project, task or service as the user does.

    No lookup is needed first. Everything is checked before the first entry is written, and each
    result says what happened to its entry: repeat only those with an error. One that exists already
    is not written again. If a reference is ambiguous you get candidates: ask the user.
    """
    tracker = await tracker_of(call, person)
    plan = EntryPlan(call, tracker)
    await plan.read(entries, thorough=dry_run or len(entries) > 1)
    if not dry_run and plan.new:
        if not tracker.me:
            lines = [planned_line(one) for one in plan.new.values()]
            title = f"Log {len(lines)} time entries for {tracker.name} ({tracker.id})"
            await call.confirm(title, lines, given=confirm)
        known = frozenset(one.id for one in plan.there)
        again = {at for at, entry in enumerate(entries) if entry.allow_duplicate}
        plan.take(await EntryWriter(call, tracker, known).write(plan.new, again))
    answer = plan.answer(len(entries), dry_run=dry_run)
    problem = plan.failed(answer.results)
    if problem is not None:
        told = within_limit(Logged(headline="", results=answer.results))
        written = any(one.entry for one in answer.results)
        text = text_of(told).strip() if written or len(entries) > 1 else ""
        raise ToolError(problem, extra=structure_of(told), text=text)
    return answer
