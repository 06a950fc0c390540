"""Faults between a program and the API server, as values for `RecordingProxy.rule`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import aiohttp

Predicate = Callable[["Seen"], bool]


@dataclass(slots=True, eq=False)
class Seen:
    """One request as the proxy saw it; `status` is None until an answer was passed on."""

    number: int
    method: str
    target: str
    """Path and query as received."""
    path: str
    query: dict[str, str]
    user_agent: str
    body: bytes
    connection: int = 0
    """Which connection it came over: the port of the client."""
    status: int | None = None
    upstream_status: int | None = None
    """The status of the API server's answer, even if that was not passed on."""

    @property
    def watch(self) -> bool:
        return self.query.get("watch", "") in {"1", "true", "True"}

    @property
    def name(self) -> str | None:
        """The name of the object, from the path or from a field selector that begins with it."""
        first = self.query.get("fieldSelector", "").partition(",")[0]
        selected = first.removeprefix("metadata.name=")
        return self._parts()[1] or (selected if "=" not in selected and selected else None)

    @property
    def resource(self) -> str | None:
        """The plural, such as `secrets` or `productiveusers/status`."""
        return self._parts()[0]

    def _parts(self) -> tuple[str | None, str | None]:
        parts = self.path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            rest = rest[2:]
        if not rest:
            return None, None
        resource = "/".join([rest[0], *rest[2:3]])
        return resource, rest[1] if len(rest) > 1 else None


@dataclass(frozen=True, slots=True)
class CutBefore:
    """Cut the connection before the API server receives the request."""


@dataclass(frozen=True, slots=True)
class CutAfter:
    """Let the API server execute the request, but cut instead of answering (not for watches)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with a Status object instead of asking the API server."""

    status: int
    reason: str = ""
    message: str = "made by a test"
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Answer in the API server's place as something else would: without a Status object."""

    status: int
    text: str = "<html></html>"
    location: str | None = None
    """Where a redirect leads."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait a number of seconds before forwarding the request."""

    seconds: float


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Send nothing and close nothing, like a peer that disappeared without a packet.

    Streams that are already open go silent, too. Removing the rule cuts these connections.
    """

    after: int = 0
    """Bytes of the answer that still come through; of watches none do."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold the request (or, with `after`, the API server's answer) until `release` is called."""

    at: Literal["before", "after"] = "before"
    _open: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        self._open.set()

    async def released(self) -> None:
        while not self._open.is_set():  # noqa: ASYNC110 (set from another thread)
            await asyncio.sleep(0.005)


@dataclass(frozen=True, slots=True)
class Trap(Hold):
    """Holds a request or its answer for ever: when released, the connection is cut.

    `reached` is set when the first request, or its answer, is held.
    """

    reached: threading.Event = field(default_factory=threading.Event)

    async def released(self) -> None:
        self.reached.set()
        await Hold.released(self)
        raise aiohttp.ClientConnectionError


Fault = CutBefore | CutAfter | Answer | Page | Delay | HalfOpen | Hold


@dataclass(eq=False)
class Rule:
    """A fault for the requests that match a predicate; `hits` are those that it was applied to."""

    predicate: Predicate
    fault: Fault
    times: int | None
    hits: list[Seen] = field(default_factory=list)
    removed: bool = False

    def matches(self, seen: Seen) -> bool:
        spent = self.times is not None and len(self.hits) >= self.times
        return not self.removed and not spent and self.predicate(seen)

    def remove(self) -> None:
        self.removed = True
        if isinstance(self.fault, Hold):
            self.fault.release()
