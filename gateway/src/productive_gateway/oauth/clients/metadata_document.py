"""What a Client ID Metadata Document says about a client, read strictly.

Pure. draft-ietf-oauth-client-id-metadata-document-00, 4 and 4.1. A document is public, so a client
that has one holds no secret; the same rules as for a registration decide about the rest.
"""

from __future__ import annotations

from typing import Any, Final

from productive_gateway.oauth.clients.client import AuthMethod, Registration
from productive_gateway.oauth.clients.client_metadata import (
    check_flows,
    given_members,
    has_private_key,
    read_redirect_uris,
)
from productive_gateway.oauth.clients.display_name import UNNAMED, shown_name
from productive_gateway.oauth.errors import ErrorCode, OAuthError
from productive_gateway.web.json_object import JsonError, is_json, read_object

MAX_BYTES: Final = 5 * 1024
"""Of a document (draft 6.6)."""
MAX_URIS: Final = 50
_SECRETS: Final = ("client_secret", "client_secret_expires_at")


class MetadataDocumentError(ValueError):
    """The document breaks a rule; `reason` is a slug for logs and metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_document(raw: bytes, content_type: str, client_id: str) -> Registration:
    """Return what a document says.

    Whether any of its redirect URIs may be used here is decided where one is used.

    Args:
        raw: the document.
        content_type: its media type, as the answer's header says.
        client_id: the address that it was fetched from.

    Raises:
        MetadataDocumentError: it breaks a rule.
    """
    if not is_json(content_type):
        raise MetadataDocumentError("document_media_type")
    try:
        document = given_members(read_object(raw))
    except JsonError as error:
        raise MetadataDocumentError("document_json") from error
    # Character by character: who controls an address may speak for that address only.
    if document.get("client_id") != client_id:
        raise MetadataDocumentError("document_client_id")
    _check_public(document)
    try:
        redirect_uris = read_redirect_uris(document, limit=MAX_URIS)
        check_flows(document)
    except OAuthError as error:
        about_uris = error.code is ErrorCode.INVALID_REDIRECT_URI
        raise MetadataDocumentError(
            "document_redirect_uris" if about_uris else "document_flows"
        ) from error
    return Registration(_name(document), redirect_uris, AuthMethod.NONE, method_chosen=True)


def _check_public(document: dict[str, Any]) -> None:
    if any(name in document for name in _SECRETS) or has_private_key(document):
        raise MetadataDocumentError("document_secret")
    # A document that names no method cannot mean RFC 7591's default, which needs a secret.
    method = document.get("token_endpoint_auth_method", AuthMethod.NONE)
    if method == "private_key_jwt":
        raise MetadataDocumentError("document_private_key_jwt")
    if method != AuthMethod.NONE:
        raise MetadataDocumentError("document_auth_method")


def _name(document: dict[str, Any]) -> str:
    name = document.get("client_name")
    shown = shown_name(name) if isinstance(name, str) else UNNAMED
    if shown == UNNAMED:
        raise MetadataDocumentError("document_name")
    return shown
