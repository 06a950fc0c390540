"""Measures MCP operations: requests and notifications, each from its decoded body to its answer.

Names, labels and buckets follow the semantic conventions of OpenTelemetry for MCP. The code that
answers a message enters an `Operation`; what runs inside finds it with `current_operation` and
reports what only it knows: which tool ran, and how it failed.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Mapping
from contextvars import ContextVar, Token
from functools import cache
from typing import Any, Final

from prometheus_client import Histogram

from productive_gateway.observability.metrics import OPERATION_SECONDS
from productive_gateway.observability.timed import Timed
from productive_gateway.observability.tracing import OpenSpan, begin_span

OTHER: Final = "_OTHER"
"""Stands for every value of a label that is not known, as the conventions say."""

_current: Final[ContextVar[Operation]] = ContextVar("operation")


def current_operation() -> Operation | None:
    """Return the operation that the caller is part of; None if nobody measures."""
    return _current.get(None)


class Operation(Timed):
    """One message; a context manager that is entered once, around its answer."""

    __slots__ = ("_error_type", "_meta", "_method", "_outer", "_revision", "_tool")

    def __init__(self, method: str, revision: str, meta: Mapping[str, Any] | None = None) -> None:
        """Take what is known from the message.

        Args:
            method: a method of MCP, or `OTHER`.
            revision: of the protocol, or `OTHER`.
            meta: the message's `_meta`, which may hold the trace context of the client.
        """
        self._method = method
        self._revision = revision
        self._meta = meta
        self._tool = ""
        self._error_type = ""
        self._outer: Token[Operation] | None = None

    def calls(self, tool: str) -> None:
        """Report the tool that is called, one of this server."""
        self._tool = tool

    def failed(self, error_type: str) -> None:
        """Report the failure; the first one counts, since it has caused the others.

        Args:
            error_type: slug of a tool's error, code of a JSON-RPC error, or an HTTP status.
        """
        self._error_type = self._error_type or error_type

    def begin(self) -> OpenSpan | None:
        """Make this the current operation, and begin its span."""
        self._outer = _current.set(self)
        attributes = {"mcp.method.name": self._method, "mcp.protocol.version": self._revision}
        # Not kept: connections that are opened meanwhile keep this context, and so the operation.
        meta, self._meta = self._meta, None
        return begin_span(self._method, "SERVER", attributes, carrier=meta)

    def end(self, seconds: float, error: type[BaseException] | None, span: OpenSpan | None) -> None:
        """Record the operation."""
        if self._outer is not None:
            _current.reset(self._outer)
        if error is not None:
            self.failed("cancelled" if issubclass(error, CancelledError) else error.__name__)
        _histogram(self._method, self._tool, self._error_type, self._revision).observe(seconds)
        if span is not None:
            self._end(span)

    def _end(self, span: OpenSpan) -> None:
        if not self._tool:
            span.end(error_type=self._error_type)
            return
        called = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": self._tool}
        span.end(called, error_type=self._error_type, name=f"{self._method} {self._tool}")


@cache
def _histogram(method: str, tool: str, error_type: str, revision: str) -> Histogram:
    """Return the series of these labels; kept, because finding it takes longer than observing."""
    return OPERATION_SECONDS.labels(method, tool, error_type, revision)
