"""How clients find this server: the server card, and the catalog of this host that names it.

The card is an extension of MCP (SEP-2127, experimental-ext-server-card, schema v1); the catalog is
an AI Catalog with one entry. Both are public and the same for everybody. They say where the server
is and which revisions it speaks, and nothing about tools or people.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.routing import Route

from productive_gateway.mcp.config import McpConfig
from productive_gateway.mcp.identity import (
    DESCRIPTION,
    ICON,
    ICON_PATH,
    ICON_TYPE,
    NAME,
    server_info,
)
from productive_gateway.mcp.revision import SERVED
from productive_gateway.web.public_document import PublicDocument

CARD_TYPE: Final = "application/mcp-server-card+json"
CATALOG_TYPE: Final = "application/ai-catalog+json"
CATALOG_PATH: Final = "/.well-known/ai-catalog.json"
_SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json"
_CATALOG_VERSION: Final = "1.0"
"""As the extension's documentation has it; the catalog's own specification is still a candidate."""


def server_card(config: McpConfig) -> dict[str, Any]:
    """Return the server card."""
    info = server_info(config).model_dump(by_alias=True, mode="json", exclude_none=True)
    return {
        "$schema": _SCHEMA,
        **info,
        # The card's name is unique in the world; its last part is the name in serverInfo.
        "name": f"{_reversed(_host(config))}/{NAME}",
        "description": DESCRIPTION,
        "remotes": [
            {
                "type": "streamable-http",
                "url": config.resource,
                "supportedProtocolVersions": list(SERVED),
            }
        ],
    }


def catalog(config: McpConfig) -> dict[str, Any]:
    """Return the catalog of this host: its one entry leads to the card."""
    return {
        "specVersion": _CATALOG_VERSION,
        "entries": [
            {
                "identifier": f"urn:air:{_host(config)}:mcp:{NAME}",
                "type": CARD_TYPE,
                "url": f"{config.resource}/server-card",
            }
        ],
    }


def discovery_routes(config: McpConfig) -> list[Route]:
    """Return the routes of the card, of the catalog and of the icon that the card names."""
    return [
        Route("/mcp/server-card", PublicDocument(_json(server_card(config)), CARD_TYPE)),
        Route(CATALOG_PATH, PublicDocument(_json(catalog(config)), CATALOG_TYPE)),
        Route(ICON_PATH, PublicDocument(ICON, ICON_TYPE)),
    ]


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _host(config: McpConfig) -> str:
    """Return the host of the public URL; colons of an IPv6 address would have another meaning."""
    return (urlsplit(config.public_url).hostname or "").replace(":", "-")


def _reversed(host: str) -> str:
    """Return a host with its labels in reverse order, as in the names of packages."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return ".".join(reversed(host.split(".")))
    return host
