"""What the operator writes to its log: JSON lines, and nothing secret in them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from productive_contract.secret import Secret
from productive_operator.logs import configure

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"


class Lines(io.StringIO):
    def read_all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def out() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    lines = Lines()
    with contextlib.redirect_stdout(lines):
        configure("INFO")
    yield lines
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_a_line_is_json_with_time_level_and_logger(out: Lines) -> None:
    structlog.get_logger("reconciler").info("mapping.published", people=3)
    [line] = out.read_all()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "mapping.published",
        "level": "info",
        "logger": "reconciler",
        "people": 3,
    }


def test_libraries_log_at_warning_and_above(out: Lines) -> None:
    for name in ("kopf.objects", "aiohttp.client", "anything"):
        logging.getLogger(name).info("whole objects")
        logging.getLogger(name).warning("careful")
    assert [line["event"] for line in out.read_all()] == ["careful"] * 3


def test_no_line_holds_a_secret(out: Lines) -> None:
    log = structlog.get_logger("reconciler")
    log.warning("status.refused", why=f"Bearer {JWT}", token=Secret("canary"), data=b"canary")
    logging.getLogger("kopf").error("Request failed: Authorization: Bearer %s", JWT)
    try:
        raise ValueError(f"Bearer {JWT}")  # noqa: TRY301
    except ValueError:
        log.exception("operator.crashed")
    assert len(out.read_all()) == 3
    assert "canary" not in out.getvalue()
    assert JWT not in out.getvalue()
