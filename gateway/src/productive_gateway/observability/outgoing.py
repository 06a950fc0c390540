"""Measures requests that the gateway sends, by the semantic conventions of OpenTelemetry."""

from __future__ import annotations

import time
from functools import cache
from types import TracebackType
from typing import Self

from prometheus_client import Histogram

from productive_gateway.observability.metrics import PRODUCTIVE_SECONDS, PROVIDER_SECONDS


class ProductiveRequest:
    """One request to Productive; a context manager around it and the reading of its answer."""

    __slots__ = ("_begun", "_method", "seconds", "status")

    def __init__(self, method: str) -> None:
        self._method = method
        self._begun = 0.0
        self.status = 0
        """Of the answer, once there is one."""
        self.seconds = 0.0
        """What it took, once it is over."""

    def __enter__(self) -> Self:
        self._begun = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._begun
        # A status that came without its whole body is no answer.
        status = "" if kind is not None else str(self.status)
        error_type = kind.__name__ if kind is not None else status if self.status >= 400 else ""
        _productive(self._method, status, error_type).observe(self.seconds)


class ProviderRequest:
    """One request to the sign-in provider; a context manager around it."""

    __slots__ = ("_begun", "_unavailable", "_what")

    def __init__(self, what: str, unavailable: type[Exception]) -> None:
        """Begin.

        Args:
            what: the document or endpoint: discovery, jwks, userinfo or token.
            unavailable: the error that says that there is no answer.
        """
        self._what = what
        self._unavailable = unavailable
        self._begun = 0.0

    def __enter__(self) -> Self:
        self._begun = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            outcome = "ok"
        elif issubclass(kind, self._unavailable) or not issubclass(kind, Exception):
            outcome = "unavailable"
        else:
            outcome = "refused"
        seconds = time.perf_counter() - self._begun
        PROVIDER_SECONDS.labels(self._what, outcome).observe(seconds)


@cache
def _productive(method: str, status: str, error_type: str) -> Histogram:
    return PRODUCTIVE_SECONDS.labels(method, status, error_type)
