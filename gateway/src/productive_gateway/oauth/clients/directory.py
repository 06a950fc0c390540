"""The one way from a client_id to the client."""

from __future__ import annotations

from dataclasses import dataclass

from productive_gateway.oauth.clients.client import Client
from productive_gateway.oauth.clients.document_url import is_document_id
from productive_gateway.oauth.clients.metadata_documents import MetadataDocuments
from productive_gateway.oauth.clients.registered import read_client_id
from productive_gateway.sealing.keys import Keys


@dataclass(frozen=True, slots=True)
class Clients:
    """All clients that are known here."""

    keys: Keys
    issuer: str
    documents: MetadataDocuments | None = None
    """None: no document of a client is fetched."""

    async def find(self, client_id: str) -> Client:
        """Return the client of that id.

        Raises:
            UnknownClient: there is none.
            DocumentNotAllowed: its id is an address that this server fetches nothing from.
            DocumentRefused: its id is the address of a document that breaks a rule.
            Unavailable: this cannot be decided now.
        """
        if self.documents is not None and is_document_id(client_id):
            return await self.documents.find(client_id)
        return await read_client_id(self.keys, client_id, self.issuer)
