"""Spans that a test records in memory, and what they may not hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from productive_gateway.observability.tracing import tracing_with

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a test wants to know of a span."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str | None
    links: tuple[str, ...]
    attributes: dict[str, object]
    failed: bool


class Spans:
    """Finished spans."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> list[Recorded]:
        return [_recorded(span) for span in self._exporter.get_finished_spans()]

    def one(self, name: str) -> Recorded:
        [span] = [span for span in self.all() if span.name == name]
        return span

    def text(self) -> str:
        """Return everything that is in the spans."""
        return "\n".join(span.to_json() for span in self._exporter.get_finished_spans())


@contextmanager
def recorded_spans() -> Iterator[Spans]:
    """Record the spans of the block."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with tracing_with(provider):
        yield Spans(exporter)
    provider.shutdown()


def _recorded(span: ReadableSpan) -> Recorded:
    context = span.get_span_context()
    assert context is not None
    return Recorded(
        name=span.name,
        kind=span.kind.name,
        trace=f"{context.trace_id:032x}",
        id=f"{context.span_id:016x}",
        parent=None if span.parent is None else f"{span.parent.span_id:016x}",
        links=tuple(f"{link.context.span_id:016x}" for link in span.links),
        attributes=dict(span.attributes or {}),
        failed=not span.status.is_ok and not span.status.is_unset,
    )
