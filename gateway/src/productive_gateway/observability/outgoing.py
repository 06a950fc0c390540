"""Measures requests that the gateway sends, by the semantic conventions of OpenTelemetry."""

from __future__ import annotations

import re
import time
from functools import cache
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from prometheus_client import Histogram

from productive_gateway.observability.metrics import PRODUCTIVE_SECONDS, PROVIDER_SECONDS
from productive_gateway.observability.tracing import OpenSpan, begin_span, is_tracing

_WORD: Final = re.compile(r"[a-z_]+")
"""A part of a path of Productive's API that is no id."""


class ProductiveRequest:
    """One request to Productive; a context manager around it and the reading of its answer."""

    __slots__ = ("_begun", "_method", "_path", "_span", "_url", "seconds", "status")

    def __init__(self, method: str, url: str, path: str) -> None:
        """Begin.

        Args:
            method: of HTTP.
            url: of the API.
            path: below it.
        """
        self._method = method
        self._url = url
        self._path = path
        self._span: OpenSpan | None = None
        self._begun = 0.0
        self.status = 0
        """Of the answer, once there is one."""
        self.seconds = 0.0
        """What it took, once it is over."""

    def __enter__(self) -> Self:
        self._span = _begin_productive(self._method, self._url, self._path)
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
        if self._span is not None:
            known = {"http.response.status_code": self.status} if self.status else {}
            self._span.end(known, error_type=error_type)


class ProviderRequest:
    """One request to the sign-in provider; a context manager around it."""

    __slots__ = ("_begun", "_span", "_unavailable", "_what")

    def __init__(self, what: str, unavailable: type[Exception]) -> None:
        """Begin.

        Args:
            what: the document or endpoint: discovery, jwks, userinfo or token.
            unavailable: the error that says that there is no answer.
        """
        self._what = what
        self._unavailable = unavailable
        self._span: OpenSpan | None = None
        self._begun = 0.0

    def __enter__(self) -> Self:
        self._span = begin_span(f"provider {self._what}", "CLIENT", {})
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
        if self._span is not None:
            self._span.end(error_type="" if outcome == "ok" else outcome)


@cache
def _productive(method: str, status: str, error_type: str) -> Histogram:
    return PRODUCTIVE_SECONDS.labels(method, status, error_type)


def _begin_productive(method: str, url: str, path: str) -> OpenSpan | None:
    if not is_tracing():
        return None
    # Ids say which records a person looked at.
    template = "/".join(one if _WORD.fullmatch(one) else "{id}" for one in path.split("/")[1:])
    attributes = {
        "http.request.method": method,
        "server.address": urlsplit(url).hostname or "",
        "url.template": f"/{template}",
    }
    return begin_span(f"{method} /{template}", "CLIENT", attributes)
