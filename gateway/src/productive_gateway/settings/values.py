"""Readers for the text of each variable; each raises ValueError that says what to write."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from productive_contract.mapping import MappingError, decode_document
from productive_contract.secret import Secret
from productive_gateway.networks import Network, parse_networks
from productive_gateway.oauth.clients.client import ClientKind
from productive_gateway.oauth.clients.document_url import DocumentUrlError, parse_document_url
from productive_gateway.oauth.clients.redirect_uri import (
    RedirectKind,
    RedirectUriError,
    parse_redirect_uri,
)
from productive_gateway.oauth.clients.uri_syntax import has_dot_segment
from productive_gateway.observability.audit import EmailStyle
from productive_gateway.tools.registry import TOOLSETS
from productive_gateway.web.caller_address import parse_proxies
from productive_gateway.web.loopback import LOOPBACK

LEVELS: Final = ("debug", "info", "warning", "error")

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = re.compile(rf"{_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?(/|(/[A-Za-z0-9._~-]+)+/?)?")
_NAMESPACE = re.compile(_LABEL)
_OBJECT_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_CONTACT_LENGTH: Final = 200
_MEMORY: Final = "memory:"
_KUBERNETES: Final = "kubernetes://"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A Secret by name; without a namespace it is in the gateway's own."""

    name: str
    namespace: str | None = None


def organization(text: str) -> str:
    """Read Productive's organization id."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(
            "write the number in the address of your Productive, as 1200 in "
            "https://app.productive.io/1200-company"
        )
    return text


def public_url(text: str) -> str:
    """Read the gateway's own origin, and return it in its canonical spelling."""
    parts = _absolute(text)
    if parts.path not in {"", "/"}:
        raise ValueError("write the address without a path: the gateway needs a host of its own")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("write an https address; plain http is for localhost only")
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme == "https" else 80
    port = "" if parts.port in {None, default} else f":{parts.port}"
    return f"{parts.scheme}://{name}{port}"


def service_url(text: str) -> str:
    """Read the URL of another service, unchanged: an issuer is compared byte for byte."""
    parts = _absolute(text)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("write an https address; plain http is for localhost only")
    return text


def collector(text: str) -> str:
    """Read the base address of a collector; inside of a cluster it often has no TLS."""
    _absolute(text)
    return text


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("write a number from 0 to 1, such as 0.1")
    return number


def is_plain_http(url: str) -> bool:
    """Whether a URL that was read here is http."""
    return urlsplit(url).scheme == "http"


def mapping(text: str) -> Secret | Path:
    """Read USER_MAPPING: the document itself, or its path."""
    if not text.lstrip().startswith("{"):
        return Path(text)
    try:
        decode_document(text.encode()).refuse_faults()
    except MappingError as error:
        raise ValueError(f"fix the JSON ({error}), or write the path of a file") from error
    return Secret(text)


def secret_ref(text: str) -> SecretRef:
    """Read `name` or `namespace/name`."""
    namespace, slash, name = text.rpartition("/")
    if not _OBJECT_NAME.fullmatch(name) or (slash and not _NAMESPACE.fullmatch(namespace)):
        raise ValueError("write the name of a Secret, or namespace/name")
    return SecretRef(name, namespace or None)


def service_name(text: str) -> str:
    """Read the name of a Service in the gateway's own namespace."""
    if not _NAMESPACE.fullmatch(text):
        raise ValueError("write the name of the gateway's Service, without its namespace")
    return text


def grants(text: str) -> str:
    """Read where grants are kept, and return the namespace, or "" for memory."""
    if text == _MEMORY:
        return ""
    namespace = text.removeprefix(_KUBERNETES)
    if namespace == text or not _NAMESPACE.fullmatch(namespace):
        raise ValueError("write kubernetes:// and a namespace, or memory: on your own machine")
    return namespace


def port(text: str) -> int:
    """Read a TCP port."""
    return _number(text, 1, 65535, what="port")


def keep_alive(text: str) -> int:
    """Read for how many seconds an unused connection is kept."""
    return _number(text, 1, 3600)


def connections(text: str) -> int:
    """Read how many connections may be open."""
    return _number(text, 100, 100_000)


def access_life(text: str) -> int:
    """Read for how many seconds an access token is good."""
    return _number(text, 10, 86_400)


def per_minute(text: str) -> int:
    """Read how often something may happen in a minute."""
    return _number(text, 0, 100_000)


def requests_per_half_hour(text: str) -> int:
    """Read how many requests an organization may send to Productive in 30 minutes."""
    return _number(text, 100, 10_000_000)


def proxies(text: str) -> tuple[Network, ...]:
    """Read addresses and ranges, separated by commas or spaces."""
    try:
        return parse_proxies(words(text))
    except ValueError as error:
        raise ValueError(
            "write the addresses or ranges of your ingress, such as 10.0.0.0/8, separated by "
            "commas; a range must begin at its first address, and cannot be everybody"
        ) from error


def flag(text: str) -> bool:
    """Read true or false."""
    match text.lower():
        case "true" | "1" | "yes":
            return True
        case "false" | "0" | "no":
            return False
        case _:
            raise ValueError("write true or false")


def toolsets(text: str) -> tuple[str, ...]:
    """Read groups of tools, separated by commas or spaces."""
    named = words(text)
    unknown = sorted(set(named) - set(TOOLSETS))
    if unknown or not named:
        raise ValueError(f"write some of {', '.join(TOOLSETS)}, separated by commas")
    return named


def level(text: str) -> str:
    """Read a log level."""
    if text.lower() not in LEVELS:
        raise ValueError(f"write one of {', '.join(LEVELS)}")
    return text.lower()


