"""`subscriptions/listen` of MCP 2026-07-28: people hear that their list of tools changed.

The list depends on a person's entry of the mapping, which every replica watches anyway. So each
replica reports changes to the streams that it holds, and nothing connects the replicas. The SDK's
handler speaks the protocol; here is decided what a stream may hear of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import ListenHandler, ServerEvent, ToolsListChanged
from mcp.shared.exceptions import MCPError

from productive_gateway.observability.metrics import STREAMS_OPEN
from productive_gateway.people.principal import Principal
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.tools.kit.access import Allowed
from productive_gateway.tools.registry import ToolRegistry

MOST_STREAMS: Final = 8
"""Streams of one person at the same time, on one replica."""
MOST_STREAMS_TOGETHER: Final = 500
"""Streams of all people at the same time, on one replica, unless configured. Each holds a
connection that never gives way, so they must leave some to other requests."""
_MOST_WAITING: Final = 16
"""Changes that wait for a client to read them; one that lets more of them wait is disconnected."""


class _Channel:
    """What one stream hears of: the SDK's `SubscriptionBus` with a single listener."""

    def __init__(self, allowed: Allowed, now: Callable[[], Allowed | None]) -> None:
        """Remember what the person may use at first.

        Args:
            allowed: by this the client was told its tools.
            now: what the person may use now; None if that is unknown.
        """
        self._allowed = allowed
        self._now = now
        self._listener: Callable[[ServerEvent], None] | None = None
        self.handler = ListenHandler(self, max_subscriptions=1, max_buffered_events=_MOST_WAITING)

    async def publish(self, event: ServerEvent) -> None:
        """Let the stream hear of an event."""
        if self._listener is not None:
            self._listener(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Take the listener of the stream, and report at once what changed before it."""
        self._listener = listener
        self.compare()
        return self._forget

    def compare(self) -> None:
        """Report a change if the person may use something else than before."""
        allowed = self._now()
        if self._listener is not None and allowed is not None and allowed != self._allowed:
            self._allowed = allowed
            self._listener(ToolsListChanged())

    def _forget(self) -> None:
        self._listener = None


class Subscriptions:
    """The open streams of this replica, by person."""

    def __init__(
        self,
        registry: ToolRegistry,
        most: int = MOST_STREAMS,
        *,
        most_together: int = MOST_STREAMS_TOGETHER,
    ) -> None:
        """Open none yet.

        Args:
            registry: knows what a person may use.
            most: streams of one person at the same time.
            most_together: streams of all people.
        """
        self._registry = registry
        self._most = most
        self._most_together = most_together
        self._snapshot: Snapshot | None = None
        self._open: dict[str, list[_Channel]] = {}
        self._closed = False

    def take(self, snapshot: Snapshot) -> None:
        """Use a new mapping, and tell the people who may use something else now."""
        self._snapshot = snapshot
        for channels in list(self._open.values()):
            for channel in channels:
                channel.compare()

    def close(self) -> None:
        """End all streams with their result, and open no other: this replica stops."""
        self._closed = True
        for channels in self._open.values():
            for channel in channels:
                channel.handler.close()

    async def listen(
        self,
        principal: Principal,
        ctx: ServerRequestContext[Any, Any],
        params: types.SubscriptionsListenRequestParams,
    ) -> types.SubscriptionsListenResult:
        """Serve one stream until its client disconnects or this replica stops.

        Raises:
            MCPError: the person has too many streams, all people together have, or this replica
                stops.
        """
        # The SDK would acknowledge every kind; here only the list of tools ever changes.
        honored = types.SubscriptionFilter(
            tools_list_changed=params.notifications.tools_list_changed
        )
        narrowed = params.model_copy(update={"notifications": honored})
        with self._opened(principal) as channel:
            return await channel.handler(ctx, narrowed)

    @contextmanager
    def _opened(self, principal: Principal) -> Iterator[_Channel]:
        if self._closed:
            raise MCPError(types.INTERNAL_ERROR, "This server is about to stop. Listen again.")
        uid = principal.person.uid
        if len(self._open.get(uid, ())) >= self._most:
            raise MCPError(
                types.INTERNAL_ERROR,
                f"You have {self._most} subscriptions open, which is the most. Close one first.",
            )
        if sum(len(channels) for channels in self._open.values()) >= self._most_together:
            raise MCPError(
                types.INTERNAL_ERROR,
                "This server has too many subscriptions open. List the tools now and then instead.",
            )
        channel = _Channel(self._registry.allowed(principal.person), lambda: self._allowed(uid))
        channels = self._open.setdefault(uid, [])
        channels.append(channel)
        STREAMS_OPEN.inc()
        try:
            yield channel
        finally:
            STREAMS_OPEN.dec()
            channels.remove(channel)
            if not channels:
                self._open.pop(uid, None)

    def _allowed(self, uid: str) -> Allowed | None:
        person = None if self._snapshot is None else self._snapshot.by_uid.get(uid)
        return None if person is None else self._registry.allowed(person)
