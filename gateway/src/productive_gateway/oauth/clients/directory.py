"""The one way from a client_id to the client."""

from __future__ import annotations

from dataclasses import dataclass

from productive_gateway.oauth.clients.client import ALL_KINDS, Client, ClientKind, UnknownClient
from productive_gateway.oauth.clients.deny_list import NOBODY, DenyList
from productive_gateway.oauth.clients.document_url import is_document_id
from productive_gateway.oauth.clients.metadata_documents import MetadataDocuments
from productive_gateway.oauth.clients.preregistered_file import PreregisteredClients
from productive_gateway.oauth.clients.registered import PREFIX, read_client_id
from productive_gateway.sealing.keys import Keys


@dataclass(frozen=True, slots=True)
class Clients:
    """All clients that are known here, of the kinds that may connect."""

    keys: Keys
    issuer: str
    documents: MetadataDocuments | None = None
    """None: no document of a client is fetched."""
    kinds: frozenset[ClientKind] = ALL_KINDS
    preregistered: PreregisteredClients | None = None
    denied: DenyList = NOBODY

    async def find(self, client_id: str) -> Client:
        """Return the client of that id.

        Raises:
            UnknownClient: there is none, or its kind is switched off.
            ClientDenied: the administrator has shut it out.
            DocumentNotAllowed: its id is an address that this server fetches nothing from.
            DocumentRefused: its id is the address of a document that breaks a rule.
            Unavailable: this cannot be decided now.
        """
        # Before its metadata document would be fetched.
        self.denied.check_id(client_id)
        client = await self._known(client_id)
        if client.kind not in self.kinds:
            raise UnknownClient
        self.denied.check(client)
        return client

    async def _known(self, client_id: str) -> Client:
        if client_id.startswith(PREFIX):
            return await read_client_id(self.keys, client_id, self.issuer)
        if self.preregistered is not None:
            named = self.preregistered.find(client_id)
            if named is not None:
                return named
        allowed = ClientKind.METADATA_DOCUMENT in self.kinds
        if self.documents is not None and allowed and is_document_id(client_id):
            return await self.documents.find(client_id)
        raise UnknownClient
