"""Who may track time on a service, and on which day.

Recorded: a service that is missing, closed or not for this person, and a deactivated person, are
refused alike. The vendor's schema: budgets with tracking type 2 or 3 are for assigned people, a
service without assignees is for all; nobody tracks without a cost rate valid on that day.
"""

from __future__ import annotations

from datetime import date

from productive_dev.simulator.context import Context
from productive_dev.simulator.records import Record


def may_track(context: Context, person: Record, service: Record) -> bool:
    """Tell whether a person may track time on a service."""
    budget = context.follow(service, "deal")
    project = context.follow(service, "deal", "project")
    return (
        service.facts.get("tracks_time", True)
        and bool(service.attributes["time_tracking_enabled"])
        and person.organization == service.organization
        and person.attributes["deactivated_at"] is None
        and not person.attributes["placeholder"]
        and bool(person.attributes["is_user"])
        and budget is not None
        and budget.attributes["budget"]
        and budget.attributes["closed_at"] is None
        and _stage_allows(context, budget)
        and (project is None or project.attributes["archived_at"] is None)
        and is_assigned(context, person, service)
    )


def is_assigned(context: Context, person: Record, service: Record) -> bool:
    """Tell whether the budget's way of tracking lets a person in."""
    budget = context.follow(service, "deal")
    if budget is None or budget.attributes["tracking_type_id"] == 1:
        return True
    assigned = [
        ref
        for assignment in context.state.pointing("service_assignments", "service", service.ref)
        if (ref := assignment.to_one("person"))
    ]
    return not assigned or person.ref in assigned


def has_cost_rate(context: Context, person: Record, day: date) -> bool:
    """Tell whether a cost rate of a person is valid on a day."""
    text = day.isoformat()
    return any(
        rate.attributes["started_on"] <= text
        and (rate.attributes["ended_on"] is None or text <= rate.attributes["ended_on"])
        for rate in context.state.pointing("salaries", "person", person.ref)
    )


def _stage_allows(context: Context, budget: Record) -> bool:
    status = context.follow(budget, "deal_status")
    return status is None or bool(status.attributes["time_tracking_enabled"])
