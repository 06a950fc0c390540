"""Whether a request is plain: one that every revision writes the same way, with nothing unusual.

A plain request can be answered without the SDK. What the SDK would refuse is never plain, nor is
anything that only the SDK understands: then the SDK gets the request, and reports what is wrong
with it. The SDK's own validators decide, so the two cannot differ. They take about as long as the
rest of a call; so their verdict is remembered, together with all that they looked at.
"""

from __future__ import annotations

import marshal
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
from productive_gateway.web.headers import Headers, RawHeaders, accepts, single, values

LONGEST_REMEMBERED: Final = 2_000
"""Bytes of what a verdict is about, if it is remembered."""
_MOST_REMEMBERED: Final = 512
_MARSHALLED: Final = 2
"""Version of `marshal` in which equal values always give the same bytes: no references."""
_VERSION: Final = MCP_PROTOCOL_VERSION_HEADER.encode()
_ROUTING: Final = tuple(
    (name, name.encode())
    for name in (MCP_PROTOCOL_VERSION_HEADER, MCP_METHOD_HEADER, MCP_NAME_HEADER)
)
_JUDGED: Final = (*(raw for _, raw in _ROUTING), b"content-type", b"accept")
"""The headers that count."""


def plain_revision(headers: RawHeaders, message: Message) -> str | None:
    """Return the revision of a plain request; None if it is not plain.

    Args:
        headers: of the request, without blanks around their values.
        message: of valid form.
    """
    params = message.get("params")
    # Any object may be the arguments: the registry judges them. What is left is the same in every
    # call of a tool by a client.
    if params is not None and isinstance(params.get("arguments"), dict):
        params = {**params, "arguments": {}}
    found = [values(headers, name) for name in _JUDGED]
    asked = marshal.dumps((message["method"], params, found), _MARSHALLED)
    return _judged(asked) if len(asked) <= LONGEST_REMEMBERED else _judged.__wrapped__(asked)


@lru_cache(maxsize=_MOST_REMEMBERED)
def _judged(asked: bytes) -> str | None:
    """Return the revision of a plain request.

    Args:
        asked: method, parameters and the values of `_JUDGED`, marshalled: all that counts.
    """
    method, params, found = marshal.loads(asked)  # noqa: S302  # it was marshalled just before
    headers = Headers(
        [(name, value) for name, every in zip(_JUDGED, found, strict=True) for value in every]
    )
    version = _revision(headers, {"method": method, "params": params})
    if version is None or not _negotiated(headers):
        return None
    return version if _is_valid(method, version, params) else None


def _is_valid(method: str, version: str, params: Mapping[str, Any] | None) -> bool:
    """Whether the SDK takes the parameters; two schemas of it judge a call."""
    try:
        methods.validate_client_request(method, version, params)
        if method == "tools/call":
            types.CallToolRequestParams.model_validate(params, by_name=False)
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
        named = values(headers, raw)
        if len(named) > 1:
            return None
        if named:
            routing[name] = named[0].decode("latin-1")
    verdict = classify_inbound_request(message, headers=routing)
    return version if isinstance(verdict, InboundModernRoute) else None


def _negotiated(headers: RawHeaders) -> bool:
    # In lower case only, because the SDK refuses another one in older revisions.
    content_type = single(headers, b"content-type") or ""
    if content_type.partition(";")[0].strip() != "application/json":
        return False
    return accepts(headers, "application/json") and accepts(headers, "text/event-stream")
