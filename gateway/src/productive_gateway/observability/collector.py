"""Sends spans to a collector of OpenTelemetry: OTLP over HTTP, in batches, from a thread.

This module imports the SDK of OpenTelemetry, so it is imported only where tracing is on. What
cannot be sent is counted and dropped: a collector that is away costs no request anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx
import structlog
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

from productive_gateway import __version__
from productive_gateway.observability.metrics import SPANS
from productive_gateway.observability.tracing import tracing_with

PATH: Final = "/v1/traces"
SECONDS: Final = 5.0
"""How long a collector may take for one batch."""
PAUSE: Final = 5.0
"""Seconds after a failure in which batches are dropped unsent: a process that stops would otherwise
wait for a collector that does not answer, once for each batch of a full queue."""
_SERVICE: Final = "productive-mcp-gateway"
_HEADERS: Final = {"Content-Type": "application/x-protobuf", "User-Agent": _SERVICE}

_log = structlog.get_logger("traces")


class Collector(SpanExporter):
    """The receiver of OTLP at one address."""

    def __init__(
        self, endpoint: str, http: httpx.Client, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Send nothing yet.

        Args:
            endpoint: its base address, as of OTEL_EXPORTER_OTLP_ENDPOINT.
            http: the connections; they close with this exporter.
            monotonic: seconds from any origin.
        """
        self._monotonic = monotonic
        self._paused_until = monotonic()
        self._url = endpoint.rstrip("/") + PATH
        self._http = http
        self._failing = False

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


@asynccontextmanager
async def tracing_to(collector: SpanExporter, share: float) -> AsyncIterator[None]:
    """Record spans and send them, while the context is entered.

    Args:
        collector: gets the spans, some seconds after they end; the rest at the end.
        share: of the traces that begin here, how many are recorded, 0 to 1. Whoever continues a
            trace here has decided about it.

    Raises:
        ValueError: a variable that the SDK reads by itself is no number.
    """
    provider = TracerProvider(
        ParentBasedTraceIdRatio(share),
        Resource.create({"service.name": _SERVICE, "service.version": __version__}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        # Named here, so that no variable of the environment changes what the queue may hold.
        BatchSpanProcessor(
            collector,
            max_queue_size=2048,
            max_export_batch_size=512,
            schedule_delay_millis=5_000,
            export_timeout_millis=30_000,
        )
    )
    try:
        with tracing_with(provider):
            yield
    finally:
        # It waits for the last batch.
        await asyncio.to_thread(provider.shutdown)
