"""People: employees, contacts, placeholders and agents in one collection, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    absent,
    choice,
    computed,
    constant,
    day,
    flag,
    mapping,
    moment,
    money,
    number,
    relation,
    relations,
    text,
    texts,
)
from productive_dev.simulator.declare.filters import (
    Filter,
    attribute,
    by_choice,
    by_ref,
    inert,
    search,
    set_or_not,
)
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import (
    DELETE,
    EVERYTHING,
    UPDATE,
    Lineage,
    administrators,
    resource,
)
from productive_dev.simulator.declare.sorts import by_names
from productive_dev.simulator.errors import conflict
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.rules.subscriptions import projects_of

NAMES: Final = ("first_name", "last_name")
_SEARCHED: Final = ("email", "nickname", *NAMES)


def _person_type(_: Context, record: Record) -> Sequence[str]:
    if record.attributes["placeholder"]:
        return ("3",)
    if record.attributes["agent"]:
        return ("4",)
    return ("1",) if record.attributes["is_user"] else ("2",)


def _teams(context: Context, person: Record) -> Sequence[Ref]:
    found = context.state.pointing("team_memberships", "person", person.ref)
    return [team for m in found if (team := m.to_one("team")) is not None]


def _subscribed(context: Context, person: Record) -> Sequence[str]:
    tasks = context.state.pointing("tasks", "subscribers", person.ref)
    return [task.id for task in tasks]


def _availabilities(context: Context, person: Record) -> str:
    # Recorded: a JSON text, and an empty list without a cost rate.
    rates = sorted(
        context.state.pointing("salaries", "person", person.ref),
        key=lambda rate: str(rate.attributes["started_on"]),
    )
    rows = []
    for rate in rates:
        hours = list(rate.attributes["working_hours"])
        calendar = rate.to_one("holiday_calendar")
        fortnight = hours if len(hours) == 14 else hours * 2
        until = rate.attributes["ended_on"]
        number_ = int(calendar.id) if calendar else None
        rows.append([rate.attributes["started_on"], until, fortnight, number_])
    return json.dumps(rows)


def _dated(name: str, code: str, *, wanted: bool) -> Any:
    def act(context: Context, record: Record, _: Mapping[str, Any]) -> Record:
        if (record.attributes[name] is not None) == wanted:
            raise conflict(code)
        changed = record.with_attributes(**{name: context.whole_stamp if wanted else None})
        context.state.put(changed)
        return changed

    return act


PEOPLE = resource(
    "people",
    (
        flag("agent", "-"),
        text("avatar_url"),
        mapping("contact", "", {}),
        moment("deactivated_at", "- f"),
        text("email", "f o"),
        text("first_name", "!"),
        text("last_name"),
        text("nickname"),
        constant("original_avatar_url", None),
        choice("role_id", "-"),
        text("status_emoji"),
        moment("status_expires_at", ""),
        text("status_text"),
        flag("time_off_status_sync", "", default=True),
        text("title", "f o"),
        moment("archived_at"),
        flag("autotracking"),
        moment("joined_at", "- o"),
        moment("last_seen_at", "- o"),
        moment("invited_at"),
        flag("is_user", "-"),
        number("user_id", "-"),
        texts("tag_list", "f=tags"),
        flag("virtual", "-"),
        mapping("custom_fields"),
        moment("created_at"),
        flag("placeholder", "-"),
        text("color_id", "-"),
        flag("sample_data", "-"),
        flag("time_unlocked"),
        day("time_unlocked_on"),
        day("time_unlocked_start_date"),
        day("time_unlocked_end_date"),
        choice("time_unlocked_period_id"),
        number("time_unlocked_interval"),
        moment("last_activity_at"),
        flag("two_factor_auth", "-", default=None),
        computed("availabilities", _availabilities, Kind.TEXT),
        text("external_id", "-"),
        flag("external_sync", "-"),
        choice("hrm_type_id", "- f"),
        flag("champion", "-"),
        flag("timesheet_submission_disabled"),
        text("offboarding_status", "-", "not_initiated"),
        number("offboarding_id", "-"),
        number("time_tracking_policy_id"),
    ),
    (
        relation("company", "companies", "f o=company_name"),
        absent("custom_role"),
        relation("manager", "people", "f o", sorted_by=by_names(NAMES, "manager")),
        relation("subsidiary", "subsidiaries", "f"),
        absent("time_tracking_policy"),
        relation("approval_policy_assignment", "approval_policy_assignments", "-"),
        relations("teams", "teams", "-", find=_teams),
        absent("service_types", "custom_field_people", "custom_field_attachments"),
    ),
    filters={
        "query": search(*_SEARCHED, also=NAMES),
        "full_query": search(*_SEARCHED, also=NAMES),
        "jump_query": search(*_SEARCHED, also=NAMES),
        "first_name": Filter(attribute("first_name"), Kind.TEXT),
        "last_name": Filter(attribute("last_name"), Kind.TEXT),
        "status": by_choice(set_or_not("deactivated_at")),
        "person_type": by_choice(_person_type),
        "role_id": by_choice(attribute("role_id")),
        "archived_at": Filter(attribute("archived_at"), Kind.MOMENT),
        "project_id": by_ref(projects_of),
        "project_watching": by_ref(projects_of),
        "accessible_project_id": by_ref(projects_of),
        "team": by_ref(_teams),
        "subscribable_id": Filter(_subscribed, Kind.RELATION),
        "subscribable_type": inert(),
    },
    sorts={"name": by_names(NAMES)},
    # Recorded.
    default_sort=NAMES,
    methods=EVERYTHING - {DELETE},
    lacks=frozenset({DELETE}),
    bulk=frozenset({UPDATE}),
    writes=administrators,
    actions={
        "archive": _dated("archived_at", "already_archived", wanted=True),
        "restore": _dated("archived_at", "not_archived", wanted=False),
        "deactivate": _dated("deactivated_at", "already_deactivated", wanted=True),
        "activate": _dated("deactivated_at", "already_active", wanted=False),
    },
    lineage=Lineage(
        "Person", lambda r: " ".join(filter(None, (r.attributes[n] for n in NAMES))), "company"
    ),
)

SALARIES = resource(
    "salaries",
    (
        flag("default_salary", "", default=True),
        day("started_on", "!"),
        day("ended_on"),
        text("note"),
        flag("overhead"),
        choice("salary_type_id", "", 1),
        text("currency", "", "EUR"),
        texts("working_hours"),
        flag("alternating_hours"),
        money("cost", ""),
        money("hourly_rate", "-"),
    ),
    (relation("person", "people", "! f"), relation("holiday_calendar", "holiday_calendars")),
    default_sort=("-id",),
    sees=administrators,
)
