"""What the benchmark of grants reads from programs and concludes."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from benchmarks.grants.lookups import Listing, Lookups
from benchmarks.grants.population import people_for
from benchmarks.grants.refreshes import Refreshes, kubernetes_requests
from benchmarks.grants.report import as_json, markdown, requests_table
from benchmarks.grants.requests import of_one_object
from benchmarks.grants.scenario import Result
from benchmarks.grants.starts import Start, live_grants, parse_memory

from harness.faults import Seen

SECRETS = "/api/v1/namespaces/acme-grants/secrets"
METRICS = """\
# TYPE productive_mcp_grants gauge
productive_mcp_grants{state="active"} 20000.0
productive_mcp_grants{state="pending"} 3.0
productive_mcp_kubernetes_requests_total{status="200",verb="get"} 12.0
productive_mcp_kubernetes_requests_total{status="409",verb="replace"} 2.0
productive_mcp_kubernetes_requests_total{status="200",verb="watch"} 40.0
"""


def asked(method: str, path: str, **query: str) -> Seen:
    return Seen(0, method, path, path, query, "gateway", b"")


def test_requests_about_single_grants_are_counted_and_no_list_or_watch() -> None:
    counted = of_one_object(
        [
            asked("GET", f"{SECRETS}/g-1"),
            asked("POST", SECRETS),
            asked("PUT", f"{SECRETS}/g-1"),
            asked("GET", SECRETS, watch="1"),
            asked("GET", SECRETS, fieldSelector="type=productive-mcp.dev/grant"),
            asked("GET", SECRETS, limit="1"),
            asked("GET", "/apis/discovery.k8s.io/v1/namespaces/acme/endpointslices"),
        ]
    )
    assert counted == {"read": 1, "create": 1, "update": 1}


def test_live_grants_and_requests_are_read_from_metrics() -> None:
    assert live_grants(METRICS) == 20_000
    assert live_grants("") == 0
    assert kubernetes_requests(METRICS) == {("get", "200"): 12, ("replace", "409"): 2}


def test_memory_is_read_in_bytes() -> None:
    status = "Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t1\n"
    assert parse_memory(status) == (1024 * 1024, 2048 * 1024)


@pytest.mark.parametrize(
    ("grants", "people"), [(1, 1), (100, 10), (20_000, 2_000), (90_000, 2_000)]
)
def test_nobody_has_more_grants_than_one_person_may(grants: int, people: int) -> None:
    assert people_for(grants) == people
    assert grants / people <= 50


def test_memory_of_a_grant_is_what_a_start_without_grants_does_not_need() -> None:
    found = result()
    assert found.resident_each == 1000
    [_, _, row, *_] = markdown([found]).splitlines()
    assert "| 1,000 | 100 | 1.0 | 2.0 | 3.0 (1.0 empty) |" in row


def test_report_shows_conflicts_and_refusals() -> None:
    table = markdown([result()]).rpartition("\n\n")[2]
    assert table.splitlines()[2:] == ["| 1,000 | 2 | own | 50 | 4.0 | 1.00 | 1.10 | 1 | 2 |"]


def test_json_has_all_figures() -> None:
    requests = {"refresh": Counter(read=1, update=1)}
    document = json.loads(json.dumps(as_json([result()], requests)))
    assert document["requests"] == {"refresh": {"read": 1, "update": 1}}
    assert document["results"][0]["own"][0]["requests"]["replace 409"] == 1
    assert "| refresh | 0 | 1 | 0 | 1 |" in requests_table(requests)


def result() -> Result:
    counted = Counter({("get", "200"): 10, ("replace", "200"): 10, ("replace", "409"): 1})
    refreshes = Refreshes(2, 10, 0.2, 0.04, counted, Counter({"503 …": 2}))
    return Result(
        grants=1000,
        people=100,
        empty=Start(0.9, 1.0, 1.0, 0.1, 100_000_000, 100_000_000),
        starts=[Start(1.0, 2.0, 3.0, 0.5, 101_000_000, 120_000_000)],
        lookups=Lookups(1e-6, 2e-5, 4e-6, 600.0),
        listings={"list": [Listing(1.0, 0.5, 0.2, 1_000_000, 2_000_000)]},
        sign_ins_per_second=90.0,
        own=[refreshes],
    )
