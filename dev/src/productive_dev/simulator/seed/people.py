"""Organizations, the people in them, and the tokens they have.

The traps: two "Ana", "Luka" and "Luca", letters outside ASCII, a contact with a mail domain of the
staff, and a director who is a member of both companies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from productive_dev.simulator.access import ADMIN, MANAGER, MEMBER
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.tokens import Token

NORTHLIGHT: Final = "1200"
HARBOUR: Final = "1300"


class _Organization(NamedTuple):
    number: str
    name: str
    currency: str
    time_zone: str
    company: str
    policy: int


_ORGANIZATIONS: Final = (
    _Organization(NORTHLIGHT, "Northlight Studio", "EUR", "Europe/Zagreb", "7009", 501),
    _Organization(HARBOUR, "Harbour Lab", "GBP", "Europe/London", "7101", 511),
)
_TIME_ZONE_OF: Final = {row.number: row.time_zone for row in _ORGANIZATIONS}

_FULL: Final = (8, 8, 8, 8, 8, 0, 0)
_SHORT_DAYS: Final = (6, 6, 6, 6, 6, 0, 0)
_FOUR_DAYS: Final = (8, 8, 8, 8, 0, 0, 0)

_STAFF: Final = (
    ("9101", "Petra", "Novak", "Managing Director", ADMIN, _FULL, _FULL),
    ("9102", "Jonas", "Weiß", "Senior Developer", MEMBER, _FULL, _FULL),
    ("9103", "Marko", "Čavić", "Project Manager", MANAGER, _FULL, _FULL),
    ("9104", "Ana", "Kovač", "Senior Designer", MEMBER, _FULL, _FULL),
    ("9105", "Ana", "Horvat", "Developer", MEMBER, _FULL, _FOUR_DAYS),
    ("9106", "Luka", "Babić", "Designer", MEMBER, _SHORT_DAYS, _SHORT_DAYS),
    ("9107", "Luca", "Moretti", "Developer", MEMBER, _FULL, _FULL),
    ("9108", "Mia", "Dorn", "Finance", MEMBER, _FOUR_DAYS, _FOUR_DAYS),
    ("9110", "Ivo", "Perić", "Developer", MEMBER, _FULL, _FULL),
)
_LETTERS: Final = {ord("č"): "c", ord("ć"): "c", ord("š"): "s", ord("ß"): "ss"}
_DEACTIVATED: Final = "9110"
_STRICT_POLICY: Final = {"9106": 502}
"""People with a policy of their own."""
_TIME_ZONES: Final = {"5107": "America/New_York"}
"""Users whose time zone is not the organization's."""


def tokens() -> tuple[Token, ...]:
    """Return the tokens of the seed."""
    return (
        Token("simulator-director", "director", {NORTHLIGHT: "9101", HARBOUR: "9201"}),
        Token("simulator-manager", "manager", {NORTHLIGHT: "9103"}),
        Token("simulator-ana-kovac", "member", {NORTHLIGHT: "9104"}),
        Token("simulator-ana-kovac-read-only", "member-read-only", {NORTHLIGHT: "9104"}, True),
        Token("simulator-ana-horvat", "member-developer", {NORTHLIGHT: "9105"}),
        Token("simulator-luka-babic", "member-strict-policy", {NORTHLIGHT: "9106"}),
        Token("simulator-luca-moretti", "member-new-york", {NORTHLIGHT: "9107"}),
        Token("simulator-deactivated", "deactivated", {NORTHLIGHT: _DEACTIVATED}),
        Token("simulator-other-organization", "other-organization", {HARBOUR: "9202"}),
        Token("simulator-revoked", "revoked", {NORTHLIGHT: "9104"}, revoked=True),
        Token("simulator-slow", "low-limit", {NORTHLIGHT: "9104"}, limit=5),
    )


def people(calendar: Calendar) -> Iterator[Record]:
    """Yield organizations, people, users and memberships."""
    yield from (_organization(row) for row in _ORGANIZATIONS)
    for person_id, first, last, title, role, odd, even in _STAFF:
        deactivated = calendar.ago(40) if person_id == _DEACTIVATED else None
        yield from _employee(
            calendar,
            NORTHLIGHT,
            _person(
                person_id,
                first,
                last,
                email=f"{_plain(first)}.{_plain(last)}@northlight.example",
                title=title,
                role_id=role,
                deactivated_at=deactivated,
                time_tracking_policy_id=_STRICT_POLICY.get(person_id),
                **_employment(calendar, (*odd, *even), 71),
            ),
            user=str(int(person_id) - 4000),
            manager=None if person_id == "9101" else "9103" if role == MEMBER else "9101",
        )
    yield from _others()
    yield from _harbour(calendar)


def _organization(row: _Organization) -> Record:
    return Record(
        "organizations",
        row.number,
        row.number,
        {
            "name": row.name,
            "currency": row.currency,
            "time_zone": row.time_zone,
            "locale": "en_US",
            "week_start_day_id": 1,
            "man_day_minutes": 480,
            "working_hours": "8.0",
            "time_tracking_policy_id": row.policy,
            "timesheet_submission": False,
        },
        {"company": Ref("companies", row.company), "owner": None, "default_subsidiary": None},
    )


