"""People, their teams, and the companies that they belong to."""

from __future__ import annotations

from typing import Final

from productive_gateway.productive.records import declared as has
from productive_gateway.productive.records.record import Record

ACTIVE: Final = {"status": "1"}
"""Filter for people, projects, companies, task lists and folders that are not archived."""
NAMES_LIFETIME: Final = 10 * 60
"""Seconds for which lists of names are remembered."""


class PersonRef(Record, type="people", link="person"):
    """A person by name."""

    name: str = has.name("first_name last_name")


class TeamRef(Record, type="teams"):
    """A team by name."""

    name: str = has.name("name")


class CompanyRef(Record, type="companies", link="company"):
    """A company by name."""

    name: str = has.name("name")


class KnownCompany(CompanyRef):
    """A company as far as it is needed to find one by name."""

    archived: bool = has.flag("archived_at")


class TeamMembership(Record, type="team_memberships"):
    """That a person belongs to a team."""

    person: PersonRef | None = has.one(lambda: PersonRef, "person")


class Colleague(PersonRef):
    """An employee, as lists show them."""

    title: str | None = has.name("title", default=None, label="")
    email: str | None = has.ident("email", default=None, label="")
    deactivated: bool = has.flag("deactivated_at")
    archived: bool = has.flag("archived_at")
    manager: PersonRef | None = has.one(lambda: PersonRef, "manager")
    teams: tuple[TeamRef, ...] = has.many(lambda: TeamRef, "teams")


class OtherPerson(PersonRef):
    """A contact of a client, a placeholder or an agent, as lists show them."""

    title: str | None = has.name("title", default=None, label="")
    email: str | None = has.ident("email", default=None, label="")
    deactivated: bool = has.flag("deactivated_at")
    archived: bool = has.flag("archived_at")
    company: CompanyRef | None = has.one(lambda: CompanyRef, "company", label="of")


class KnownPerson(PersonRef):
    """A person as far as it is needed to find one by name."""

    email: str | None = has.ident("email", default=None, label="")
    deactivated: bool = has.flag("deactivated_at")
    archived: bool = has.flag("archived_at")
    company: CompanyRef | None = has.one(lambda: CompanyRef, "company")
