"""The owner of a token: asked before its first use, and again when the answer is too old.

`organization_memberships` lists the token's user in all organizations, whatever the header says;
the membership of the configured organization names the person. That person must be the `userId` of
the ProductiveUser: a wrong token behind the right e-mail is refused before it reads or writes
anything else (design invariant 12).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from productive_gateway.productive.wire.errors import WrongOrganization, WrongTokenOwner
from productive_gateway.productive.wire.jsonapi import Document, Resource
from productive_gateway.productive.working_hours import Availability, parse_availabilities
from productive_gateway.productive.zones import zone_of

PATH: Final = "/organization_memberships"
QUERY: Final = (
    ("include", "person,organization,user"),
    ("fields[organization_memberships]", "person,organization,user"),
    (
        "fields[people]",
        "first_name,last_name,email,user_id,availabilities,time_tracking_policy_id,time_unlocked",
    ),
    (
        "fields[organizations]",
        (
            "name,time_zone,time_tracking_policy_id,financial_month_locking_date,time_locking,"
            "time_locking_period_id,time_locking_interval"
        ),
    ),
    ("fields[users]", "time_zone"),
    ("page[size]", "200"),
)


@dataclass(frozen=True, slots=True)
class TimeLocks:
    """Which days of an organization take no more time entries."""

    until: date | None = None
    """Last day of the months that are closed in the books."""
    days: int | None = None
    """Age in days from which a day is probably closed."""

    def closed(self, day: date) -> bool:
        """Return whether the books of a day are closed."""
        return self.until is not None and day <= self.until

    def probably_closed(self, day: date, today: date) -> bool:
        """Return whether a day is so old that it is probably closed."""
        return self.days is not None and day < today - timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Identity:
    """The person behind a token, in one organization."""

    person_id: str
    name: str
    email: str | None
    organization_id: str
    organization_name: str
    time_zone: ZoneInfo
    time_zone_known: bool
    """False if Productive has no zone, or an unknown one; then the zone is UTC."""
    availabilities: tuple[Availability, ...]
    policy_id: str | None = None
    """The person's own time tracking policy."""
    company_policy_id: str | None = None
    """The policy of people who have no other."""
    time_locks: TimeLocks = TimeLocks()
    unlocked: bool = False
    """Whether closed days stay open for this person."""


def identity_of(document: Document, *, organization: str, user_id: int) -> Identity:
    """Return the person of `organization` in the answer.

    Args:
        document: answer to `PATH` with `QUERY`.
        organization: the organization's id.
        user_id: Productive's person id, from the ProductiveUser.

    Raises:
        WrongOrganization: the token's user is not in this organization.
        WrongTokenOwner: the token's user is another person of this organization.
    """
    for membership in document.records:
        place = membership.one("organization")
        if place is not None and place.id == organization:
            return _checked(document, membership, organization, user_id)
    raise WrongOrganization("no membership in this organization")


def _checked(document: Document, membership: Resource, organization: str, user_id: int) -> Identity:
    ref = membership.one("person")
    person = document.related(membership, "person")
    if ref is None or person is None:
        raise WrongOrganization("the membership names no person")
    if ref.id != str(user_id):
        # The most likely mistake: the number of the user account instead of the person.
        mistaken = person.whole("user_id") == user_id
        raise WrongTokenOwner(write_instead=ref.id if mistaken else None)
    place = document.related(membership, "organization")
    user = document.related(membership, "user")
    # The user's own zone comes before the organization's.
    zones = [zone_of(record.text("time_zone")) for record in (user, place) if record]
    zone = next((zone for zone in zones if zone is not None), None)
    names = (person.text("first_name"), person.text("last_name"))
    return Identity(
        person_id=ref.id,
        name=" ".join(name for name in names if name) or f"person {ref.id}",
        email=person.text("email"),
        organization_id=organization,
        organization_name=(place.text("name") if place else None) or f"organization {organization}",
        time_zone=zone or ZoneInfo("UTC"),
        time_zone_known=zone is not None,
        availabilities=parse_availabilities(person.attributes.get("availabilities")),
        policy_id=_policy(person),
        company_policy_id=_policy(place) if place else None,
        time_locks=_locks(place) if place else TimeLocks(),
        unlocked=person.flag("time_unlocked"),
    )


def _policy(record: Resource) -> str | None:
    number = record.whole("time_tracking_policy_id")
    return None if number is None else str(number)


_PERIODS: Final = {1: 1, 2: 7, 3: 31}
"""Days of `time_locking_period_id`; the numbers are inferred. A month is taken as the longest."""


def _locks(organization: Resource) -> TimeLocks:
    try:
        until = date.fromisoformat((organization.text("financial_month_locking_date") or "")[:10])
    except ValueError:
        until = None
    period = _PERIODS.get(organization.whole("time_locking_period_id") or 0)
    if not organization.flag("time_locking") or period is None:
        return TimeLocks(until)
    return TimeLocks(until, period * (organization.whole("time_locking_interval") or 1))
