"""Runs several writes of one call, and tells which of them failed."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

from productive_gateway.errors import GatewayError
from productive_gateway.productive.wire.errors import ProductiveError
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.errors import ToolError
from productive_gateway.tools.kit.failure import Failure, failure_of

T = TypeVar("T")


class Steps:
    """Runs the writes of one call, one after the other.

    An error of the first one is raised, because nothing is done then. What fails later is told in
    the answer, beside what was done.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self.begun = False
        """Whether something was written; the caller may have written before."""
        self.failed: list[Failure] = []

    async def done(self, what: str, write: Awaitable[object]) -> bool:
        """Run one write that may have no result; whether it succeeded; see `run`."""

        async def whole() -> bool:
            await write
            return True

        return await self.run(what, whole()) is not None

    async def run(self, what: str, write: Awaitable[T]) -> T | None:
        """Run one write; None if it failed.

        Args:
            what: what it does, for the answer.
            write: the write.

        Raises:
            ToolError: it failed, and it was the first one.
            ProductiveError: likewise.
        """
        try:
            found = await write
        except (ProductiveError, GatewayError, ToolError) as error:
            if not self.begun:
                raise
            problem = self._call.explain.explain(error)
            self.failed.append(failure_of(replace(problem, message=f"{what}: {problem.message}")))
            return None
        self.begun = True
        return found
