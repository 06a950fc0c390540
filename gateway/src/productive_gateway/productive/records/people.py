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


class Person(PersonRef):
    """A person: a colleague, a contact of a client, a placeholder or an agent."""

    email: str | None = has.ident("email", default=None, label="")
    title: str | None = has.name("title", default=None)
    kind: str | None = has.word("hrm_type_id", {1: "employee", 2: "contact"}, label="")
    placeholder: bool = has.flag("placeholder")
    agent: bool = has.flag("agent")
    deactivated: bool = has.flag("deactivated_at")
    archived: bool = has.flag("archived_at")
    manager: PersonRef | None = has.one(lambda: PersonRef, "manager")
    company: CompanyRef | None = has.one(lambda: CompanyRef, "company")
    teams: tuple[TeamRef, ...] = has.many(lambda: TeamRef, "teams")

    @property
    def active(self) -> bool:
        """Whether the person is neither deactivated nor archived."""
        return not (self.deactivated or self.archived)


class KnownPerson(PersonRef):
    """A person as far as it is needed to find one by name."""

    email: str | None = has.ident("email", default=None, label="")
    deactivated: bool = has.flag("deactivated_at")
    archived: bool = has.flag("archived_at")
    company: CompanyRef | None = has.one(lambda: CompanyRef, "company")
