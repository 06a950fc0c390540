"""Which revision of MCP a message is in: the version header, and in 2026-07-28 the message too.

The header alone decides which rules hold for a message. The SDK reads it as well, but what it
answers to an unknown value depends on the rest of the message. So the header is checked here,
before anything is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import mcp_types as types
from mcp.shared.inbound import MCP_METHOD_HEADER, MCP_NAME_HEADER, MCP_PROTOCOL_VERSION_HEADER
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from productive_gateway.mcp.message import MalformedMessage
from productive_gateway.web.headers import RawHeaders, values

SERVED: Final = (*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS)
"""All revisions, the oldest first."""
WITHOUT_HEADER: Final = types.DEFAULT_NEGOTIATED_VERSION
"""The revision of a message without the version header: 2025-03-26."""
_HEADER: Final = MCP_PROTOCOL_VERSION_HEADER.encode()
_ROUTING: Final = (MCP_METHOD_HEADER.encode(), MCP_NAME_HEADER.encode())
_LONGEST: Final = 32
"""Characters of an unknown revision that the answer repeats."""


def check_revision(headers: RawHeaders, message: Any) -> None:
    """Check that the version header names one revision that is served, and the message the same.

    A batch is checked by its header alone.

    Args:
        headers: of the request, without blanks around their values.
        message: a JSON-RPC message, or the members of a batch.

    Raises:
        MalformedMessage: HeaderMismatch (-32020) or UnsupportedProtocolVersion (-32022).
    """
    named = [value.decode("latin-1") for value in values(headers, _HEADER)]
    number = message.get("id") if isinstance(message, dict) else None
    if len(named) > 1:
        raise _mismatch("There is more than one MCP-Protocol-Version header.", number)
    meant = _meant(message)
    if named and named[0] not in SERVED and (meant is None or meant == named[0]):
        requested = named[0][:_LONGEST]
        raise MalformedMessage(
            "This server does not speak this revision of MCP. Use one of the supported ones.",
            code=types.UNSUPPORTED_PROTOCOL_VERSION,
            number=number,
            # Those of server/discover: a client sends the same request again, without a handshake.
            data={"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": requested},
        )
    if meant is not None and meant != (named[0] if named else WITHOUT_HEADER):
        raise _mismatch(
            "The MCP-Protocol-Version header differs from the protocol version in _meta.", number
        )
    if named and named[0] in MODERN_PROTOCOL_VERSIONS:
        _check_characters(headers, number)


def _check_characters(headers: RawHeaders, number: Any) -> None:
    # The SDK reads them as Latin-1, and takes a name that is equal by this for the same.
    for name in _ROUTING:
        if not all(value.isascii() for value in values(headers, name)):
            raise _mismatch(
                f"The {name.decode()} header has other characters than those of ASCII. Encode it.",
                number,
            )


def _meant(message: Any) -> Any:
    """Return the revision that the message itself names, which only 2026-07-28 lets it do."""
    # `initialize` negotiates the revision, so a client may send it whatever it speaks otherwise.
    if not isinstance(message, dict) or message.get("method") == "initialize":
        return None
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, Mapping) else None
    return meta.get(types.PROTOCOL_VERSION_META_KEY) if isinstance(meta, Mapping) else None


def _mismatch(text: str, number: Any) -> MalformedMessage:
    return MalformedMessage(text, code=types.HEADER_MISMATCH, number=number)
