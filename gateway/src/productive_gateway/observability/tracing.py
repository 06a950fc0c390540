"""Traces by OpenTelemetry: what a request did, and how long each part took. Off by default.

Spans continue the trace of the caller (W3C Trace Context, in HTTP and in `_meta`). They hold
methods, routes, tools, statuses and the id of the request, and nothing that came with it: no
arguments, answers, addresses, tokens or texts of errors. What the gateway calls gets no trace
context, because it is somebody else's. While tracing is off, a span costs one comparison, and the
SDK of OpenTelemetry is not imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

Kind = Literal["SERVER", "CLIENT"]
Attributes = Mapping[str, str | int]

_NONE: Final[Attributes] = MappingProxyType({})
_HEADERS: Final = frozenset({"traceparent", "tracestate"})


@dataclass(slots=True)
class _Tracing:
    tracer: Tracer | None = None


_tracing: Final = _Tracing()


def is_tracing() -> bool:
    """Return whether spans are recorded."""
    return _tracing.tracer is not None


@contextmanager
def tracing_with(provider: TracerProvider) -> Iterator[None]:
    """Record the spans of the block."""
    before, _tracing.tracer = _tracing.tracer, provider.get_tracer("productive_gateway")
    try:
        yield
    finally:
        _tracing.tracer = before


class OpenSpan:
    """A span that has begun, and is the parent of those that begin inside it."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        from opentelemetry import context, trace

        self._span = span
        self._token = context.attach(trace.set_span_in_context(span))

    def end(self, attributes: Attributes = _NONE, *, error_type: str = "", name: str = "") -> None:
        """End the span.

        Args:
            attributes: what is known only now.
            error_type: slug of the failure, if it failed.
            name: a better name, if it is known only now.
        """
        from opentelemetry import context
        from opentelemetry.trace import StatusCode

        context.detach(self._token)
        if name:
            self._span.update_name(name)
        self._span.set_attributes(attributes)
        if error_type:
            self._span.set_attribute("error.type", error_type)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def begin_span(
    name: str, kind: Kind, attributes: Attributes, *, carrier: Mapping[str, Any] | None = None
) -> OpenSpan | None:
    """Begin a span; None while tracing is off.

    Args:
        name: of low cardinality.
        kind: SERVER for what was asked of the gateway, CLIENT for what it asks.
        attributes: what is known already.
        carrier: may hold the trace context of the caller, which then is the parent; the span in
            which this one begins is linked.
    """
    tracer = _tracing.tracer
    if tracer is None:
        return None
    from opentelemetry import trace

    parent = _parent(carrier)
    around = trace.get_current_span().get_span_context()
    links = [trace.Link(around)] if parent is not None and around.is_valid else []
    span = tracer.start_span(
        name, parent, trace.SpanKind[kind], dict(attributes), links, record_exception=False
    )
    return OpenSpan(span)


def begin_request_span(
    method: str, route: str, request_id: str, headers: Iterable[tuple[bytes, bytes]]
) -> OpenSpan | None:
    """Begin the span of an HTTP request; None while tracing is off."""
    if _tracing.tracer is None:
        return None
    context: dict[str, str] = {}
    for raw, value in headers:
        name = raw.decode("latin-1")
        if name in _HEADERS:
            # Two of tracestate are one list; two of traceparent are no trace context.
            before = f"{context[name]}," if name in context else ""
            context[name] = before + value.decode("latin-1")
    attributes = {
        "http.request.method": method,
        "http.route": route,
        "productive_mcp.request_id": request_id,
    }
    return begin_span(f"{method} {route}", "SERVER", attributes, carrier=context)


def _parent(carrier: Mapping[str, Any] | None) -> Context | None:
    """Return the trace context in a carrier, if it has a valid one."""
    given = {key: value for key, value in (carrier or {}).items() if key in _HEADERS}
    if not isinstance(given.get("traceparent"), str):
        return None
    if not isinstance(given.get("tracestate", ""), str):
        del given["tracestate"]
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract(given)
    return parent if trace.get_current_span(parent).get_span_context().is_valid else None
