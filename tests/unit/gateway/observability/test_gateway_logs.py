from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from harness.loglines import LogLines, log_lines, serving
from harness.spans import TRACEPARENT, recorded_spans
from productive_contract.masking import mask
from productive_contract.secret import Secret
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.tracing import begin_span

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"


@pytest.fixture
def out() -> Iterator[LogLines]:
    with log_lines() as lines:
        yield lines


def test_line_is_json_with_time_level_and_the_id_of_the_request(out: LogLines) -> None:
    out.configure("info")
    with serving("r1"):
        structlog.get_logger("x").info("mapping.loaded", people=3)
    [line] = out.read_all()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "mapping.loaded",
        "level": "info",
        "logger": "x",
        "people": 3,
        "request_id": "r1",
    }


def test_lines_below_the_level_are_dropped_except_audit_lines(out: LogLines) -> None:
    out.configure("error")
    structlog.get_logger("x").warning("watch.lost")
    audit(Event.TOOL_CALLED, user="ns/ana")
    structlog.get_logger("x").error("mapping.broken")
    assert [line["event"] for line in out.read_all()] == ["tool_called", "mapping.broken"]


def test_libraries_log_at_warning_and_above_to_the_same_stream(out: LogLines) -> None:
    out.configure("debug")
    for name in ("uvicorn.error", "httpx", "kubernetes.client", "anything"):
        logging.getLogger(name).info("GET /callback?code=canary")
        logging.getLogger(name).warning("careful with %s", "pmcp_at_canary")
    lines = out.read_all()
    assert len(lines) == 4
    assert {line["event"] for line in lines} == {"careful with pmcp_at_…"}
    assert lines[0]["logger"] == "uvicorn.error"


@pytest.mark.attack("Q-01")
@pytest.mark.parametrize(
    "context",
    [
        {"traceparent": TRACEPARENT, "tracestate": "canary "},
        {"traceparent": TRACEPARENT, "tracestate": ",".join(f"k{n}=canary" for n in range(33))},
        {"traceparent": TRACEPARENT, "tracestate": "k=canary" * 2000},
        {"traceparent": "canary" * 1000},
    ],
)
def test_malformed_trace_context_of_a_client_is_not_logged(
    out: LogLines, context: dict[str, str]
) -> None:
    out.configure("info")
    with recorded_spans():
        span = begin_span("x", "SERVER", {}, carrier=context)
        assert span is not None
        span.end()
    assert out.read_all() == []


def test_warnings_are_logged(out: LogLines) -> None:
    out.configure("info")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old way", DeprecationWarning, stacklevel=1)
    assert "old way" in out.read_all()[0]["event"]


@pytest.mark.attack("Q-01")
def test_traceback_is_one_line_without_quoted_secrets(out: LogLines) -> None:
    out.configure("info")
    error = ValueError(f"bad header Bearer pmcp_at_canary1234 and {JWT}")
    structlog.get_logger("x").error("request.failed", exc_info=error)
    [line] = out.read_all()
    assert "ValueError: bad header" in line["exception"]
    assert "canary" not in out.getvalue()
    assert JWT not in out.getvalue()


@pytest.mark.attack("Q-01")
@pytest.mark.parametrize(
    "value",
    [
        Secret("canary"),
        b"canary",
        "pmcp_rt_canary.canary",
        "pmcp_dc_canary-~canary",
        f"token {JWT}",
        "Authorization: Bearer canary-canary",
        "basic Y2FuYXJ5canary==",
        "https://x/callback?code=canary&state=canary",
        {"a": ["pmcp_ac_canary", (Secret("canary"),)]},
        {"pmcp_at_canary": 1},
        ValueError("pmcp_at_canary"),
    ],
)
def test_text_that_looks_like_a_secret_is_masked(out: LogLines, value: object) -> None:
    out.configure("info")
    structlog.get_logger("x").info("event", value=value)
    assert "canary" not in out.getvalue()
    assert "…" in str(out.read_all()[0]["value"])


@pytest.mark.attack("Q-01")
@given(
    st.text(),
    st.sampled_from(["at", "rt", "ac", "dc", "cs", "zz"]),
    st.from_regex(r"[A-Za-z0-9_.~-]{12,40}", fullmatch=True),
)
def test_token_is_masked_in_any_text(before: str, kind: str, rest: str) -> None:
    assert rest not in mask(f"{before} pmcp_{kind}_{rest}")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text("abc "), st.lists))
def test_harmless_text_is_unchanged(value: object) -> None:
    assert mask(value) == value


def test_terminal_lines_are_human_readable(out: LogLines) -> None:
    out.terminal = True
    out.configure("info")
    structlog.get_logger("x").info("mapping.loaded", token=Secret("canary"))
    assert "mapping.loaded" in out.getvalue()
    assert not out.getvalue().startswith("{")
    assert "canary" not in out.getvalue()
