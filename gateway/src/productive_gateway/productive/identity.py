"""The owner of a token: asked before its first use, and again when the answer is too old.

`organization_memberships` lists the token's user in all organizations, whatever the header says;
the membership of the configured organization names the person. That person must be the `userId` of
the ProductiveUser: a wrong token behind the right e-mail is refused before it reads or writes
anything else (design invariant 12).
"""

from __future__ import annotations

from dataclasses import dataclass
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
    ("fields[people]", "first_name,last_name,email,user_id,availabilities"),
    ("fields[organizations]", "name,time_zone"),
    ("fields[users]", "time_zone"),
    ("page[size]", "200"),
)


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
    )
