"""The people of both organizations, with their users, memberships, teams and cost rates.

The traps: two "Ana", "Luka" and "Luca", letters outside ASCII, a contact with a mail domain of the
staff, a client with a login, a director who belongs to both organizations, a newcomer without a
cost rate, time zones by the names of Rails.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from productive_dev.simulator.access import ADMIN, CLIENT, MANAGER, MEMBER
from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.seed.build import build, to
from productive_dev.simulator.seed.calendar import Calendar
from productive_dev.simulator.seed.organizations import HARBOUR, NORTHLIGHT, ORGANIZATIONS

__all__ = ["DEACTIVATED", "HARBOUR", "NORTHLIGHT", "STAFF", "people"]

_FULL: Final = (8, 8, 8, 8, 8, 0, 0)
_SHORT_DAYS: Final = (6, 6, 6, 6, 6, 0, 0)
_FOUR_DAYS: Final = (8, 8, 8, 8, 0, 0, 0)
_HIRED: Final = "2023-02-06"


class Employee(NamedTuple):
    """A row of the table of employees."""

    number: str
    first: str
    last: str
    title: str
    role: int
    odd: tuple[int, ...] = _FULL
    even: tuple[int, ...] | None = None
    """Hours of every other week, where they differ."""
    organization: str = NORTHLIGHT
    team: str | None = None
    cost: int = 3500
    """Of an hour, in minor units."""


STAFF: Final = (
    Employee("9101", "Petra", "Novak", "Managing Director", ADMIN, cost=9000),
    Employee("9102", "Jonas", "Weiß", "Senior Developer", MEMBER, team="2202"),
    Employee("9103", "Marko", "Čavić", "Project Manager", MANAGER, team="2203"),
    Employee("9104", "Ana", "Kovač", "Senior Designer", MEMBER, team="2201"),
    Employee("9105", "Ana", "Horvat", "Developer", MEMBER, even=_FOUR_DAYS, team="2202"),
    Employee("9106", "Luka", "Babić", "Designer", MEMBER, odd=_SHORT_DAYS, team="2201"),
    Employee("9107", "Luca", "Moretti", "Developer", MEMBER, team="2202"),
    Employee("9108", "Mia", "Dorn", "Finance", MEMBER, odd=_FOUR_DAYS),
    Employee("9110", "Ivo", "Perić", "Developer", MEMBER),
    Employee("9111", "Sofia", "Marin", "Producer", MEMBER, team="2203"),
    Employee("9112", "Tomislav", "Kralj", "Designer", MEMBER),
    Employee("9201", "Petra", "Novak", "Board", ADMIN, organization=HARBOUR),
    Employee("9202", "Grace", "Holt", "Researcher", MEMBER, organization=HARBOUR),
)
DEACTIVATED: Final = "9110"
_NEWCOMER: Final = "9112"
_STRICT_POLICY: Final = {"9106": 502}
"""People with a policy of their own."""
_TIME_ZONES: Final = {"9107": "America/New_York", "9111": "Eastern Time (US & Canada)"}
"""People whose time zone is not the organization's."""
_TEAMS: Final = (("2201", "Design"), ("2202", "Development"), ("2203", "Delivery"))
_LETTERS: Final = {ord("č"): "c", ord("ć"): "c", ord("š"): "s", ord("ß"): "ss"}
_ZONE_OF: Final = {row.number: row.time_zone for row in ORGANIZATIONS}
_COMPANY_OF: Final = {row.number: row.company for row in ORGANIZATIONS}
_ADDRESSES: Final = {
    # One user, two memberships: the director's address is that of the first company.
    "9201": "petra.novak@northlight.example",
    "9202": "grace.holt@harbour.example",
}
_USERS: Final = {"9201": "5101", "9202": "5202"}


def people(calendar: Calendar) -> Iterator[Record]:
    """Yield people, users, memberships, teams and cost rates."""
    for row in STAFF:
        yield from _employee(calendar, row)
    yield from _others(calendar)
    yield from _teams()


def address(row: Employee) -> str:
    """Return an employee's mail address."""
    return _ADDRESSES.get(row.number, f"{_plain(row.first)}.{_plain(row.last)}@northlight.example")


def _employee(calendar: Calendar, row: Employee) -> Iterator[Record]:
    user = _USERS.get(row.number, str(int(row.number) - 4000))
    yield build(
        "people",
        row.number,
        row.organization,
        _person(
            calendar,
            row.first,
            row.last,
            email=address(row),
            title=row.title,
            role_id=row.role,
            hrm_type_id=1,
            is_user=True,
            user_id=int(user),
            joined_at=calendar.ago(900),
            last_seen_at=calendar.ago(0, 8),
            deactivated_at=calendar.ago(40) if row.number == DEACTIVATED else None,
            time_tracking_policy_id=_STRICT_POLICY.get(row.number),
            two_factor_auth=False,
        ),
        {
            "company": Ref("companies", _COMPANY_OF[row.organization]),
            "manager": to("people", _manager(row)),
            "subsidiary": Ref("subsidiaries", f"8{row.organization}"),
        },
    )
    yield from _login(
        calendar,
        row.number,
        row.organization,
        user=user,
        role=row.role,
        email=address(row),
        names=row,
    )
    yield _cost_rate(calendar, row)