def email_style(text: str) -> EmailStyle:
    """Read how audit lines name addresses."""
    try:
        return EmailStyle(text.lower())
    except ValueError as error:
        raise ValueError(f"write one of {', '.join(EmailStyle)}") from error


def redirect_hosts(text: str) -> tuple[str, ...] | Literal["*"]:
    """Read hosts, each with a path or not, separated by commas or spaces."""
    if text == "*":
        return "*"
    hosts = words(text)
    if not all(_ADDRESS.fullmatch(host) and not has_dot_segment(host) for host in hosts):
        raise ValueError(
            "write hosts in lower case without https://, each with a path or not, separated by "
            "commas, such as claude.ai/api/mcp/auth_callback; name each one, patterns are not "
            "supported"
        )
    return hosts


def client_kinds(text: str) -> frozenset[ClientKind]:
    """Read which kinds of clients may connect, separated by commas or spaces."""
    kinds = words(text)
    if not kinds or not set(kinds) <= set(ClientKind):
        raise ValueError(f"write some of {', '.join(ClientKind)}, separated by commas")
    return frozenset(map(ClientKind, kinds))


def preregistered_clients(text: str) -> Secret | Path:
    """Read PREREGISTERED_CLIENTS: the list itself, or its path."""
    return Secret(text) if text.lstrip().startswith(("[", "{")) else Path(text)


def redirect_schemes(text: str) -> tuple[str, ...]:
    """Read private-use schemes and whole URIs of such, separated by commas or spaces."""
    problem = ValueError(
        "write schemes such as com.example.app, or whole addresses such as "
        "cursor://anysphere.cursor-mcp/oauth/callback, separated by commas; https addresses belong "
        "to REDIRECT_HOSTS"
    )
    schemes = words(text)
    for one in schemes:
        try:
            uri = parse_redirect_uri(one if ":" in one else f"{one}:/")
        except RedirectUriError as error:
            raise problem from error
        if uri.kind is not RedirectKind.PRIVATE_USE:
            raise problem
    return schemes


def document_hosts(text: str) -> tuple[str, ...] | Literal["*"]:
    """Read hosts, separated by commas or spaces, or `*`."""
    if text == "*":
        return "*"
    hosts = words(text)
    if not all(map(_describes_clients, hosts)):
        raise ValueError(
            "write public host names in lower case, separated by commas, such as claude.ai; * "
            "allows any"
        )
    return hosts


def networks(text: str) -> tuple[Network, ...]:
    """Read networks, separated by commas or spaces."""
    try:
        return parse_networks(words(text))
    except ValueError as error:
        raise ValueError(
            "write networks such as 203.0.113.0/24 or 2001:db8:1::/48, separated by commas"
        ) from error


def origins(text: str) -> tuple[str, ...]:
    """Read origins of web pages, separated by commas or spaces."""
    try:
        return tuple(public_url(word) for word in words(text))
    except ValueError as error:
        raise ValueError(
            "write origins such as https://inspector.example.com, separated by commas"
        ) from error


def required_claims(text: str) -> Mapping[str, tuple[str, ...]]:
    """Read the JSON object claim → value or list of values."""
    problem = ValueError(
        'write a JSON object such as {"hd": "example.com"}; a value may be a list of strings'
    )
    try:
        document = json.loads(text)
    except ValueError as error:
        raise problem from error
    if not isinstance(document, dict):
        raise problem
    claims = {}
    for name, value in document.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(one, str) and one for one in values):
            raise problem
        claims[name] = tuple(values)
    return claims


def ca_bundle(text: str) -> Path:
    """Read the path of a PEM file of authorities."""
    path = Path(text)
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as error:  # ssl.SSLError is one
        raise ValueError("write the path of a readable PEM file of certificates") from error
    return path


def proxy(text: str) -> Secret:
    """Read the address of a proxy, which may hold credentials."""
    problem = ValueError("write the proxy as http://proxy.example.com:3128")
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and bool(parts.hostname)
    except ValueError as error:
        raise problem from error
    if parts.scheme not in {"http", "https"} or not usable or not url.isascii() or " " in url:
        raise problem
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("write the proxy without a path")
    return Secret(url)


def contact(text: str) -> str:
    """Read whom people may ask for help: a line that is shown to them."""
    if len(text) > _CONTACT_LENGTH or not text.isprintable():
        raise ValueError(f"write one line of at most {_CONTACT_LENGTH} characters")
    return text


def credential(text: str) -> str:
    """Read a client id or secret."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("copy it again from the provider: it has spaces or odd characters")
    return text


def secret(text: str) -> Secret:
    """Read a secret."""
    return Secret(credential(text))


def secrets(text: str) -> tuple[Secret, ...]:
    """Read secrets separated by commas or spaces."""
    return tuple(Secret(word) for word in words(text))


def words(text: str) -> tuple[str, ...]:
    """Split at commas and white space."""
    return tuple(text.replace(",", " ").split())


def _describes_clients(host: str) -> bool:
    """Whether it is a host as the address of a client document has one."""
    try:
        return parse_document_url(f"https://{host}/client.json").host == host
    except DocumentUrlError:
        return False


def _number(text: str, least: int, most: int, *, what: str = "number") -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise ValueError(f"write a {what} between {least} and {most}")
    return int(text)


def _absolute(text: str) -> SplitResult:
    problem = ValueError("write an address such as https://mcp.example.com")
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise problem
    try:
        parts = urlsplit(text)
        usable = parts.port != 0 and bool(parts.hostname)
    except ValueError as error:
        raise problem from error
    if parts.scheme not in {"http", "https"} or not usable:
        raise problem
    if parts.username is not None or "?" in text or "#" in text:
        raise ValueError("write the address without user name, query and fragment")
    return parts
