"""Which MCP operation a message is, and how it ends inside the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import mcp_types as types
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from productive_gateway.observability.operations import OTHER, Operation, current_operation
from productive_gateway.web.headers import RawHeaders, values

_METHODS: Final = SPEC_CLIENT_METHODS | SPEC_CLIENT_NOTIFICATION_METHODS
_REVISION_HEADER: Final = MCP_PROTOCOL_VERSION_HEADER.encode()
_REVISIONS: Final = {version.encode(): version for version in KNOWN_PROTOCOL_VERSIONS}


def operation_of(headers: RawHeaders, message: Mapping[str, Any]) -> Operation:
    """Return the operation that a message asks for, to be entered around its answer."""
    method, params = message.get("method"), message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return Operation(
        method if method in _METHODS else OTHER,
        _revision(headers, message),
        meta if isinstance(meta, dict) else None,
    )


def _revision(headers: RawHeaders, message: Mapping[str, Any]) -> str:
    named = values(headers, _REVISION_HEADER)
    if named:
        return _REVISIONS.get(named[0], OTHER) if len(named) == 1 else OTHER
    if message.get("method") != "initialize":
        return types.DEFAULT_NEGOTIATED_VERSION
    params = message.get("params")
    offered = params.get("protocolVersion") if isinstance(params, dict) else None
    return offered if offered in KNOWN_PROTOCOL_VERSIONS else OTHER


class OperationErrors(ServerMiddleware[Any]):
    """Reports the errors of the SDK's handlers to the operation that is measured.

    It takes the place of the SDK's own middleware for OpenTelemetry, which would record the texts
    of errors and names that clients choose.
    """

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        try:
            return await call_next(ctx)
        except MCPError as error:
            _failed(error.error.code)
            raise
        except ValidationError:
            _failed(types.INVALID_PARAMS)
            raise
        except Exception:
            _failed(types.INTERNAL_ERROR)
            raise


def _failed(code: int) -> None:
    operation = current_operation()
    if operation is not None:
        operation.failed(str(code))
