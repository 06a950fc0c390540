"""Answers that are the same for many people: serialised once, then sent as bytes.

`tools/list` and `server/discover` depend only on the protocol revision and on what a person may
use. Each is serialised once, by the SDK's own rules; after that only the request's id is inserted.
A request that is unusual in any respect goes to the SDK, which reports what is wrong with it.
"""

from __future__ import annotations

import json
from typing import Any, Final

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.server import Server
from mcp_types import methods
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from productive_gateway.mcp.instructions import instructions_for
from productive_gateway.mcp.message import Message
from productive_gateway.mcp.plain import plain_revision
from productive_gateway.mcp.server import listed
from productive_gateway.people.principal import Principal
from productive_gateway.tools.kit.access import Allowed
from productive_gateway.tools.registry import ToolRegistry
from productive_gateway.web.headers import RawHeaders

Pieces = tuple[bytes, ...]
"""Of an answer: a list of tools is long, and need not be copied for each id."""

_METHODS: Final = frozenset({"tools/list", "server/discover"})


class PrebuiltAnswers:
    """Serialised answers by revision, method and what the person may use."""

    def __init__(self, server: Server[dict[str, Any]], registry: ToolRegistry) -> None:
        self._server = server
        self._registry = registry
        self._answers: dict[tuple[str, str, Allowed], bytes] = {}

    def answer(self, principal: Principal, headers: RawHeaders, message: Message) -> Pieces | None:
        """Return the JSON-RPC answer to a message of valid form; None if the SDK answers."""
        method = message.get("method")
        if method not in _METHODS or "id" not in message:
            return None
        params = message.get("params")
        if isinstance(params, dict) and params.get("cursor") is not None:
            return None
        version = plain_revision(headers, message)
        if version is None:
            return None
        result = self._result(method, version, self._registry.allowed(principal.person))
        if result is None:
            return None
        number = message["id"]
        written = b"%d" % number if type(number) is int else json.dumps(number).encode()
        return b'{"jsonrpc":"2.0","id":%s,"result":' % written, result, b"}"

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
