"""Traces in a real collector of OpenTelemetry, which passes on what it accepted."""

from __future__ import annotations

import pytest

from harness.otelcollector import collector_config, collector_program
from harness.processes import free_port, listening
from harness.standalone import standalone
from harness.tracedcall import check_one_trace
from harness.tracereceiver import trace_receiver


@pytest.mark.timeout(1800)  # the first time it is built
def test_a_collector_accepts_the_trace_of_a_call() -> None:
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with trace_receiver() as receiver, standalone(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as site:
        config = site.folder / "collector.yaml"
        config.write_text(collector_config(port, receiver.url))
        command = (collector_program(), f"--config=file:{config}")
        site.start("collector", *command, settings={}).until(lambda: listening(port))
        site.start_dev_provider()
        site.start_gateway()
        check_one_trace(site, receiver)
