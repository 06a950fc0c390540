"""The one way from a client_id to the client."""

from __future__ import annotations

from dataclasses import dataclass

from productive_gateway.oauth.clients.client import Client
from productive_gateway.oauth.clients.registered import read_client_id
from productive_gateway.sealing.keys import Keys


@dataclass(frozen=True, slots=True)
class Clients:
    """All clients that are known here."""

    keys: Keys
    issuer: str

    async def find(self, client_id: str) -> Client:
        """Return the client of that id.

        Raises:
            UnknownClient: there is none.
            Unavailable: this cannot be decided now.
        """
        return await read_client_id(self.keys, client_id, self.issuer)
