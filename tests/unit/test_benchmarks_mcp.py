"""What the benchmark of the MCP endpoint sends, reads and concludes."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest
from benchmarks.mcp.__main__ import chosen
from benchmarks.mcp.cases import CALL, LABELS, LIST, TWO_REQUESTS, Case, cases
from benchmarks.mcp.load import LoadFailed, lua_string, parse, script
from benchmarks.mcp.measure import Row, Run, Sample, Start, median_of
from benchmarks.mcp.plot import svg
from benchmarks.mcp.report import aims, as_json, markdown, worker_of
from benchmarks.mcp.site import SERVERS
from benchmarks.mcp.tools import COUNT, sixty
from benchmarks.mcp.wire import MODERN, call, message, result_in
from hypothesis import given
from hypothesis import strategies as st

from harness.mcpkit import mcp_server
from productive_gateway.tools.registry import TOOLS

TIMES = "\N{MULTIPLICATION SIGN}"

OUTPUT = """\
Running 3s test @ http://127.0.0.1:28041/
  1 threads and 16 connections
  1234 requests in 3.00s, 1.21MB read
Requests/sec:    411.33

FIGURES 1234 3000000 12500 80250 3 1
"""


def test_figures_of_wrk_are_read_in_seconds() -> None:
    found = parse(OUTPUT)
    assert (found.requests, found.seconds, found.refused, found.broken) == (1234, 3.0, 3, 1)
    assert (found.p50, found.p99) == (0.0125, 0.08025)
    assert found.rate == pytest.approx(411.33, abs=0.01)


@pytest.mark.parametrize(
    "output", ["", "unable to connect", "FIGURES 1 2\n", "FIGURES 0 3000000 0 0 0 0\n"]
)
def test_run_without_answers_is_an_error(output: str) -> None:
    with pytest.raises(LoadFailed):
        parse(output)


@given(st.binary(max_size=50))
def test_lua_string_has_the_same_bytes(data: bytes) -> None:
    written = lua_string(data)
    assert written.isascii()
    assert written.isprintable()
    escape = re.compile(r"\\(\d{3})")
    read = escape.sub(lambda found: chr(int(found[1])), written[1:-1])
    assert read.encode("latin-1") == data


def test_script_has_one_string_for_each_request() -> None:
    assert 'local requests = {"a","b\\013\\010"}' in script([b"a", b"b\r\n"])


def test_request_has_the_length_of_its_body_and_the_token() -> None:
    sent = call("add", MODERN, a=1, b=2).to("localhost:1", "/mcp", "secret")
    head, _, body = sent.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /mcp HTTP/1.1"
    assert {"Host: localhost:1", "Authorization: Bearer secret", "Mcp-Name: add"} < set(lines)
    assert f"Content-Length: {len(body)}" in lines
    assert json.loads(body)["params"]["arguments"] == {"a": 1, "b": 2}


def test_older_revision_has_no_headers_of_the_newer_one() -> None:
    asked = message("tools/list", "2025-11-25")
    assert not {name for name in asked.headers if name.startswith("Mcp-")}
    assert json.loads(asked.body)["params"] == {}


@pytest.mark.parametrize(
    "body",
    [
        "null",
        '{"error": {}}',
        '{"result": {"isError": true}}',
        '{"result": []}',
    ],
)
def test_answer_without_a_result_is_an_error(body: str) -> None:
    with pytest.raises(ValueError, match=r"no result|failed"):
        result_in("application/json", body)


def test_result_is_found_in_a_stream_of_events() -> None:
    stream = 'event: message\r\ndata: {"result": {"tools": []}}\r\n\r\n'
    assert result_in("text/event-stream", stream) == {"tools": []}


def test_each_row_has_a_label_and_a_server() -> None:
    rows = cases()
    assert {case.server for case in rows} == set(LABELS)
    assert {case.started_as for case in rows} == set(SERVERS)
    keys = [(case.group, case.server, case.revision) for case in rows]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    "case", [case for case in cases() if case.server == "gateway" and not case.refused], ids=str
)
async def test_gateway_answers_each_request_that_is_measured(case: Case) -> None:
    async with mcp_server(tools=sixty(TOOLS)) as server:
        headers = {**case.message.headers, "Authorization": "Bearer good"}
        answer = await server.http.post("/mcp", content=case.message.body, headers=headers)
        result = result_in(answer.headers["content-type"], answer.text)
    if case.group == LIST:
        names = [tool["name"] for tool in result["tools"]]
        assert len(names) == len(set(names)) == COUNT
    if case.group == CALL:
        assert result["structuredContent"] == {"sum": 42}


@pytest.mark.parametrize(
    ("only", "servers"),
    [
        (["worker"], {"worker", "worker-60", "worker-direct"}),
        (["asgi", "sdk-60"], {"asgi", "sdk-60"}),
        (None, set(LABELS)),
    ],
)
def test_rows_of_some_servers_include_their_variants(
    only: list[str] | None, servers: set[str]
) -> None:
    assert {case.server for case in chosen(only)} == servers


def row(group: str, server: str, cpu: float, revision: str = MODERN) -> Row:
    made = Row(Case(group, server, revision, message("tools/list", revision)), 100)
    made.samples += [Sample(cpu * factor, 100, 0.01, 0.1 * cpu) for factor in (0.9, 1, 5)]
    return made


def test_aims_compare_medians_of_the_same_work() -> None:
    rows = [
        row(CALL, "gateway", 100e-6),
        row(CALL, "gateway", 400e-6, "2025-06-18"),
        row(CALL, "worker", 1000e-6),
        row(CALL, "worker", 1200e-6, "2025-11-25"),
        row(CALL, "route", 50e-6),
        row(LIST, "gateway", 120e-6),
        row(TWO_REQUESTS, "gateway", 2000e-6),
    ]
    found = [(aim.measured, aim.met) for aim in aims(Run(rows, {}, {}, [1.0]))]
    assert found == [
        ("0.10 of the Worker's", True),
        ("0 ms of 0 ms", True),
        ("0.33 of the Worker's", False),
        ("0 ms of 0 ms", True),
        (f"2.4 {TIMES}", False),
        ("2,000 µs", True),
    ]


def test_older_revision_is_compared_with_the_workers_next_newer_one() -> None:
    old, newer, newest = (
        row(CALL, "gateway", 1, "2025-06-18"),
        row(CALL, "worker", 2, "2025-11-25"),
        row(CALL, "worker", 3),
    )
    run = Run([old, newest, newer], {}, {}, [])
    assert worker_of(run, old) is newer
    assert worker_of(run, row(LIST, "gateway", 1)) is None


def test_report_and_picture_show_each_row() -> None:
    rows = [row(CALL, "gateway", 100e-6), row(CALL, "worker", 1000e-6)]
    starts = {"gateway": [Start(2, 1, 0.05, 0.01, 100), Start(3, 1, 0.07, 0.01, 102)]}
    run = Run(rows, starts, {"gateway": 110.0}, [2.0], {3: Sample(2e-3, 300, 0.01, 0.2)})
    assert f"| 10.0 {TIMES} | tools/call | **this gateway** | 2026-07-28 | 100 |" in markdown(run)
    assert "| this gateway | 1.00 | 2.50 | 60 | 10 | 101 | 110 |" in markdown(run)
    assert "| 3 | 2,000 | 300 | 10.0 | 200 |" in markdown(run)
    figures = json.loads(json.dumps(as_json(run)))
    words = [element.text for element in ET.fromstring(svg(figures))]
    assert {"this gateway, 2026-07-28", "Worker with sign-in, 2026-07-28", "aim"} < set(words)


def test_median_of_starts_is_taken_for_each_figure() -> None:
    starts = [Start(1, 9, 3, 4, 5), Start(2, 8, 3, 4, 5), Start(3, 7, 3, 4, 5)]
    assert median_of(starts) == Start(2, 8, 3, 4, 5)
