"""From an access token to the principal, for every request to /mcp.

The token leads to a grant, and the grant's uid to a person of the current mapping. InvalidToken
makes a client discard its tokens, so a person gets it only if they are absent from a complete
mapping or their sign-in was ended; a mapping that cannot be read raises Unavailable. While the
grant is in the index, nothing here calls the API server or the provider.
"""

from __future__ import annotations

from productive_contract.mapping import Person
from productive_gateway.errors import AccessDenied, InvalidToken
from productive_gateway.grants.service import Grants, LiveGrant
from productive_gateway.observability.audit import Event, audit
from productive_gateway.people.admission import Denial, check
from productive_gateway.people.principal import Principal
from productive_gateway.people.snapshot import People


class Authenticator:
    """Decides whom a request acts as."""

    def __init__(
        self,
        grants: Grants,
        people: People,
        *,
        denied: frozenset[str] = frozenset(),
        admin_contact: str | None = None,
    ) -> None:
        """Connect the parts.

        Args:
            grants: judge the token.
            people: the current mapping.
            denied: labels of clients that the administrator has shut out.
            admin_contact: whom people are told to ask.
        """
        self._denied = denied
        self._grants = grants
        self._people = people
        self._whom_to_ask = admin_contact or "the administrator of this server"

    async def authenticate(self, access_token: str) -> Principal:
        """Return the principal of an access token.

        A person without a usable Productive token is let through: the tools explain what is wrong.

        Raises:
            InvalidToken: the token is not valid, its client is shut out, its person is gone, or its
                sign-in was ended.
            AccessDenied: the person is suspended.
            Unavailable: it cannot be decided now.
        """
        grant = await self._grants.authenticate(access_token)
        if grant.client in self._denied:
            raise InvalidToken(
                f"This app is not allowed here any more. Ask {self._whom_to_ask}.",
                reason="client_denied",
            )
        person = self._people.snapshot().person(grant.user_uid)
        denial = check(person, grant.auth_time)
        if person is None or denial is Denial.PERSON_GONE:
            raise InvalidToken(
                "This sign-in belongs to somebody who has no access any more. "
                f"Ask {self._whom_to_ask}, then sign in again.",
                reason=Denial.PERSON_GONE.value,
            )
        if denial is Denial.REVOKED_BEFORE:
            raise InvalidToken(
                "This sign-in was ended by an administrator. Sign in again.", reason=denial.value
            )
        if denial is Denial.SUSPENDED:
            raise self._suspended(person, grant)
        return Principal(person=person, grant=grant.name, client=grant.client, scopes=grant.scopes)

    def _suspended(self, person: Person, grant: LiveGrant) -> AccessDenied:
        audit(
            Event.TOKEN_REFUSED,
            reason=Denial.SUSPENDED.value,
            email=person.email,
            user=person.user,
            grant=grant.name,
            client=grant.client,
        )
        return AccessDenied(
            f"Access for {person.email} is suspended. Ask {self._whom_to_ask} to lift the "
            "suspension; signing in again does not help.",
            reason=Denial.SUSPENDED.value,
        )
