"""Redirect URIs of clients: which may be registered, and when two are the same.

Pure. OAuth 2.1 2.3.1 and 8.4.2, RFC 8252 7.3 and 8.3, RFC 9700 4.1. A URI is parsed by a grammar
that is narrower than RFC 3986, so that no browser reads it in another way than we do, and compared
as text. The one exception is the port of an http loopback URI, which a program on the
person's machine learns only when it starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from productive_gateway.oauth.clients.uri_syntax import (
    MAX_LENGTH,
    are_dns_labels,
    has_dot_segment,
    has_uri_characters,
)


class RedirectUriError(ValueError):
    """The URI must not be registered; `str()` says why."""


class RedirectKind(StrEnum):
    """Where a redirect leads."""

    WEB = "web"
    """https, to a host."""
    LOOPBACK = "loopback"
    """http, to a program on the person's own machine."""
    PRIVATE_USE = "private-use"
    """A scheme that some program may have claimed: it may be registered, and is used only if the
    administrator allows it."""


@dataclass(frozen=True, slots=True)
class RedirectUri:
    """A URI and its parts, as they are written in it."""

    text: str
    kind: RedirectKind
    scheme: str
    host: str
    """Lower case; IPv6 with its brackets."""
    port: str
    """Digits, or empty."""
    rest: str
    """Path and query."""

    @property
    def shown(self) -> str:
        """The whole address without its query, for a person to read."""
        return self.text.partition("?")[0]

    @property
    def shown_host(self) -> str:
        """Host and port for a person to read; an internationalised name is xn--….

        Of a private-use URI it is the scheme: what comes after that may have any meaning.
        """
        if self.kind is RedirectKind.PRIVATE_USE:
            return f"{self.scheme}:"
        return f"{self.host}:{self.port}" if self.port else self.host


_URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*):(?P<rest>.*)")
_AUTHORITY = re.compile(r"(?P<host>[a-z0-9.-]+|\[::1\])(?::(?P<port>[0-9]{1,5}))?")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LOOPBACK = re.compile(rf"localhost|127\.{_OCTET}\.{_OCTET}\.{_OCTET}|\[::1\]")
_OWN_PARAMETER = re.compile(r"(?:^|&)(?:code|state|iss|error|error_description)(?:=|&|$)")
_DANGEROUS: Final = frozenset(
    {
        # Schemes that browsers or systems act on themselves, by which a code would be handed to a
        # page, a file or any program; `ws` and the rest speak to hosts as http does.
        *("javascript", "vbscript", "data", "blob", "file", "filesystem", "about", "view-source"),
        *("intent", "android-app", "content", "chrome", "chrome-extension", "moz-extension"),
        *("ftp", "ftps", "sftp", "ws", "wss", "ssh", "telnet", "ldap", "gopher", "mailto", "tel"),
        *("sms", "jar", "resource", "res", "ms-its", "mhtml", "livescript", "mocha", "cid", "mid"),
    }
)


def parse_redirect_uri(text: str) -> RedirectUri:
    """Parse a redirect URI.

    Raises:
        RedirectUriError: it must be neither registered nor used.
    """
    if not 1 <= len(text) <= MAX_LENGTH:
        raise RedirectUriError(f"a redirect URI must have 1 to {MAX_LENGTH} characters")
    if "#" in text:
        raise RedirectUriError("a redirect URI must have no fragment")
    if not has_uri_characters(text):
        raise RedirectUriError("a redirect URI must be written in the characters of RFC 3986")
    match = _URI.fullmatch(text)
    if match is None:
        raise RedirectUriError("a redirect URI must be absolute, with its scheme in lower case")
    scheme, rest = match["scheme"], match["rest"]
    if scheme in _DANGEROUS:
        raise RedirectUriError(f"a redirect URI must not have the scheme {scheme}")
    if scheme not in {"http", "https"}:
        _check_query(rest.partition("?")[2])
        return RedirectUri(text, RedirectKind.PRIVATE_USE, scheme, "", "", rest)
    return _of_host(text, scheme, rest)


def same_redirect_uri(registered: RedirectUri, given: RedirectUri) -> bool:
    """Whether the two are the same text, apart from the port if both are loopback URIs."""
    if registered.kind is RedirectKind.LOOPBACK and given.kind is RedirectKind.LOOPBACK:
        return (registered.host, registered.rest) == (given.host, given.rest)
    return registered.text == given.text


def find_registered(registered: Iterable[str], given: str) -> RedirectUri | None:
    """Return `given`, parsed, if it is one of the registered URIs."""
    try:
        uri = parse_redirect_uri(given)
        known = [parse_redirect_uri(text) for text in registered]
    except RedirectUriError:
        return None
    return uri if any(same_redirect_uri(one, uri) for one in known) else None


def _of_host(text: str, scheme: str, rest: str) -> RedirectUri:
    if not rest.startswith("//"):
        raise RedirectUriError("a redirect URI must name a host")
    end = min((at for at in (rest.find("/", 2), rest.find("?", 2)) if at >= 0), default=len(rest))
    # No user information, no upper case, no other form of a number: one spelling, one meaning.
    authority = _AUTHORITY.fullmatch(rest[2:end])
    if authority is None:
        raise RedirectUriError(
            "a redirect URI must name a plain host in lower case, without user information"
        )
    host, port = authority["host"], authority["port"] or ""
    if port and not 1 <= int(port) <= 65535:
        raise RedirectUriError("a redirect URI must have a port between 1 and 65535")
    loopback = _LOOPBACK.fullmatch(host) is not None
    if not loopback and not are_dns_labels(host.split(".")):
        raise RedirectUriError("a redirect URI must name a host as DNS does")
    if scheme == "http" and not loopback:
        raise RedirectUriError(
            "a redirect URI must be https, or http to localhost, 127.0.0.1 or [::1]"
        )
    path, _, query = rest[end:].partition("?")
    if has_dot_segment(path):
        raise RedirectUriError("a redirect URI must have no . or .. in its path")
    _check_query(query)
    kind = RedirectKind.LOOPBACK if scheme == "http" else RedirectKind.WEB
    return RedirectUri(text, kind, scheme, host, port, rest[end:])


def _check_query(query: str) -> None:
    if _OWN_PARAMETER.search(query):
        raise RedirectUriError("a redirect URI must not have parameters that belong to the answer")
