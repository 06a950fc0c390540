"""Sends spans to a collector of OpenTelemetry: OTLP over HTTP, in batches, from a thread.

This module imports the SDK of OpenTelemetry, so it is imported only where tracing is on. What
cannot be sent is counted and dropped: a collector that is away costs no request anything.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx
import structlog
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased

from productive_gateway import __version__
from productive_gateway.observability.metrics import SPANS
from productive_gateway.observability.tracing import tracing_with

WAITING: Final = 2_048
"""Spans that may wait to be sent."""
SECONDS: Final = 5.0
"""How long a collector may take for one batch."""
PAUSE: Final = 5.0
"""Seconds after a failure in which batches are dropped unsent: a process that stops would otherwise
wait for a collector that does not answer, once for each batch of a full queue."""
_PARENT_BASED: Final = "parentbased_"
_SERVICE: Final = "productive-mcp-gateway"
_HEADERS: Final = {"Content-Type": "application/x-protobuf", "User-Agent": _SERVICE}

_log = structlog.get_logger("traces")


class Collector(SpanExporter):
    """The receiver of OTLP at one address."""

    def __init__(
        self, url: str, http: httpx.Client, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Send nothing yet.

        Args:
            url: where it takes traces.
            http: the connections; they close with this exporter.
            monotonic: seconds from any origin.
        """
        self._monotonic = monotonic
        self._paused_until = monotonic()
        self._url = url
        self._http = http
        self._failing = False
        for outcome in ("exported", "failed", "dropped"):
            SPANS.labels(outcome)  # alerts need the 0 before the first failure

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch, once, unless another one failed a moment ago."""
        if self._monotonic() < self._paused_until:
            SPANS.labels("failed").inc(len(spans))
            return SpanExportResult.FAILURE
        problem = self._send(encode_spans(spans).SerializeToString())
        if problem is not None:
            self._paused_until = self._monotonic() + PAUSE
        if problem is not None and not self._failing:
            _log.warning("traces.failing", problem=problem, hint="spans are dropped meanwhile")
        self._failing = problem is not None
        SPANS.labels("failed" if self._failing else "exported").inc(len(spans))
        return SpanExportResult.FAILURE if self._failing else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, content: bytes) -> str | None:
        """Send a request; return what went wrong."""
        try:
            answer = self._http.post(self._url, content=content, headers=_HEADERS)
        except httpx.HTTPError as error:
            return type(error).__name__
        return None if answer.is_success else f"status {answer.status_code}"


class BoundedQueue(BatchSpanProcessor):
    """Spans that wait to be sent. One that finds no room is counted and dropped.

    The queue of the SDK would drop the oldest one, and report it in a log line only.
    """

    def __init__(self, collector: SpanExporter, *, size: int = WAITING) -> None:
        """Begin with an empty queue.

        Args:
            collector: gets the spans in batches, from a thread.
            size: of the queue, with the batch that is being sent.
        """
        self._room = threading.Semaphore(size)
        # All is named here, so that no variable of the environment changes what the queue holds.
        super().__init__(
            _MakingRoom(collector, self._room),
            max_queue_size=size,
            max_export_batch_size=min(512, size),
            schedule_delay_millis=5_000,
            export_timeout_millis=30_000,
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that ended, if it is recorded."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._room.acquire(blocking=False):
            super().on_end(span)
        else:
            SPANS.labels("dropped").inc()


class _MakingRoom(SpanExporter):
    """Makes room in a queue for each span that was passed on."""

    def __init__(self, collector: SpanExporter, room: threading.Semaphore) -> None:
        self._collector = collector
        self._room = room

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            return self._collector.export(spans)
        finally:
            self._room.release(len(spans))

    def shutdown(self) -> None:
        self._collector.shutdown()


def sampler_named(name: str, share: float) -> Sampler:
    """Return the sampler that OTEL_TRACES_SAMPLER names.

    Args:
        name: one of the six that every SDK has. For another one, such as one that asks a server,
            parentbased_always_on is used, with a warning.
        share: how many traces a sampler by ratio records, 0 to 1.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    shares = {"always_on": 1.0, "always_off": 0.0, "traceidratio": share}
    kind = name.removeprefix(_PARENT_BASED)
    if kind not in shares:
        _log.warning("traces.sampler_unknown", hint="OTEL_TRACES_SAMPLER is ignored")
        return ParentBased(TraceIdRatioBased(1.0))
    root = TraceIdRatioBased(shares[kind])
    return ParentBased(root) if name.startswith(_PARENT_BASED) else root


@asynccontextmanager
async def tracing_to(collector: SpanExporter, sampler: Sampler) -> AsyncIterator[None]:
    """Record spans and send them, while the context is entered.

    Args:
        collector: gets the spans, some seconds after they end; the rest at the end.
        sampler: decides which traces are recorded.

    Raises:
        ValueError: a variable that the SDK reads by itself is no number.
    """
    resource = Resource.create({"service.name": _SERVICE, "service.version": __version__})
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come last: a deployment may have its own.
    resource = resource.merge(OTELResourceDetector().detect())
    provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
    provider.add_span_processor(BoundedQueue(collector))
    try:
        with tracing_with(provider):
            yield
    finally:
        # It waits for the last batch.
        await asyncio.to_thread(provider.shutdown)
