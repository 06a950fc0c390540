"""The resources that the simulator knows: relations, filters and sorts of each.

A relation to None exists in the original and is always empty here. Filters and sorts are those
that the gateway's tools use, with the inert ones that were measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from productive_dev.simulator.access import may_track
from productive_dev.simulator.filters import Filter, Kind, SortKey
from productive_dev.simulator.reading import (
    attribute,
    by,
    choice,
    day,
    flag,
    ids,
    inert,
    search,
    set_or_not,
    text,
    to,
)
from productive_dev.simulator.records import Record, State
from productive_dev.simulator.totals import minutes

Compute = Callable[[State, Record], Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """What a collection supports."""

    relations: Mapping[str, str | None]
    """Name → type of what it points at."""
    filters: Mapping[str, Filter] = field(default_factory=dict)
    sorts: Mapping[str, SortKey] = field(default_factory=dict)
    default_sort: Sequence[str] = ()
    computed: Mapping[str, Compute] = field(default_factory=dict)
    fields_on_single: bool = True
    """Whether `fields` is honoured on one record: not for time entries (measured)."""
    organization_shown: bool = True
    """Whether `organization` has data unasked: everywhere but on memberships (measured)."""


_WORKED: Final[Mapping[str, Compute]] = {
    "worked_time": lambda state, record: minutes(state, record, "time"),
    "billable_time": lambda state, record: minutes(state, record, "billable_time"),
}


def _closed_deal(state: State, record: Record) -> Sequence[str]:
    deal = record if record.type == "deals" else state.follow(record, "deal")
    return () if deal is None else ("1" if deal.attributes["closed_at"] is None else "2",)


def _tracks_time(_: State, record: Record) -> Sequence[str]:
    # Measured: the filter is right where the attribute of the same name is not.
    return ("true" if record.facts.get("tracks_time", True) else "false",)


def _trackers(state: State, record: Record) -> Sequence[str]:
    # In the spec, not measured: here it agrees with what a POST accepts.
    return tuple(p.id for p in state.all("people") if may_track(state, p, record))


def _person_type(_: State, record: Record) -> Sequence[str]:
    if record.attributes["placeholder"]:
        return ("3",)
    if record.attributes["agent"]:
        return ("4",)
    return ("1",) if record.attributes["is_user"] else ("2",)


def _approval(_: State, record: Record) -> Sequence[str]:
    # 1 approved, 2 unapproved, 3 rejected, 5 submitted, 6 draft
    states = {"draft": "6", "rejected": "3", "approved": "1", "submitted": "5"}
    return (next((code for name, code in states.items() if record.attributes[name]), "2"),)


def _task_status(_: State, record: Record) -> Sequence[str]:
    return ("2" if record.attributes["closed"] else "1",)


def _policy_people(state: State, record: Record) -> Sequence[str]:
    number = int(record.id)
    return tuple(
        p.id for p in state.all("people") if p.attributes["time_tracking_policy_id"] == number
    )


_ORGANIZATION: Final[Mapping[str, str | None]] = {"organization": "organizations"}

RESOURCES: Final[Mapping[str, Resource]] = {
    "organizations": Resource(
        relations={"company": "companies", "owner": None, "default_subsidiary": None},
        filters={"id": ids(), "name": text("name")},
        sorts={"name": by("name")},
    ),
    "organization_memberships": Resource(
        relations={**_ORGANIZATION, "person": "people", "user": "users"},
        organization_shown=False,
    ),
    "users": Resource(relations={}),
    "people": Resource(
        relations={
            **_ORGANIZATION,
            "company": "companies",
            "manager": "people",
            "custom_role": None,
            "subsidiary": None,
            "job_role": None,
            "approval_policy_assignment": None,
            "teams": None,
            "service_types": None,
        },
        filters={
            "id": ids(),
            "query": search("first_name", "last_name", "email", "nickname"),
            "email": text("email"),
            "status": choice(set_or_not("deactivated_at")),
            "person_type": choice(_person_type),
            "hrm_type_id": choice(attribute("hrm_type_id")),
            "company_id": to("company"),
            "manager_id": to("manager"),
        },
        sorts={
            "name": by("first_name"),
            "email": by("email"),
            "title": by("title"),
            "joined_at": by("joined_at"),
            "last_seen_at": by("last_seen_at"),
        },
    ),
    "companies": Resource(
        relations={**_ORGANIZATION, "default_subsidiary": None, "parent_company": None},
        filters={
            "id": ids(),
            "query": search("name", "billing_name", "company_code"),
            "name": text("name"),
            "status": choice(set_or_not("archived_at")),
        },
        sorts={"name": by("name"), "created_at": by("created_at")},
    ),
    "projects": Resource(
        relations={
            **_ORGANIZATION,
            "company": "companies",
            "project_manager": "people",
            "last_actor": "people",
            "workflow": None,
            "memberships": None,
        },
        filters={
            "id": ids(),
            "query": search("name", "project_number"),
            "name": text("name"),
            "status": choice(set_or_not("archived_at")),
            "project_type": choice(attribute("project_type_id")),
            "company_id": to("company"),
            "responsible_id": to("project_manager"),
            "project_number": text("project_number"),
            "number": text("number"),
            "person_id": inert(),
        },
        sorts={
            "name": by("name"),
            "number": by("number"),
            "project_number": by("project_number"),
            "company_name": by("name", "company"),
            "created_at": by("created_at"),
            "last_activity_at": by("last_activity_at"),
        },
    ),
    "deals": Resource(
        relations={
            **_ORGANIZATION,
            "company": "companies",
            "project": "projects",
            "responsible": "people",
            "creator": "people",
            "deal_status": None,
            "pipeline": None,
            "contract": None,
            "contact": None,
            "subsidiary": None,
            "origin_deal": "deals",
        },
        filters={
            "id": ids(),
            "query": search("name", "deal_number"),
            "name": text("name"),
            "type": choice(lambda _, deal: ("2" if deal.attributes["budget"] else "1",)),
            "budget_status": choice(_closed_deal),
            "project_id": to("project"),
            "company_id": to("company"),
            "responsible_id": to("responsible"),
            "number": text("number"),
            "date": day("date"),
            "end_date": day("end_date"),
        },
        sorts={
            "name": by("name"),
            "date": by("date"),
            "end_date": by("end_date"),
            "deal_number": by("deal_number"),
            "company_name": by("name", "company"),
            "project_name": by("name", "project"),
            "created_at": by("created_at"),
        },
        computed=_WORKED,
    ),
    "services": Resource(
        relations={
            **_ORGANIZATION,
            "deal": "deals",
            "service_type": None,
            "section": None,
            "person": None,
        },
        filters={
            "id": ids(),
            "name": text("name"),
            "query": search("name"),
            "project_id": to("deal.project"),
            "deal_id": to("deal"),
            "budget_id": to("deal"),
            "company_id": to("deal.company"),
            "time_tracking_enabled": flag(_tracks_time),
            "budget_status": choice(_closed_deal),
            "trackable_by_person_id": Filter(_trackers, Kind.ID),
            "billing_type": choice(attribute("billing_type_id")),
            "unit": choice(attribute("unit_id")),
            # Measured: accepted, and without any effect.
            "person_id": inert(),
            "task_id": inert(),
        },
        sorts={
            "name": by("name"),
            "project_name": by("name", "deal", "project"),
            "budget": by("name", "deal"),
            "company": by("name", "deal", "company"),
        },
        computed=_WORKED,
    ),
    "tasks": Resource(
        relations={
            **_ORGANIZATION,
            "project": "projects",
            "assignee": "people",
            "creator": "people",
            "last_actor": "people",
            "service": "services",
            "parent_task": "tasks",
            "task_list": None,
            "workflow_status": None,
            "subscribers": None,
            "attachments": None,
        },
        filters={
            "id": ids(),
            "query": search("title", "task_number"),
            "title": text("title"),
            "project_id": to("project"),
            "company_id": to("project.company"),
            "assignee_id": to("assignee"),
            "creator_id": to("creator"),
            "service_id": to("service"),
            "parent_task_id": to("parent_task"),
            "status": choice(_task_status),
            "task_number": text("task_number"),
            "task_type": choice(attribute("type_id")),
            "due_date_after": day("due_date", "gt_eq"),
            "due_date_before": day("due_date", "lt_eq"),
            "due_date_on": day("due_date"),
        },
        sorts={
            "title": by("title"),
            "due_date": by("due_date"),
            "number": by("number"),
            "task_number": by("task_number"),
            "project_name": by("name", "project"),
            "assignee_name": by("first_name", "assignee"),
            "created_at": by("created_at"),
            "updated_at": by("updated_at"),
            "last_activity_at": by("last_activity_at"),
            "worked_time": lambda state, task: (False, minutes(state, task, "time"), ""),
        },
        computed=_WORKED,
    ),
    "time_entries": Resource(
        relations={
            **_ORGANIZATION,
            "person": "people",
            "service": "services",
            "task": "tasks",
            "approver": "people",
            "updater": "people",
            "rejecter": "people",
            "creator": "people",
            "last_actor": "people",
            "person_subsidiary": None,
            "deal_subsidiary": None,
            "timesheet": None,
            "invoice_attribution": None,
            "approval_statuses": None,
        },
        filters={
            "id": ids(),
            "person_id": to("person"),
            "creator_id": to("creator"),
            "approver_id": to("approver"),
            "service_id": to("service"),
            "task_id": to("task"),
            "project_id": to("service.deal.project"),
            "budget_id": to("service.deal"),
            "deal_id": to("service.deal"),
            "company_id": to("service.deal.company"),
            "date": day("date"),
            # Both ends belong to the range (measured).
            "after": day("date", "gt_eq"),
            "before": day("date", "lt_eq"),
            "updated_at": day("updated_at"),
            "status": choice(_approval),
            "invoiced": flag(attribute("invoiced")),
            "billable_time": Filter(attribute("billable_time"), Kind.NUMBER),
            "track_method_id": choice(attribute("track_method_id")),
            "note": text("note"),
            "query": search("note"),
        },
        # Measured: the date alone; created_at, started_at and id are refused.
        sorts={"date": by("date")},
        fields_on_single=False,
    ),
    "timers": Resource(
        relations={**_ORGANIZATION, "time_entry": "time_entries"},
        filters={
            "person_id": Filter(attribute("person_id"), Kind.ID),
            "time_entry_id": to("time_entry"),
            "started_at": day("started_at"),
            "stopped_at": day("stopped_at"),
        },
        sorts={"started_at": by("started_at"), "stopped_at": by("stopped_at")},
        # Oldest first (measured).
        default_sort=("started_at",),
    ),
    "time_tracking_policies": Resource(
        relations={**_ORGANIZATION, "creator": "people", "last_actor": "people"},
        filters={
            "id": ids(),
            "name": text("name"),
            "status": choice(set_or_not("archived_at")),
            "person_id": Filter(_policy_people, Kind.ID),
        },
        sorts={"name": by("name")},
        computed={"assigned_people_count": lambda s, record: len(_policy_people(s, record))},
    ),
    "holiday_calendars": Resource(
        relations=_ORGANIZATION,
        filters={"id": ids(), "name": text("name")},
        sorts={"name": by("name")},
    ),
    "holidays": Resource(
        relations={**_ORGANIZATION, "holiday_calendar": "holiday_calendars", "creator": "people"},
        filters={
            "id": ids(),
            "holiday_calendar_id": to("holiday_calendar"),
            "date": day("date"),
            "after": day("date", "gt_eq"),
            "before": day("date", "lt_eq"),
        },
        sorts={"date": by("date"), "name": by("name")},
    ),
    "events": Resource(
        relations=_ORGANIZATION,
        filters={"id": ids(), "name": text("name"), "absence_type": text("absence_type")},
        sorts={"name": by("name")},
    ),
    "bookings": Resource(
        relations={
            **_ORGANIZATION,
            "person": "people",
            "service": "services",
            "event": "events",
            "task": "tasks",
            "creator": "people",
            "approver": "people",
        },
        filters={
            "id": ids(),
            "person_id": to("person"),
            "event_id": to("event"),
            "service_id": to("service"),
            "project_id": to("service.deal.project"),
            # The range is one of overlap: it takes what ends after and begins before (guide).
            "after": day("ended_on", "gt_eq"),
            "before": day("started_on", "lt_eq"),
            "draft": flag(attribute("draft")),
            "canceled": flag(attribute("canceled")),
            # Tentative bookings are hidden unless this is true; the collection sees to it.
            "with_draft": inert(Kind.FLAG),
            # Measured: accepted, and without any effect.
            "booking_type": inert(Kind.TEXT),
        },
        sorts={"started_on": by("started_on")},
    ),
}
