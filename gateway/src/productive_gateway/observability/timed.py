"""What all measurements of a block have in common: its time, and the span that lasts as long."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from productive_gateway.observability.tracing import OpenSpan


class Timed(ABC):
    """A context manager around what is measured; it is entered once."""

    __slots__ = ("_begun", "_span")
    _span: OpenSpan | None
    _begun: float

    @abstractmethod
    def begin(self) -> OpenSpan | None:
        """Begin, and return the span; None while tracing is off."""

    @abstractmethod
    def end(self, seconds: float, error: type[BaseException] | None, span: OpenSpan | None) -> None:
        """Record what was measured.

        Args:
            seconds: that the block took.
            error: what ended it, if it was an error.
            span: of the block, to be ended.
        """

    def __enter__(self) -> Self:
        self._span = self.begin()
        self._begun = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end(time.perf_counter() - self._begun, kind, self._span)
