"""Batches of JSON-RPC messages, which only revision 2025-03-26 has.

The messages run one after the other, and their answers are one JSON array. A batch that is refused
as a whole has done nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
from starlette.responses import JSONResponse, Response
from starlette.types import Receive

from productive_gateway.mcp.message import MalformedMessage, Message, check_message
from productive_gateway.mcp.revision import WITHOUT_HEADER

MAX_MESSAGES: Final = 20


class Batch:
    """The messages of one request."""

    def __init__(self, values: list[Any], revision: str | None) -> None:
        """Take the members of the posted array.

        Args:
            values: the members.
            revision: the version header, if there is one.

        Raises:
            MalformedMessage: the revision has no batches, or the batch is empty, too large or
                contains `initialize`, which the revision forbids.
        """
        if revision not in {None, WITHOUT_HEADER}:
            raise MalformedMessage("This revision has no batches. Send one message at a time.")
        if not values:
            raise MalformedMessage("The batch is empty.")
        if len(values) > MAX_MESSAGES:
            raise MalformedMessage(f"A batch can have at most {MAX_MESSAGES} messages.")
        if any(isinstance(value, dict) and value.get("method") == "initialize" for value in values):
            raise MalformedMessage('"initialize" must not be part of a batch. Send it by itself.')
        self._values = values
        self._answers: list[Message] = []
        self._malformed = 0

    async def run(
        self, receive: Receive, answer: Callable[[Message], Awaitable[Message | None]]
    ) -> None:
        """Let each message be answered, until the client disconnects.

        Args:
            receive: reports the disconnect.
            answer: returns the answer to one message, or None if it gets none.
        """
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_on_disconnect, receive, group.cancel_scope)
            for value in self._values:
                try:
                    answered = await answer(check_message(value))
                except MalformedMessage as error:
                    self._malformed += 1
                    answered = error.answer
                if answered is not None:
                    self._answers.append(answered)
            group.cancel_scope.cancel()

    def response(self) -> Response:
        """Return the answers so far: 202 if no message gets one, 400 if none was well formed."""
        if not self._answers:
            return Response(status_code=202)
        return JSONResponse(self._answers, 400 if self._malformed == len(self._values) else 200)


async def _cancel_on_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
