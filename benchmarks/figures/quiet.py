"""Keeps the logs of the product's own parts, run inside a benchmark, off its output."""

from __future__ import annotations

import logging

import structlog


def quiet_gateway_logs() -> None:
    """Show warnings only."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
