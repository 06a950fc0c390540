"""From an access token to the person it acts as, on every request to /mcp.

A grant says which person signed in and when; the mapping says what that person may do now. Only
somebody who is positively absent from a complete mapping is turned away for good (401, and the
client throws its tokens away); a mapping that cannot be read is our own trouble and raises
Unavailable. Nothing here reads the API server or the upstream.
"""

from __future__ import annotations

from typing import Protocol

from productive_contract.mapping import Person, State
from productive_gateway.errors import AccessDenied, InvalidToken
from productive_gateway.observability.audit import Event, audit
from productive_gateway.people.principal import Principal
from productive_gateway.people.snapshot import People


class LiveGrant(Protocol):
    """What is known of a grant that is alive."""

    @property
    def name(self) -> str: ...
    @property
    def user_uid(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def scopes(self) -> frozenset[str]: ...
    @property
    def auth_time(self) -> float: ...


class LiveGrants(Protocol):
    """Where an access token is opened."""

    async def authenticate(self, access_token: str, /) -> LiveGrant:
        """Return the grant that the token belongs to.

        Raises:
            InvalidToken: malformed, expired, revoked.
            Unavailable: it cannot be told now.
        """
        ...


class Gatekeeper:
    """Decides who a request acts as."""

    def __init__(
        self, grants: LiveGrants, people: People, *, admin_contact: str | None = None
    ) -> None:
        self._grants = grants
        self._people = people
        self._whom_to_ask = admin_contact or "the administrator of this server"

    async def authenticate(self, access_token: str) -> Principal:
        """Return the person behind a token.

        A person without a usable Productive token passes: the tools say what is wrong.

        Raises:
            InvalidToken: the token is no use, its person is gone, or its sign-in was revoked.
            AccessDenied: the person is suspended.
            Unavailable: it cannot be told now.
        """
        grant = await self._grants.authenticate(access_token)
        person = self._people.snapshot().by_uid.get(grant.user_uid)
        if person is None:
            raise InvalidToken(
                "This sign-in belongs to somebody who has no access any more. "
                f"Ask {self._whom_to_ask}, then sign in again.",
                reason="person_gone",
            )
        if _revoked(person, grant.auth_time):
            raise InvalidToken(
                "This sign-in was ended by an administrator. Sign in again.",
                reason="revoked_before",
            )
        if person.state is State.SUSPENDED:
            audit(
                Event.TOKEN_REFUSED,
                reason="suspended",
                email=person.email,
                user=person.user,
                grant=grant.name,
                client=grant.client,
            )
            raise AccessDenied(
                f"Access for {person.email} is suspended. Ask {self._whom_to_ask} to lift it; "
                "signing in again does not help.",
                reason="suspended",
            )
        return Principal(person=person, grant=grant.name, client=grant.client, scopes=grant.scopes)


def _revoked(person: Person, auth_time: float) -> bool:
    moment = person.revoked_before
    return moment is not None and moment.timestamp() > auth_time
