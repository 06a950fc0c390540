"""Whether a request is plain: one that every revision writes the same way, with nothing unusual.

A plain request can be answered without the SDK. What the SDK would refuse is never plain, nor is
anything that only the SDK understands: then the SDK gets the request, and reports what is wrong
with it. The SDK's own validators decide, so the two cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import mcp_types as types
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    InboundModernRoute,
    classify_inbound_request,
)
from mcp_types import methods
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from productive_gateway.mcp.message import Message
from productive_gateway.mcp.revision import WITHOUT_HEADER
from productive_gateway.web.headers import RawHeaders, accepts, single, values

_LONGEST_REMEMBERED: Final = 2_000
"""Characters of parameters whose verdict is remembered."""
_VERSION: Final = MCP_PROTOCOL_VERSION_HEADER.encode()
_ROUTING: Final = tuple(
    (name, name.encode())
    for name in (MCP_PROTOCOL_VERSION_HEADER, MCP_METHOD_HEADER, MCP_NAME_HEADER)
)


def plain_revision(headers: RawHeaders, message: Message) -> str | None:
    """Return the revision of a plain request; None if it is not plain.

    Args:
        headers: of the request, without blanks around their values.
        message: of valid form.
    """
    version = _revision(headers, message)
    if version is None or not _negotiated(headers):
        return None
    return version if _fits(message["method"], version, message.get("params")) else None


def _fits(method: str, version: str, params: Mapping[str, Any] | None) -> bool:
    judged = None if params is None else dict(params)
    # Any object may be the arguments, and any text the name: the registry judges them. What is left
    # is the same in every call of a client.
    if judged is not None and isinstance(judged.get("arguments"), dict):
        judged["arguments"] = {}
    if judged is not None and isinstance(judged.get("name"), str):
        judged["name"] = "any"
    text = json.dumps(judged)
    is_valid = _is_valid if len(text) <= _LONGEST_REMEMBERED else _is_valid.__wrapped__
    return is_valid(method, version, text)


@lru_cache(maxsize=256)
def _is_valid(method: str, version: str, params: str) -> bool:
    """Whether the SDK takes parameters, written as JSON; two schemas of it judge a call."""
    read = json.loads(params)
    try:
        methods.validate_client_request(method, version, read)
        if method == "tools/call":
            types.CallToolRequestParams.model_validate(read, by_name=False)
    except (KeyError, ValidationError, TypeError, ValueError):
        return False
    return True


def _revision(headers: RawHeaders, message: Message) -> str | None:
    if not values(headers, _VERSION):
        return WITHOUT_HEADER
    version = single(headers, _VERSION)
    if version in HANDSHAKE_PROTOCOL_VERSIONS:
        return version
    if version not in MODERN_PROTOCOL_VERSIONS:
        return None
    routing: dict[str, str] = {}
    for name, raw in _ROUTING:
        found = values(headers, raw)
        if len(found) > 1:
            return None
        if found:
            routing[name] = found[0].decode("latin-1")
    verdict = classify_inbound_request(message, headers=routing)
    return version if isinstance(verdict, InboundModernRoute) else None


def _negotiated(headers: RawHeaders) -> bool:
    # In lower case only, because the SDK refuses another one in older revisions.
    content_type = single(headers, b"content-type") or ""
    if content_type.partition(";")[0].strip() != "application/json":
        return False
    return accepts(headers, "application/json") and accepts(headers, "text/event-stream")
