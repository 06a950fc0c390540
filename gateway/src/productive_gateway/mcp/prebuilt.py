"""Answers that are the same for many people: serialised once, then sent as bytes.

`tools/list` and `server/discover` depend only on the protocol revision and on what a person may
use. Each is serialised once, by the SDK's own rules; after that only the request's id is inserted.
A request that is unusual in any respect goes to the SDK, which reports what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.server import Server
from mcp.shared.inbound import (
    MCP_PROTOCOL_VERSION_HEADER,
    InboundModernRoute,
    classify_inbound_request,
    find_duplicated_routing_header,
)
from mcp_types import methods
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from productive_gateway.mcp.instructions import instructions_for
from productive_gateway.mcp.revision import WITHOUT_HEADER
from productive_gateway.mcp.server import listed
from productive_gateway.people.principal import Principal
from productive_gateway.tools.kit.access import Allowed
from productive_gateway.tools.registry import ToolRegistry
from productive_gateway.web.headers import RawHeaders, accepts, single, values

_METHODS: Final = frozenset({"tools/list", "server/discover"})


class PrebuiltAnswers:
    """Serialised answers by revision, method and what the person may use."""

    def __init__(self, server: Server[dict[str, Any]], registry: ToolRegistry) -> None:
        self._server = server
        self._registry = registry
        self._answers: dict[tuple[str, str, Allowed], bytes] = {}

    def answer(
        self, principal: Principal, headers: RawHeaders, message: Mapping[str, Any]
    ) -> bytes | None:
        """Return the whole JSON-RPC answer to a message of valid form; None if the SDK answers."""
        method = message.get("method")
        if method not in _METHODS or "id" not in message:
            return None
        version = _revision(headers, message)
        if version is None or not _plain(method, version, headers, message):
            return None
        result = self._result(method, version, self._registry.allowed(principal.person))
        if result is None:
            return None
        return b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (
            json.dumps(message["id"]).encode(),
            result,
        )

    def _result(self, method: str, version: str, allowed: Allowed) -> bytes | None:
        key = (method, version, allowed)
        if key not in self._answers:
            made = self._make(method, version, allowed)
            if made is None:
                return None
            self._answers[key] = made
        return self._answers[key]

    def _make(self, method: str, version: str, allowed: Allowed) -> bytes | None:
        result: types.ListToolsResult | types.DiscoverResult
        if method == "tools/list":
            tools = [listed(tool) for tool in self._registry.listed(allowed)]
            result = types.ListToolsResult(tools=tools)
        else:
            result = types.DiscoverResult(
                supported_versions=list(MODERN_PROTOCOL_VERSIONS),
                capabilities=self._server.get_capabilities(protocol_version=version),
                instructions=instructions_for(allowed),
            )
        hint = self._server.cache_hints.get(method, CacheHint())
        result = result.model_copy(update={"ttl_ms": hint.ttl_ms, "cache_scope": hint.scope})
        dumped = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        try:
            shaped = methods.serialize_server_result(method, version, dumped)
        except KeyError:
            return None
        if version in MODERN_PROTOCOL_VERSIONS:
            shaped["_meta"] = {types.SERVER_INFO_META_KEY: self._server.server_info_stamp}
        return json.dumps(shaped, ensure_ascii=False, separators=(",", ":")).encode()


def _revision(headers: RawHeaders, message: Mapping[str, Any]) -> str | None:
    header = MCP_PROTOCOL_VERSION_HEADER.encode()
    if not values(headers, header):
        return WITHOUT_HEADER
    version = single(headers, header)
    if version in HANDSHAKE_PROTOCOL_VERSIONS:
        return version
    if version not in MODERN_PROTOCOL_VERSIONS:
        return None
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    if find_duplicated_routing_header(pairs) is not None:
        return None
    verdict = classify_inbound_request(message, headers=dict(pairs))
    return version if isinstance(verdict, InboundModernRoute) else None


def _plain(method: str, version: str, headers: RawHeaders, message: Mapping[str, Any]) -> bool:
    content_type = single(headers, b"content-type") or ""
    if content_type.split(";", 1)[0].strip().lower() != "application/json":
        return False
    if not accepts(headers, "application/json") or not accepts(headers, "text/event-stream"):
        return False
    params = message.get("params")
    if isinstance(params, dict) and params.get("cursor") is not None:
        return False
    try:
        methods.validate_client_request(method, version, params)
    except (KeyError, ValidationError, TypeError, ValueError):
        return False
    return True
