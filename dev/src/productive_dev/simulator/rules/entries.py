"""What a time entry may be, and what follows from it.

Measured: billable time follows time, but for a service of billing type 3, where it is 0; an entry
of a person who cannot track there is refused at `person`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.kinds import day_of
from productive_dev.simulator.errors import Fault, access_denied, invalid
from productive_dev.simulator.records import Record
from productive_dev.simulator.rules.approvals import (
    needs_approval,
    request_approval,
    settle_approval,
)
from productive_dev.simulator.rules.closed_days import closed_faults, timesheet_of
from productive_dev.simulator.rules.policies import limitation_faults, policy_faults
from productive_dev.simulator.rules.tracking import has_cost_rate, may_track

_DAY_MINUTES: Final = 24 * 60
_COSTS: Final = ("cost", "work_cost")


def writes_entry(context: Context, entry: Record) -> bool:
    """Tell whether the caller may store or remove an entry."""
    person = entry.to_one("person")
    if person is not None and person != context.caller.person.ref:
        return context.caller.manages
    # Inferred: what somebody approved is the managers' to change.
    approved = needs_approval(context, entry) and entry.attributes["approved"]
    return not approved or context.caller.manages


def sees_entry(context: Context, entry: Record) -> bool:
    """Tell whether an entry exists for the caller: a member sees their own (observed)."""
    return context.caller.manages or entry.to_one("person") == context.caller.person.ref


def settle_entry(context: Context, before: Record | None, entry: Record) -> Record:
    """Fill in billable minutes, approval, currency, cost."""
    service = context.follow(entry, "service")
    budget = context.follow(entry, "service", "deal")
    if before is None and entry.to_one("person") is None:
        # Inferred for timers; a time entry without a person is refused below.
        return entry
    values = dict(entry.attributes)
    billable = bool(service and service.attributes["billable"])
    follows = before is not None and (
        before.attributes["time"] != values["time"]
        and before.attributes["billable_time"] == values["billable_time"]
    )
    if values["billable_time"] is None or follows:
        # That the billable part follows a change of the time is inferred.
        fits = 0 <= (values["time"] or 0) <= _DAY_MINUTES
        values["billable_time"] = (values["time"] or 0) if billable and fits else 0
    values["recognized_time"] = values["billable_time"]
    if budget is not None:
        values["overhead"] = budget.attributes["deal_type_id"] == 1
        currency = budget.attributes["currency"]
        names = ("currency", "currency_default", "currency_normalized")
        values |= dict.fromkeys(names, currency)
    rate = _hourly_cost(context, entry)
    for name in _COSTS:
        for form in ("", "_default", "_normalized"):
            values[f"{name}{form}"] = round((values["time"] or 0) / 60 * rate)
    return settle_approval(context, before, entry.with_attributes(**values))


def check_entry(context: Context, before: Record | None, entry: Record) -> Iterable[Fault]:
    """Name what is wrong with an entry."""
    for name in ("time", "billable_time"):
        value = entry.attributes[name]
        if value is not None and not 0 <= value <= _DAY_MINUTES:
            # The words are inferred; durations are whole minutes (guide).
            yield Fault(name, "is not a valid number of minutes")
    person = _inside(context, entry, "person")
    service = _inside(context, entry, "service")
    moved = before is None or any(
        before.to_one(name) != entry.to_one(name) for name in ("person", "service")
    )
    if person is None or service is None or (moved and not may_track(context, person, service)):
        yield Fault("person", "person cannot track on this service")
        return
    day = day_of(entry.attributes["date"])
    if day is not None and not has_cost_rate(context, person, day):
        yield Fault("person", "person has no cost rate on this date", "no_cost_rate")
    task, budget = context.follow(entry, "task"), context.follow(service, "deal")
    if task is not None and budget and task.to_one("project") != budget.to_one("project"):
        # Inferred: a task belongs to the project of the service's budget.
        yield Fault("task", "attribute is invalid")
    yield from closed_faults(context, before, entry)
    yield from policy_faults(context, entry, person)
    yield from limitation_faults(context, entry)


def refuse_delete(context: Context, entry: Record) -> None:
    """Refuse to remove an entry of a closed day.

    Raises:
        Problem: 422 with the reason.
    """
    faults = list(closed_faults(context, entry, entry))
    if faults:
        raise invalid(faults)


def entry_done(context: Context, before: Record | None, after: Record | None) -> None:
    """Ask for approval, and remove the timers and approvals of a removed entry."""
    if after is not None:
        request_approval(context, after)
        return
    if before is None:
        return
    for kind in ("timers", "approval_statuses"):
        for record in tuple(context.state.pointing(kind, "time_entry", before.ref)):
            context.state.remove(record)


def submit(context: Context, _: Record | None, sheet: Record) -> Iterable[Fault]:
    """Name why a day cannot be submitted."""
    person = context.follow(sheet, "person")
    if person is None:
        return
    known = timesheet_of(context, person.ref, sheet.attributes["date"])
    if known is not None and known.id != sheet.id:
        yield Fault("date", "has already been taken")
    if person.attributes["timesheet_submission_disabled"]:
        yield Fault("person", "does not submit timesheets")


def mark_submitted(context: Context, before: Record | None, after: Record | None) -> None:
    """Mark the entries of a day as submitted, or as open again."""
    sheet = after or before
    person = sheet.to_one("person") if sheet else None
    if sheet is None or person is None:
        return
    for entry in tuple(context.state.pointing("time_entries", "person", person)):
        if entry.attributes["date"] == sheet.attributes["date"]:
            marked = entry.with_attributes(submitted=after is not None)
            context.state.put(marked.with_relations(timesheet=after.ref if after else None))


def refuse_unsubmit(context: Context, sheet: Record) -> None:
    """Refuse to take a timesheet back once something of it is approved (help pages).

    Raises:
        Problem: 403.
    """
    for entry in context.state.pointing("time_entries", "timesheet", sheet.ref):
        if needs_approval(context, entry) and entry.attributes["approved"]:
            raise access_denied()


def default_person(context: Context, _: Record | None, record: Record) -> Record:
    """Let a record without a person be the caller's."""
    if record.to_one("person") is None:
        return record.with_relations(person=context.caller.person.ref)
    return record


def decide(act: Any) -> Any:
    """Return the action of an approval status that carries out the one of its time entry."""

    def run(context: Context, status: Record, data: Mapping[str, Any]) -> Record:
        entry = context.follow(status, "time_entry")
        if entry is None or not (
            context.caller.manages or status.to_one("approver") == context.caller.person.ref
        ):
            raise access_denied()
        act(context, entry, data)
        decided = status.with_relations(actual_approver=context.caller.person.ref)
        context.state.put(decided)
        return decided

    return run


def _hourly_cost(context: Context, entry: Record) -> float:
    person = entry.to_one("person")
    rates = context.state.pointing("salaries", "person", person) if person else iter(())
    return max((float(rate.attributes["hourly_rate"]) for rate in rates), default=0.0)


def _inside(context: Context, entry: Record, relation: str) -> Record | None:
    found = context.follow(entry, relation)
    return found if found is not None and found.organization == entry.organization else None
