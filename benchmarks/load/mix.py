"""What one person's assistant sends: mostly calls of tools, now and then lists and a refresh."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from benchmarks.grants.population import Held
from benchmarks.load.client import Reply
from benchmarks.mcp.wire import MODERN, Message, call, message

from productive_gateway.grants.service import Tokens

READ: Final = "tools/call, reading"
WRITE: Final = "tools/call, writing"
LIST: Final = "tools/list"
DISCOVER: Final = "server/discover"
REFRESH: Final = "refresh"

TURN: Final = {READ: 10, WRITE: 2, LIST: 4, DISCOVER: 3, REFRESH: 1}
"""How many of twenty requests are of each kind."""
READS: Final = (
    call("get_me", MODERN),
    call("list_tasks", MODERN, assignee="me"),
    call("get_task", MODERN, task="20510087"),
)
TASKS: Final = ("20510087", "20510088", "20510092", "20510113", "20510212")
"""Of the simulator's Ana, whom all people of the load are."""
MOST_HOURS: Final = 40
_FAILED: Final = re.compile(rb'"error":\{[^{}]*?"code":"(\w+)"')


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, and what kind it is."""

    kind: str
    request: bytes


class Assistant:
    """What one client of one person sends, in an order of its own."""

    def __init__(self, number: int, host: str, client_id: str, held: Held) -> None:
        """Take the tokens of the person; each refresh replaces them.

        Args:
            number: decides the order.
            host: of the gateway.
            client_id: of all.
            held: the tokens.
        """
        self._host = host
        self._client_id = client_id
        self._held = held
        self._random = random.Random(number)
        self._kinds = self._endless()

    def next(self) -> Sent:
        """Return the next request."""
        kind = next(self._kinds)
        if kind == REFRESH:
            return Sent(kind, self._refresh())
        asked = self._message(kind)
        return Sent(kind, asked.to(self._host, "/mcp", self._held.tokens.access_token))

    def take(self, sent: Sent, reply: Reply) -> str | None:
        """Take an answer; returns what went wrong with a request that was answered with 200."""
        if reply.status != 200:
            return None
        if sent.kind == REFRESH:
            body = json.loads(reply.body)
            self._held.tokens = Tokens(body["access_token"], body["refresh_token"], 0, frozenset())
            return None
        if b'"isError":true' in reply.body:
            found = _FAILED.search(reply.body)
            return f"tool error {found[1].decode() if found else reply.body[:200]!r}"
        return None if b'"result":' in reply.body else f"no result: {reply.body[:200]!r}"

    def _endless(self) -> Iterator[str]:
        turn = [kind for kind, times in TURN.items() for _ in range(times)]
        while True:
            self._random.shuffle(turn)
            yield from turn

    def _message(self, kind: str) -> Message:
        if kind == READ:
            return self._random.choice(READS)
        if kind == WRITE:
            hours = self._random.randint(1, MOST_HOURS) / 4
            task = self._random.choice(TASKS)
            return call("update_task", MODERN, task=task, remaining_hours=hours)
        return message(kind, MODERN)

    def _refresh(self) -> bytes:
        form = {
            "grant_type": "refresh_token",
            "client_id": self._client_id,
            "refresh_token": self._held.tokens.refresh_token,
        }
        body = urlencode(form).encode()
        head = (
            f"POST /token HTTP/1.1\r\nHost: {self._host}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
