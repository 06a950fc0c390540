"""Spans on their way to the collector: one format, no retries, no exceptions."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from structlog.testing import capture_logs

from harness.mcpkit import HeldTime
from harness.measured import counted
from harness.tracereceiver import TraceReceiver, trace_receiver
from productive_gateway.observability.collector import (
    PAUSE,
    BoundedQueue,
    Collector,
    sampler_named,
    tracing_to,
)
from productive_gateway.observability.tracing import begin_span, is_tracing, tracing_with

SPANS = "productive_mcp_spans_total"


def record(name: str, *, carrier: Mapping[str, str] | None = None) -> None:
    span = begin_span(name, "SERVER", {"http.route": "/mcp"}, carrier=carrier)
    if span is not None:
        span.end({"http.response.status_code": 500}, error_type="500")


def collector(receiver: TraceReceiver) -> Collector:
    return Collector(f"{receiver.url}/v1/traces", httpx.Client(trust_env=False))


async def test_spans_arrive_at_the_latest_at_the_end() -> None:
    with trace_receiver() as receiver, counted(SPANS) as grown:
        async with tracing_to(collector(receiver), ALWAYS_ON):
            assert is_tracing()
            record("one")
            record("two")
        assert not is_tracing()
        names = [span.name for span in receiver.spans]
    assert names == ["one", "two"]
    assert receiver.spans[0].service == "productive-mcp-gateway"
    assert '"500"' in receiver.spans[0].text
    assert grown == {(("outcome", "exported"),): 2}


SAMPLED = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
UNSAMPLED = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}


@pytest.mark.parametrize(
    ("name", "share", "recorded"),
    [
        ("always_on", 0.0, {"own", "sampled", "unsampled"}),
        ("always_off", 1.0, set()),
        ("traceidratio", 1.0, {"own", "sampled", "unsampled"}),
        ("traceidratio", 0.0, set()),
        ("parentbased_always_on", 0.0, {"own", "sampled"}),
        ("parentbased_always_off", 1.0, {"sampled"}),
        ("parentbased_traceidratio", 1.0, {"own", "sampled"}),
        ("parentbased_traceidratio", 0.0, {"sampled"}),
    ],
)
async def test_sampler_decides_about_own_and_continued_traces(
    name: str, share: float, recorded: set[str]
) -> None:
    with trace_receiver() as receiver:
        async with tracing_to(collector(receiver), sampler_named(name, share)):
            record("own")
            record("sampled", carrier=SAMPLED)
            record("unsampled", carrier=UNSAMPLED)
        assert {span.name for span in receiver.spans} == recorded


@pytest.mark.parametrize("name", ["parentbased_jaeger_remote", "xray", "", "parentbased_"])
async def test_unknown_sampler_is_logged_and_the_default_is_used(name: str) -> None:
    with trace_receiver() as receiver:
        with capture_logs() as lines:
            sampler = sampler_named(name, 0.0)
        async with tracing_to(collector(receiver), sampler):
            record("own")
            record("unsampled", carrier=UNSAMPLED)
        assert [span.name for span in receiver.spans] == ["own"]
    assert [line["event"] for line in lines] == ["traces.sampler_unknown"]


async def test_variables_that_name_the_service_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,k8s.pod.name=b")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "productive")
    with trace_receiver() as receiver:
        async with tracing_to(collector(receiver), ALWAYS_ON):
            record("one")
        assert receiver.spans[0].service == "productive"


async def test_a_disabled_sdk_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with trace_receiver() as receiver:
        async with tracing_to(collector(receiver), ALWAYS_ON):
            record("one", carrier=SAMPLED)
        assert receiver.spans == []


class Held(SpanExporter):
    """Lets a batch wait until it is released."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()
        self.names: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.begun.set()
        assert self.released.wait(60)
        self.names += [span.name for span in spans]
        return SpanExportResult.SUCCESS


def test_spans_beyond_the_queue_are_counted_and_dropped() -> None:
    held = Held()
    provider = TracerProvider(ALWAYS_ON, shutdown_on_exit=False)
    provider.add_span_processor(BoundedQueue(held, size=4))
    with tracing_with(provider), counted(SPANS) as grown:
        for number in range(4):
            record(f"kept {number}")
        assert held.begun.wait(60)  # a full queue is sent at once, and what is sent needs room, too
        for number in range(3):
            record(f"dropped {number}")
        held.released.set()
        provider.force_flush()
        record("later")
        provider.shutdown()
    assert held.names == [*(f"kept {number}" for number in range(4)), "later"]
    assert grown == {(("outcome", "dropped"),): 3}


@pytest.mark.parametrize("answer", [httpx.Response(503), httpx.ConnectError("canary")])
async def test_what_the_collector_does_not_take_is_counted_and_reported_once(
    answer: httpx.Response | Exception,
) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    away = Collector("http://c/v1/traces", httpx.Client(transport=httpx.MockTransport(respond)))
    with capture_logs() as lines, counted(SPANS) as grown:
        async with tracing_to(away, ALWAYS_ON):
            away.export([])
            record("one")
    assert grown == {(("outcome", "failed"),): 1}
    assert [line["event"] for line in lines] == ["traces.failing"]
    assert "canary" not in str(lines)


def test_after_a_failure_nothing_is_sent_for_some_seconds() -> None:
    """So a process that stops waits once for a collector that is away, not for each batch."""
    asked: list[httpx.Request] = []
    time = HeldTime()

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(503 if len(asked) == 1 else 200)

    http = httpx.Client(transport=httpx.MockTransport(respond))
    away = Collector("http://c/v1/traces", http, monotonic=time)
    for _ in range(3):
        away.export([])
    assert len(asked) == 1
    time.now += PAUSE
    for _ in range(3):
        away.export([])
    assert len(asked) == 4


def test_an_outage_is_reported_when_it_begins_and_not_at_each_batch() -> None:
    status, time = 503, HeldTime()

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status)

    http = httpx.Client(transport=httpx.MockTransport(respond))
    away = Collector("http://c", http, monotonic=time)

    def export() -> list[str]:
        time.now += PAUSE
        with capture_logs() as lines:
            away.export([])
        return [line["event"] for line in lines]

    assert [export() for _ in range(3)] == [["traces.failing"], [], []]
    status = 200
    assert export() == []
    status = 503
    assert [export() for _ in range(2)] == [["traces.failing"], []]


@pytest.mark.parametrize("value", ["0", "-1", "many"])
async def test_variables_of_the_sdk_do_not_change_the_queue(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY", "EXPORT_TIMEOUT"):
        monkeypatch.setenv(f"OTEL_BSP_{name}", value)
    with trace_receiver() as receiver:
        async with tracing_to(collector(receiver), ALWAYS_ON):
            record("one")
        assert len(receiver.spans) == 1
