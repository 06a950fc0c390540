"""Measures requests that the gateway sends, by the semantic conventions of OpenTelemetry."""

from __future__ import annotations

import re
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from prometheus_client import Histogram

from productive_gateway.observability.metrics import PRODUCTIVE_SECONDS, PROVIDER_SECONDS
from productive_gateway.observability.timed import Timed
from productive_gateway.observability.tracing import OpenSpan, begin_span, is_tracing

_WORD: Final = re.compile(r"[a-z_]+")
"""A part of a path of Productive's API that is no id."""


class ProductiveRequest(Timed):
    """One request to Productive; a context manager around it and the reading of its answer."""

    __slots__ = ("_method", "_path", "_url", "seconds", "status")

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
        self.status = 0
        """Of the answer, once there is one."""
        self.seconds = 0.0
        """What it took, once it is over."""

    def begin(self) -> OpenSpan | None:
        """Begin the span of the request."""
        if not is_tracing():
            return None
        # Ids say which records a person looked at.
        parts = self._path.split("/")[1:]
        template = "/".join(one if _WORD.fullmatch(one) else "{id}" for one in parts)
        attributes = {
            "http.request.method": self._method,
            "server.address": urlsplit(self._url).hostname or "",
            "url.template": f"/{template}",
        }
        return begin_span(f"{self._method} /{template}", "CLIENT", attributes)

    def end(self, seconds: float, error: type[BaseException] | None, span: OpenSpan | None) -> None:
        """Record the request."""
        self.seconds = seconds
        # A status that came without its whole body is no answer.
        status = "" if error is not None else str(self.status)
        error_type = error.__name__ if error is not None else status if self.status >= 400 else ""
        _productive(self._method, status, error_type).observe(seconds)
        if span is not None:
            known = {"http.response.status_code": self.status} if self.status else {}
            span.end(known, error_type=error_type)


class ProviderRequest(Timed):
    """One request to the sign-in provider; a context manager around it."""

    __slots__ = ("_unavailable", "_what")

    def __init__(self, what: str, unavailable: type[Exception]) -> None:
        """Begin.

        Args:
            what: the document or endpoint: discovery, jwks, userinfo or token.
            unavailable: the error that says that there is no answer.
        """
        self._what = what
        self._unavailable = unavailable

    def begin(self) -> OpenSpan | None:
        """Begin the span of the request."""
        return begin_span(f"provider {self._what}", "CLIENT", {})

    def end(self, seconds: float, error: type[BaseException] | None, span: OpenSpan | None) -> None:
        """Record the request."""
        if error is None:
            outcome = "ok"
        elif issubclass(error, self._unavailable) or not issubclass(error, Exception):
            outcome = "unavailable"
        else:
            outcome = "refused"
        PROVIDER_SECONDS.labels(self._what, outcome).observe(seconds)
        if span is not None:
            span.end(error_type="" if outcome == "ok" else outcome)


@cache
def _productive(method: str, status: str, error_type: str) -> Histogram:
    return PRODUCTIVE_SECONDS.labels(method, status, error_type)
