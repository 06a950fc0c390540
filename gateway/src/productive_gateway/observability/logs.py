"""One line per event on stdout: JSON, or readable on a terminal.

Our own lines and those of libraries go through the same processors; the last one masks what looks
like a secret, whoever wrote it. Libraries speak from WARNING on: below that they quote requests.
Audit lines are written at every level, because who acted is not a matter of verbosity.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

import structlog
from structlog.types import Processor

from productive_contract.masking import mask_line

_OUTSPOKEN: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "httpx", "httpcore", "mcp")
"""Libraries that may set levels and handlers of their own."""
_AUDIT: Final = "audit"


def configure_logs(level: str) -> None:
    """Send structlog's and the standard library's lines through the same processors.

    Args:
        level: debug, info, warning or error; from where on our own lines are written.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
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
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in _OUTSPOKEN:
        library = logging.getLogger(name)
        library.setLevel(logging.WARNING)
        library.handlers, library.propagate = [], True
    logging.captureWarnings(capture=True)

    def own_logger(name: str = "gateway") -> logging.Logger:
        # Whoever gets a logger through structlog is one of us.
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO if name == _AUDIT else level.upper())
        return logger

    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=own_logger,
        # A cached logger would keep these processors when a test puts others in their place.
        cache_logger_on_first_use=False,
    )
