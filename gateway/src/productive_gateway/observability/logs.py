"""Logs: one line per event on stdout, as JSON or, on a terminal, as text.

The gateway's own lines and those of libraries pass the same processors; the last one masks whatever
looks like a secret. Libraries log at WARNING and above, because below that they quote requests; one
that quotes them there too logs at ERROR. Audit lines are written at every level: an audit must not
depend on how verbose the log is. As JSON they have a way of their own (see `audit_lines`).
"""

from __future__ import annotations

import logging
import sys
from threading import RLock
from typing import Final

import structlog
from structlog.types import Processor

from productive_contract.masking import mask_line
from productive_gateway.observability.audit import to_log, write_audit_lines
from productive_gateway.observability.audit_lines import LOGGER as AUDIT
from productive_gateway.observability.audit_lines import AuditLines
from productive_gateway.observability.request_id import add_request_id

_LIBRARIES: Final = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "httpx",
    "httpcore",
    "mcp",
)
"""Libraries that may set their own levels and handlers."""
_QUOTING: Final = "opentelemetry.trace"
"""Warns of each malformed trace context, and repeats it. Anybody who can connect may send one."""


def configure_logs(level: str) -> None:
    """Send structlog's and the standard library's lines through the same processors.

    Args:
        level: debug, info, warning or error; the lowest level of the gateway's own lines.
    """
    shared: list[Processor] = [
        add_request_id,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.format_exc_info,
        mask_line,
    ]
    terminal = sys.stdout.isatty()
    renderer: Processor = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.lock = lock = RLock()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.setLevel(logging.WARNING)
        library.handlers, library.propagate = [], True
    logging.getLogger(_QUOTING).setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)

    def own_logger(name: str = "gateway") -> logging.Logger:
        # Only the gateway's own modules get their loggers through structlog.
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO if name == AUDIT else level.upper())
        return logger

    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=own_logger,
        cache_logger_on_first_use=True,
    )
    write_audit_lines(to_log if terminal else AuditLines(sys.stdout, lock).write)