def _login(
    calendar: Calendar,
    person: str,
    organization: str,
    *,
    user: str,
    role: int,
    email: str,
    names: Any,
) -> Iterator[Record]:
    # A user belongs to the organization that they joined first.
    home = NORTHLIGHT if user == "5101" else organization
    yield build(
        "users",
        user,
        home,
        {
            "email": email,
            "first_name": names.first,
            "last_name": names.last,
            "time_zone": _TIME_ZONES.get(person, _ZONE_OF[home]),
            "default_organization_id": int(home),
            "updated_at": calendar.ago(30),
        },
    )
    # Measured: the membership has the person's id.
    yield build(
        "organization_memberships",
        person,
        organization,
        {
            "role_id": role,
            "granular_notification_preferences": _notifications(email),
            "updated_at": calendar.ago(3),
        },
        {"person": Ref("people", person), "user": Ref("users", user)},
    )


def _cost_rate(calendar: Calendar, row: Employee) -> Record:
    started = calendar.days(14) if row.number == _NEWCOMER else _HIRED
    hours = [*row.odd, *row.even] if row.even else list(row.odd)
    return build(
        "salaries",
        f"61{row.number}",
        row.organization,
        {
            "started_on": started,
            "working_hours": hours,
            "alternating_hours": row.even is not None,
            "salary_type_id": 2,
            "cost": row.cost,
            "hourly_rate": row.cost,
        },
        {
            "person": Ref("people", row.number),
            "holiday_calendar": Ref(
                "holiday_calendars", "71" if row.organization == NORTHLIGHT else "72"
            ),
        },
    )


def _person(calendar: Calendar, first: str, last: str | None, **attributes: Any) -> dict[str, Any]:
    return {
        "first_name": first,
        "last_name": last,
        "hrm_type_id": 2,
        "color_id": "4",
        "created_at": calendar.ago(900),
        "last_activity_at": calendar.ago(1),
        **attributes,
    }


class _Names(NamedTuple):
    first: str
    last: str


def _others(calendar: Calendar) -> Iterator[Record]:
    for number, first, last, email, company in (
        ("9121", "Ana", "Bauer", "ana.bauer@blueharbor.example", "7001"),
        ("9122", "Nils", "Extern", "nils.extern@northlight.example", "7002"),
    ):
        attributes = _person(calendar, first, last, email=email)
        relations = {"company": Ref("companies", company)}
        yield build("people", number, NORTHLIGHT, attributes, relations)
    email = "klara.weber@blueharbor.example"
    client = _person(
        calendar, "Klara", "Weber", email=email, is_user=True, user_id=5123, role_id=CLIENT
    )
    yield build("people", "9123", NORTHLIGHT, client, {"company": Ref("companies", "7001")})
    names = _Names("Klara", "Weber")
    yield from _login(
        calendar, "9123", NORTHLIGHT, user="5123", role=CLIENT, email=email, names=names
    )
    placeholder = _person(calendar, "Designer", None, hrm_type_id=1, placeholder=True)
    yield build("people", "9131", NORTHLIGHT, placeholder)
    agent = _person(calendar, "Planning", "Assistant", hrm_type_id=1, agent=True)
    yield build("people", "9132", NORTHLIGHT, agent)


def _teams() -> Iterator[Record]:
    for number, name in _TEAMS:
        yield build("teams", number, NORTHLIGHT, {"name": name})
    for position, row in enumerate(STAFF):
        if row.team is not None:
            yield build(
                "team_memberships",
                str(23000 + position),
                NORTHLIGHT,
                None,
                {"person": Ref("people", row.number), "team": Ref("teams", row.team)},
            )


def _manager(row: Employee) -> str | None:
    if row.organization == HARBOUR:
        return None if row.role == ADMIN else "9201"
    if row.role == ADMIN:
        return None
    return "9103" if row.role == MEMBER else "9101"


def _plain(name: str) -> str:
    return name.lower().translate(_LETTERS)


def _notifications(email: str) -> dict[str, Any]:
    # In a real membership this part alone has about 10 KB, which `fields` can leave out.
    channels = {"app": True, "push": True, "email": email, "slack": True, "teams": True}
    topics = ("deals", "tasks", "people", "budgets", "invoices", "projects", "reminders", "notes")
    events = ("created", "updated", "comments", "mentions", "sharing", "assigned", "due")
    return {topic: {event: dict(channels) for event in events} for topic in topics}
