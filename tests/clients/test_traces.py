"""Traces as they leave a gateway that runs as a program."""

from __future__ import annotations

import httpx
import pytest

from harness.standalone import standalone
from harness.tracedcall import check_one_trace
from harness.tracereceiver import trace_receiver


@pytest.mark.attack("Q-01")
def test_one_trace_leads_from_the_client_through_the_gateway_to_productive() -> None:
    with (
        trace_receiver() as receiver,
        standalone(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) as site,
    ):
        site.start_dev_provider()
        site.start_gateway()
        check_one_trace(site, receiver)


def test_a_gateway_whose_collector_is_away_serves_and_ends_in_time() -> None:
    with standalone(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1") as site:
        site.start_dev_provider()
        site.start_gateway()
        assert httpx.get(site.url, trust_env=False).status_code == 200
        gateway = site.programs["gateway"]
        assert gateway.stop() == 0
        assert '"event": "traces.failing"' in gateway.output()
