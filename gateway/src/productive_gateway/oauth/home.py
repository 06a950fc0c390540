"""GET /: what this server is, and how to connect a client to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from productive_contract.mapping import State
from productive_gateway.errors import Unavailable
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.web.pages import connect_page


@dataclass(frozen=True, slots=True)
class HomeHandler:
    """The start page. In local mode it also says what runs here and who may sign in."""

    context: OAuthContext
    parts: Sequence[tuple[str, str]] = ()
    """The services that this server uses, by name and address."""

    async def get(self, request: Request) -> Response:
        """Show the page."""
        config = self.context.config
        # A page elsewhere can point a name of its own at this machine; it must not read who works
        # here.
        own = config.local and request.headers.get("host") == config.host
        return connect_page(
            config.resource,
            connections=config.connections_url,
            admin_contact=config.admin_contact,
            people=self._people() if own else (),
            parts=self.parts if own else (),
        )

    def _people(self) -> list[str]:
        try:
            people = self.context.people.snapshot().by_email.values()
        except Unavailable:
            return []
        return sorted(person.email for person in people if person.state is not State.SUSPENDED)
