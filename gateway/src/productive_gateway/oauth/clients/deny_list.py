"""Clients that the administrator has shut out, by id, by redirect host and by name.

An id holds for clients whose id stays the same: those with a metadata document and pre-registered
ones. One that registered itself gets another id by registering again, and any name it likes, so
for these the redirect host is what keeps somebody out; a name keeps out only a program that does
not hide.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from productive_gateway.grants.grant import CLIENT_PREFIX
from productive_gateway.oauth.clients.client import Client, client_label
from productive_gateway.oauth.clients.display_name import shown_name
from productive_gateway.oauth.clients.redirect_uri import RedirectUriError, parse_redirect_uri
from productive_gateway.oauth.errors import ErrorCode, OAuthError
from productive_gateway.web.json_object import JsonError, read_object

_MEMBERS: Final = frozenset({"clients", "hosts", "names"})
_LABEL = re.compile(rf"[0-9a-f]{{{CLIENT_PREFIX}}}")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[::1\]")


class ClientDenied(OAuthError):
    """The administrator has shut this client out."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            ErrorCode.INVALID_GRANT,
            "This app is not allowed here. Ask the administrator of this server.",
        )
        self.reason = "client_denied"
        self.client = client_label(client_id)
        """Hash prefix of its id, for audit lines."""


@dataclass(frozen=True, slots=True)
class DenyList:
    """Who may not connect, nor stay connected."""

    labels: frozenset[str] = frozenset()
    """Of client ids, as audit lines and the labels of grants name them."""
    hosts: frozenset[str] = frozenset()
    """Each with those below it."""
    names: frozenset[str] = frozenset()
    """As `_folded` returns them."""

    def check_id(self, client_id: str) -> None:
        """Refuse a client by its id, before anything is asked about it.

        Raises:
            ClientDenied: it is shut out.
        """
        if client_label(client_id) in self.labels:
            raise ClientDenied(client_id)

    def check(self, client: Client) -> None:
        """Refuse a client by its name or by a host.

        Raises:
            ClientDenied: it is shut out.
        """
        named = _folded(client.registration.name) in self.names
        if named or any(self._covers(host) for host in _hosts(client)):
            raise ClientDenied(client.client_id)

    def _covers(self, host: str) -> bool:
        labels = host.split(".")
        return any(".".join(labels[start:]) in self.hosts for start in range(len(labels)))


NOBODY: Final = DenyList()


def read_deny_list(text: str) -> DenyList:
    """Read the setting DENIED_CLIENTS.

    Raises:
        ValueError: it is malformed; `str()` says what to write.
    """
    form = (
        'write a JSON object such as {"clients": ["https://app.example/client.json"], '
        '"hosts": ["app.example"], "names": ["An App"]}'
    )
    try:
        document = read_object(text.encode())
    except JsonError as error:
        raise ValueError(form) from error
    if not document.keys() <= _MEMBERS or not all(_is_texts(given) for given in document.values()):
        raise ValueError(f"{form}, each with a list of strings")
    hosts = [host.lower() for host in document.get("hosts", [])]
    if not all(map(_HOST.fullmatch, hosts)):
        raise ValueError(
            "write hosts alone, without https://, port and path; each also covers those below it"
        )
    return DenyList(
        labels=frozenset(map(_label, document.get("clients", []))),
        hosts=frozenset(hosts),
        names=frozenset(map(_folded, document.get("names", []))),
    )


def _is_texts(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(one, str) and one.strip() for one in given)


def _label(given: str) -> str:
    return given if _LABEL.fullmatch(given) else client_label(given)


def _folded(name: str) -> str:
    """Return a name so that two that look the same on the consent page are mostly the same."""
    return unicodedata.normalize("NFKC", shown_name(name)).casefold()


def _hosts(client: Client) -> set[str]:
    """Return the hosts that a client has redirects to, and that of its metadata document."""
    hosts = {urlsplit(client.client_id).hostname or ""} if "://" in client.client_id else set()
    for text in client.registration.redirect_uris:
        try:
            hosts.add(parse_redirect_uri(text).host)
        except RedirectUriError:
            continue  # it cannot be used
    return hosts - {""}
