"""What a program writes to its log."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import structlog
from structlog._config import BoundLoggerLazyProxy

from productive_gateway.observability.audit import to_log, write_audit_lines
from productive_gateway.observability.logs import configure_logs
from productive_gateway.observability.request_id import REQUEST_ID


class LogLines(io.StringIO):
    """Standard output of a program that logs."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal

    def read_all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def configure(self, level: str) -> None:
        """Configure the gateway's log as a program with this output does."""
        with contextlib.redirect_stdout(self):
            configure_logs(level)


@contextlib.contextmanager
def log_lines() -> Iterator[LogLines]:
    """Restore the log of the tests at the end."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        yield LogLines()
    finally:
        logging.captureWarnings(capture=False)
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()
        write_audit_lines(to_log)
        _forget_cached_loggers()


def _forget_cached_loggers() -> None:
    """Let modules log as tests expect: a cached logger keeps the configuration it met first."""
    for one in gc.get_objects():
        if isinstance(one, BoundLoggerLazyProxy):
            one.__dict__.pop("bind", None)


@contextlib.contextmanager
def serving(request_id: str) -> Iterator[None]:
    """Do something as part of this HTTP request."""
    outer = REQUEST_ID.set(request_id)
    try:
        yield
    finally:
        REQUEST_ID.reset(outer)
