"""Audit lines as JSON: one object in one line each, like all other lines, and without secrets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from io import StringIO
from threading import Event as ThreadEvent
from threading import RLock, Thread
from typing import Any

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from harness.loglines import LogLines, log_lines, serving
from productive_contract.masking import mask
from productive_gateway.observability.audit import Event, audit, to_log, write_audit_lines
from productive_gateway.observability.audit_lines import AuditLines

SIGNS = ("pmcp_at_", "eyJ", "Bearer ", "bearer\n", "BA\u017fIC ", "code=", "\u017ftate=", "=", "%")
FOREIGN = st.lists(st.sampled_from(SIGNS) | st.text(), max_size=6).map("".join)
"""Texts from outside, many of them with the signs of a secret."""
LETTERS = st.from_regex(r"[A-Za-z0-9]{12,24}", fullmatch=True)
FORMS = ("pmcp_at_{}", "eyJ{}.{}.x", "Bearer {}", "basic  {}", "?code={}&x", "STATE={}")


@pytest.fixture
def out() -> Iterator[LogLines]:
    with log_lines() as lines:
        yield lines


def written(event: str, facts: dict[str, Any]) -> dict[str, Any]:
    stream = StringIO()
    AuditLines(stream, RLock()).write(event, facts)
    text = stream.getvalue()
    assert text.isascii()
    assert text.splitlines() == [text.removesuffix("\n")]
    line: dict[str, Any] = json.loads(text)
    return line


@given(st.dictionaries(FOREIGN, FOREIGN | st.floats(allow_nan=False) | st.booleans()), FOREIGN)
@example({"client_name": "Ba\u017fic abcdefgh1234"}, "")
@example({"client_name": '\u2028{"event": "forged"}\n'}, "")
def test_any_text_makes_one_line_masked_as_every_other(facts: dict[str, Any], text: str) -> None:
    line = written("tool_called", {**facts, "text": text})
    own = {"event", "logger", "level", "timestamp"}
    assert {name: value for name, value in line.items() if name not in own} == {
        name: mask(value) for name, value in {**facts, "text": text}.items() if name not in own
    }


@pytest.mark.attack("Q-01")
@pytest.mark.parametrize("form", FORMS)
@given(before=FOREIGN, secret=LETTERS)
@example(before="", secret="abcdefgh1234")
def test_a_secret_anywhere_in_a_fact_is_masked(form: str, before: str, secret: str) -> None:
    line = written("tool_called", {"client_name": f"{before} {form.replace('{}', secret)}"})
    assert secret not in json.dumps(line)


@pytest.mark.attack("Q-01")
@pytest.mark.parametrize("form", FORMS)
@given(secret=LETTERS)
def test_a_secret_in_a_long_fact_is_masked(form: str, secret: str) -> None:
    text = f"{'long ' * 100} {form.replace('{}', secret)}"
    assert secret not in written("tool_called", {"client_name": text})["client_name"]


@given(st.from_regex(r"[A-Za-z0-9]*", fullmatch=True))
@example("eyJ" + "a" * 40)
@example("BearerabcdefgH1234")
def test_letters_and_digits_alone_are_never_masked(text: str) -> None:
    assert mask(text) == text


def test_an_audit_line_has_the_form_of_other_lines(out: LogLines) -> None:
    out.configure("error")
    with serving("r1"):
        audit(Event.SIGNED_IN, reason="ok", email="ana@example.com", user="ns/ana", writes=2)
    [line] = out.read_all()
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo is not None
    assert line == {
        "audit": True,
        "email": "ana@example.com",
        "event": "signed_in",
        "level": "info",
        "logger": "audit",
        "reason": "ok",
        "request_id": "r1",
        "user": "ns/ana",
        "writes": 2,
    }


def test_on_a_terminal_audit_lines_are_human_readable(out: LogLines) -> None:
    out.terminal = True
    out.configure("error")
    audit(Event.SIGNED_IN, user="ns/ana", client_name="pmcp_at_canary")
    assert "signed_in" in out.getvalue()
    assert not out.getvalue().startswith("{")
    assert "canary" not in out.getvalue()


def test_before_the_log_is_configured_audit_lines_go_through_structlog() -> None:
    write_audit_lines(to_log)
    with structlog.testing.capture_logs() as lines:
        audit(Event.SIGNED_IN, user="ns/ana")
    assert [line["event"] for line in lines] == ["signed_in"]


def write_audit_line() -> None:
    audit(Event.TOOL_CALLED, user="ns/ana")


def write_other_line() -> None:
    structlog.get_logger("x").info("other")


class Halting(LogLines):
    """Stops in the middle of the first line, and lets another thread write if nothing holds it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_halfway, self.was_interrupted = ThreadEvent(), ThreadEvent()

    def write(self, text: str) -> int:
        if self.is_halfway.is_set():
            self.was_interrupted.set()
            return super().write(text)
        super().write(text[:20])
        self.is_halfway.set()
        self.was_interrupted.wait(0.5)
        super().write(text[20:])
        return len(text)


@pytest.mark.parametrize(
    ("first", "second"),
    [(write_audit_line, write_other_line), (write_other_line, write_audit_line)],
    ids=["audit first", "audit second"],
)
def test_lines_of_two_threads_do_not_run_into_each_other(
    first: Callable[[], None], second: Callable[[], None]
) -> None:
    with log_lines():
        out = Halting()
        out.configure("info")
        thread = Thread(target=first)
        thread.start()
        assert out.is_halfway.wait(60)
        second()
        thread.join()
    assert {line["event"] for line in out.read_all()} == {"other", "tool_called"}


def test_a_log_that_cannot_be_written_fails_no_request() -> None:
    class Closed(StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    AuditLines(Closed(), RLock()).write("tool_called", {})
