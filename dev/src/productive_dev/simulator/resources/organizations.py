"""Organizations, users and memberships: who a token belongs to, and where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from productive_dev.simulator.context import Context
from productive_dev.simulator.declare.fields import (
    absent,
    choice,
    day,
    flag,
    mapping,
    minutes,
    moment,
    number,
    relation,
    relations,
    text,
    texts,
)
from productive_dev.simulator.declare.filters import Filter, related
from productive_dev.simulator.declare.kinds import Kind
from productive_dev.simulator.declare.resource import resource
from productive_dev.simulator.records import Record, Ref


def _of_the_token(context: Context) -> Iterable[Record]:
    # Measured: memberships answer for all organizations, whatever the header says.
    for person in context.caller.token.people.values():
        membership = context.state.get("organization_memberships", person)
        if membership is not None:
            yield membership


def _reached(context: Context) -> Iterable[Record]:
    # Inferred: the organizations that the token reaches.
    for number_ in context.caller.token.people:
        organization = context.state.get("organizations", number_)
        if organization is not None:
            yield organization


def _caller_alone(context: Context) -> Iterable[Record]:
    # Measured: exactly the caller.
    membership = context.state.get("organization_memberships", context.caller.person.id)
    user = context.state.follow(membership, "user") if membership else None
    return () if user is None else (user,)


def _organization_of(_: Context, membership: Record) -> tuple[str, ...]:
    return (membership.organization,)


def _members(context: Context, team: Record) -> Sequence[Ref]:
    found = context.state.pointing("team_memberships", "team", team.ref)
    return [person for one in found if (person := one.to_one("person")) is not None]


ORGANIZATIONS = resource(
    "organizations",
    (
        text("name", "- o"),
        text("currency", "-", "EUR"),
        text("time_zone", "-", "UTC"),
        text("locale", "-", "en_US"),
        choice("week_start_day_id", "-", 3),
        day("fiscal_year_start", "-"),
        texts("working_hours", "-"),
        minutes("man_day_minutes", "-", 480),
        number("time_tracking_policy_id", "-"),
        flag("timesheet_submission", "-"),
        mapping("timesheet_submission_settings", "-", {}),
        day("financial_month_locking_date", "-"),
        flag("time_locking", "-"),
        choice("time_locking_period_id", "-"),
        number("time_locking_interval", "-"),
        choice("rounding_method_id", "-", 1),
        choice("rounding_interval_id", "-"),
        choice("date_format_id", "-", 1),
        choice("time_format_id", "-", 1),
        choice("number_format_id", "-", 1),
        mapping("flags", "-", {}),
        text("release_channel", "-"),
        texts("addons", "-"),
        number("subsidiary_count", "-", 1),
        mapping("expense_settings", "-", {}),
    ),
    (
        relation("company", "companies", "-"),
        relation("owner", "people", "-"),
        absent("default_subsidiary", "organization_subscription"),
    ),
    listed=_reached,
    sees=lambda context, record: record.id == context.organization,
    headerless=True,
)

USERS = resource(
    "users",
    (
        text("email", "-"),
        text("first_name", "- o"),
        text("last_name", "- o"),
        text("locale", "-", "en_US"),
        text("time_zone", "-", "UTC"),
        text("avatar_url", "-"),
        flag("two_factor_auth", "-"),
        number("default_organization_id", "-"),
        moment("updated_at"),
        mapping("flags", "-", {}),
    ),
    default_sort=("first_name", "last_name"),
    listed=_caller_alone,
    headerless=True,
)

MEMBERSHIPS = resource(
    "organization_memberships",
    (
        choice("role_id", "-"),
        number("position", "-"),
        flag("time_reminders", "-", default=True),
        flag("email_notifications", "-", default=True),
        mapping("granular_notification_preferences", "-", {}),
        moment("updated_at"),
    ),
    (relation("person", "people", "-"), relation("user", "users", "-")),
    filters={"organization_id": Filter(_organization_of, Kind.RELATION)},
    organization_shown=False,
    listed=_of_the_token,
    headerless=True,
)

SUBSIDIARIES = resource("subsidiaries", (text("name", "- o"),), filters={})

TEAMS = resource(
    "teams",
    (text("name", "- f o"), choice("color_id", "-"), text("icon_id", "-")),
    (relations("members", "people", find=_members),),
    filters={"query": Filter(lambda _, r: (r.attributes["name"],), Kind.TEXT, "contains")},
    default_sort=("name",),
)

TEAM_MEMBERSHIPS = resource(
    "team_memberships",
    (),
    (relation("person", "people", "- f o=person_name"), relation("team", "teams", "- f")),
    filters={"person_id": Filter(related("person"), Kind.RELATION)},
)
