"""Spans on their way to the collector: one format, no retries, no exceptions."""

from __future__ import annotations

import httpx
import pytest
from structlog.testing import capture_logs

from harness.mcpkit import HeldTime
from harness.measured import counted
from harness.tracereceiver import TraceReceiver, trace_receiver
from productive_gateway.observability.collector import PAUSE, Collector, tracing_to
from productive_gateway.observability.tracing import begin_span, is_tracing

SPANS = "productive_mcp_spans_total"


def record(name: str) -> None:
    span = begin_span(name, "SERVER", {"http.route": "/mcp"})
    if span is not None:
        span.end({"http.response.status_code": 500}, error_type="500")


def collector(receiver: TraceReceiver) -> Collector:
    return Collector(f"{receiver.url}/", httpx.Client(trust_env=False))


async def test_spans_arrive_at_the_latest_at_the_end() -> None:
    with trace_receiver() as receiver, counted(SPANS) as grown:
        async with tracing_to(collector(receiver), 1.0):
            assert is_tracing()
            record("one")
            record("two")
        assert not is_tracing()
        names = [span.name for span in receiver.spans]
    assert names == ["one", "two"]
    assert receiver.spans[0].service == "productive-mcp-gateway"
    assert '"500"' in receiver.spans[0].text
    assert grown == {(("outcome", "exported"),): 2}


async def test_traces_that_begin_here_are_recorded_by_their_share() -> None:
    with trace_receiver() as receiver:
        async with tracing_to(collector(receiver), 0.0):
            record("one")
        assert receiver.spans == []


@pytest.mark.parametrize("answer", [httpx.Response(503), httpx.ConnectError("canary")])
async def test_what_the_collector_does_not_take_is_counted_and_reported_once(
    answer: httpx.Response | Exception,
) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    away = Collector("http://c", httpx.Client(transport=httpx.MockTransport(respond)))
    with capture_logs() as lines, counted(SPANS) as grown:
        async with tracing_to(away, 1.0):
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
    away = Collector("http://c", http, monotonic=time)
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
        async with tracing_to(collector(receiver), 1.0):
            record("one")
        assert len(receiver.spans) == 1