def _person(number: str, first: str, last: str, **attributes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "agent": False,
        "avatar_url": None,
        "contact": {},
        "deactivated_at": None,
        "email": None,
        "first_name": first,
        "last_name": last,
        "nickname": None,
        "role_id": None,
        "status_emoji": None,
        "status_expires_at": None,
        "status_text": None,
        "time_off_status_sync": True,
        "title": None,
        "archived_at": None,
        "autotracking": False,
        "joined_at": None,
        "last_seen_at": None,
        "invited_at": None,
        "is_user": False,
        "user_id": None,
        "tag_list": [],
        "virtual": False,
        "custom_fields": None,
        "placeholder": False,
        "two_factor_auth": False,
        "availabilities": "[]",
        "hrm_type_id": 2,
        "timesheet_submission_disabled": False,
        "time_unlocked": False,
        "time_tracking_policy_id": None,
        **attributes,
    }


def _employment(calendar: Calendar, fortnight: tuple[int, ...], holidays: int) -> dict[str, Any]:
    return {
        "hrm_type_id": 1,
        "joined_at": calendar.ago(900),
        "last_seen_at": calendar.ago(0, 8),
        "availabilities": json.dumps([["2023-02-06", None, list(fortnight), holidays]]),
    }


def _employee(
    calendar: Calendar,
    organization: str,
    attributes: dict[str, Any],
    *,
    user: str,
    manager: str | None,
    has_user: bool = False,
) -> Iterator[Record]:
    attributes |= {"is_user": True, "user_id": int(user)}
    number = attributes.pop("id")
    own = "7009" if organization == NORTHLIGHT else "7101"
    yield Record(
        "people",
        number,
        organization,
        attributes,
        {
            "company": Ref("companies", own),
            "manager": None if manager is None else Ref("people", manager),
        },
    )
    if not has_user:
        yield _user(calendar, organization, attributes, user)
    # Measured: the membership has the person's id.
    yield Record(
        "organization_memberships",
        number,
        organization,
        {
            "role_id": attributes["role_id"],
            "position": None,
            "time_reminders": True,
            "email_notifications": True,
            "granular_notification_preferences": _notifications(attributes["email"]),
            "updated_at": calendar.ago(3),
        },
        {"person": Ref("people", number), "user": Ref("users", user)},
    )


def _user(calendar: Calendar, organization: str, person: dict[str, Any], number: str) -> Record:
    return Record(
        "users",
        number,
        organization,
        {
            "email": person["email"],
            "first_name": person["first_name"],
            "last_name": person["last_name"],
            "locale": "en_US",
            "time_zone": _TIME_ZONES.get(number, _TIME_ZONE_OF[organization]),
            "avatar_url": None,
            "two_factor_auth": False,
            "default_organization_id": int(organization),
            "updated_at": calendar.ago(30),
        },
    )


def _others() -> Iterator[Record]:
    contacts = (
        ("9121", "Ana", "Bauer", "ana.bauer@blueharbor.example", "7001"),
        ("9122", "Nils", "Extern", "nils.extern@northlight.example", "7002"),
    )
    for number, first, last, email, company in contacts:
        attributes = _person(number, first, last, email=email)
        del attributes["id"]
        relations = {"company": Ref("companies", company), "manager": None}
        yield Record("people", number, NORTHLIGHT, attributes, relations)
    for number, first, last, mark in (
        ("9131", "Designer", "(placeholder)", "placeholder"),
        ("9132", "Planning", "Assistant", "agent"),
    ):
        attributes = _person(number, first, last, hrm_type_id=1, **{mark: True})
        del attributes["id"]
        yield Record("people", number, NORTHLIGHT, attributes, {"company": None, "manager": None})


def _harbour(calendar: Calendar) -> Iterator[Record]:
    # One user, two memberships: the director's address is that of the first company.
    for number, first, last, email, title, role, user in (
        ("9201", "Petra", "Novak", "petra.novak@northlight.example", "Board", ADMIN, "5101"),
        ("9202", "Grace", "Holt", "grace.holt@harbour.example", "Researcher", MEMBER, "5202"),
    ):
        employment = _employment(calendar, (*_FULL, *_FULL), 72)
        yield from _employee(
            calendar,
            HARBOUR,
            _person(number, first, last, email=email, title=title, role_id=role, **employment),
            user=user,
            manager=None if role == ADMIN else "9201",
            has_user=role == ADMIN,
        )


def _plain(name: str) -> str:
    return name.lower().translate(_LETTERS)


def _notifications(email: str) -> dict[str, Any]:
    # A real membership weighs about 10 KB for this part alone; whoever asks without `fields` pays.
    channels = {"app": True, "push": True, "email": email, "slack": True, "teams": True}
    topics = ("deals", "tasks", "people", "budgets", "invoices", "projects", "reminders", "notes")
    events = ("created", "updated", "comments", "mentions", "sharing", "assigned", "due")
    return {topic: {event: dict(channels) for event in events} for topic in topics}
