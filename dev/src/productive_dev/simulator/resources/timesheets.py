"""Timesheets, time tracking policies and approvals.

A timesheet is one day of one person; making it submits the entries of that day, removing it opens
them again (reference). What approval policies decide is not simulated: they can be read.
"""

from __future__ import annotations

from typing import Final

from productive_dev.simulator.access import Caller
from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    choice,
    computed,
    day,
    flag,
    moment,
    number,
    relation,
    text,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    by_choice,
    set_or_not,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import (
    CREATE,
    DELETE,
    EVERYTHING,
    UPDATE,
    administrators,
    resource,
)
from productive_dev.simulator.declare.sorts import by_id
from productive_dev.simulator.records import Record
from productive_dev.simulator.resources.archive import archivable
from productive_dev.simulator.rules.approvals import approve, reject
from productive_dev.simulator.rules.entries import (
    decide,
    default_person,
    mark_submitted,
    refuse_unsubmit,
    submit,
)

_RULES: Final = (
    *("note_mandatory", "task_mandatory", "time_range_mandatory", "restrict_future_tracking"),
    *("restrict_time_entry_overlap", "restrict_tracking_over_budget"),
)
_LIMITS: Final = (
    *("working_day_limit", "non_working_day_limit", "holiday_limit"),
    *("full_day_absence_limit", "half_day_absence_limit"),
)


def _own(context: Context, sheet: Record) -> bool:
    caller: Caller = context.caller
    # The vendor's schema: managers submit for others.
    return caller.manages or sheet.to_one("person") in (None, caller.person.ref)


TIMESHEETS = resource(
    "timesheets",
    (day("date", "! f o"), moment("created_at")),
    (
        relation("person", "people", "f"),
        relation("creator", "people", "- f"),
    ),
    sorts={"id": by_id, "person_id": lambda _, r: (False, float(r.to_many("person")[0].id), "")},
    methods=EVERYTHING - {UPDATE},
    lacks=frozenset({UPDATE}),
    bulk=frozenset({CREATE, DELETE}),
    sees=_own,
    writes=_own,
    settle=default_person,
    check=submit,
    refuse_delete=refuse_unsubmit,
    done=mark_submitted,
)


def _people(context: Context, policy: Record) -> tuple[str, ...]:
    number_ = int(policy.id)
    return tuple(
        person.id
        for person in context.all("people")
        if person.attributes["time_tracking_policy_id"] == number_
    )


TIME_TRACKING_POLICIES = resource(
    "time_tracking_policies",
    (
        text("name", "! f o"),
        *(flag(name) for name in _RULES),
        *(number(name) for name in _LIMITS),
        text("disabled_tracking_message"),
        text("limited_tracking_message"),
        computed("assigned_people_count", lambda context, policy: len(_people(context, policy))),
        moment("archived_at"),
        moment("created_at"),
        moment("updated_at"),
    ),
    (relation("creator", "people", "-"), relation("last_actor", "people", "-")),
    filters={
        "status": by_choice(set_or_not("archived_at")),
        "person_id": Filter(_people, Kind.RELATION),
    },
    methods=EVERYTHING - {DELETE},
    writes=administrators,
    actions=archivable(),
)

APPROVAL_POLICIES = resource(
    "approval_policies",
    (
        text("name", "-"),
        text("description", "-"),
        flag("custom", "- f"),
        flag("default", "-"),
        choice("type_id", "- f"),
        moment("archived_at"),
    ),
    filters={"status": by_choice(set_or_not("archived_at"))},
    default_sort=("name",),
)

APPROVAL_POLICY_ASSIGNMENTS = resource(
    "approval_policy_assignments",
    (text("target_id", "- f"), text("target_type", "- f")),
    (
        relation("approval_policy", "approval_policies", "- f"),
        relation("person", "people", "-"),
        relation("deal", "deals", "-"),
    ),
)

APPROVAL_STATUSES = resource(
    "approval_statuses",
    (text("note", "-"), text("target_type", "-")),
    (
        relation("approver", "people", "-"),
        relation("actual_approver", "people", "-"),
        relation("approval_workflow", "approval_policies", "-"),
        relation("booking", "bookings", "-"),
        relation("expense", None, "-"),
        relation("time_entry", "time_entries", "-"),
    ),
    sees=lambda context, r: context.caller.manages or context.caller.is_person(r, "approver"),
    actions={"approve": decide(approve), "reject": decide(reject)},
)
