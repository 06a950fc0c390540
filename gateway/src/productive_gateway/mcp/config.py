"""Configuration of the MCP endpoint."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from productive_gateway.mcp.flood import MOST_TOGETHER
from productive_gateway.mcp.subscriptions import MOST_STREAMS_TOGETHER
from productive_gateway.web.loopback import LOOPBACK

MAX_BODY: Final = 4 * 1024 * 1024

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class McpConfig:
    """What the composition root passes to the endpoint."""

    public_url: str
    """Origin of this server as clients reach it, without a trailing slash."""
    resource: str
    """URL of the endpoint: the audience of every access token."""
    resource_metadata_url: str
    """URL of the document that tells a client how to sign in (RFC 9728)."""
    allowed_origins: Collection[str] = field(default_factory=tuple)
    """Further origins of web pages that may call; the public origin always may."""
    local: bool = False
    """Local mode: loopback hosts and origins are allowed as well."""
    server_version: str = "0"
    most_requests: int = MOST_TOGETHER
    """Requests that are answered at the same time, streams excepted."""
    most_streams: int = MOST_STREAMS_TOGETHER
    """Streams of subscriptions that are open at the same time."""

    def serves_host(self, host: str) -> bool:
        """Return whether a Host header names this server (against DNS rebinding)."""
        name, port = _host(host)
        if name is None:
            return False
        public_name, public_port, default = _public(self.public_url)
        if (name, port or default) == (public_name, public_port):
            return True
        return self.local and name in LOOPBACK

    def allows_origin(self, origin: str) -> bool:
        """Return whether a web page of this origin may call."""
        if origin == self.public_url or origin in self.allowed_origins:
            return True
        if not self.local or not origin.startswith(("http://", "https://")):
            return False
        name, _ = _host(origin.partition("://")[2])
        return name in LOOPBACK


@lru_cache(maxsize=16)
def _public(url: str) -> tuple[str | None, int | None, int | None]:
    """Return name and port of the public URL, and the port that its scheme has by default."""
    public = urlsplit(url)
    default = _DEFAULT_PORTS.get(public.scheme)
    return public.hostname, public.port or default, default


# The same few names come with every request.
@lru_cache(maxsize=256)
def _host(text: str) -> tuple[str | None, int | None]:
    """Split "name:port" or "[::1]:port"; (None, None) for anything else."""
    try:
        parts = urlsplit(f"//{text}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return None, None
    if parts.netloc != text or parts.username is not None or parts.path or not name:
        return None, None
    return name, port
