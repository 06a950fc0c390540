"""Writes one JSON line per event to stdout, our own and those of the libraries.

Both go through the same processors; the last one masks what looks like a secret, in every line.
Libraries log at WARNING and above: at their finest levels some of them log whole objects.
"""

from __future__ import annotations

import logging
import sys

import structlog

from productive_contract.masking import mask_line


def configure(level: str) -> None:
    """Send structlog's and the standard library's lines through the same processors.

    Args:
        level: DEBUG, INFO, WARNING or ERROR; from where on our own lines are written.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.format_exc_info,
        mask_line,
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)

    def own_logger(name: str) -> logging.Logger:
        # Whatever asks structlog for a logger is ours.
        logger = logging.getLogger(name)
        logger.setLevel(level)
        return logger

    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=own_logger,
        wrapper_class=structlog.stdlib.BoundLogger,
        # A cached logger would keep these processors when a test puts others in their place.
        cache_logger_on_first_use=False,
    )
