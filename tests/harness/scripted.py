"""An API server in memory with one Secret and the watch of it, for tests without a control plane.

Time is what the test says it is; a window lasts until the test ends it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from productive_kube.client import Listed
from productive_kube.errors import AlreadyExists, ApiError, NotFound, Unreachable

DEADLINE = 5.0
Item = TypeVar("Item")


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def unreachable() -> Unreachable:
    return Unreachable("watch x", status=0, reason="Timeout")


class ScriptedApi:
    """Holds the Secret, in a `KubeClient`'s place."""

    def __init__(self, data: Mapping[str, bytes] | None = None, *, version: int = 10) -> None:
        self.secret: dict[str, Any] | None = None
        self.failure: ApiError | None = None
        """Raised by every request while it is set."""
        self.failures: dict[str, ApiError] = {}
        """Raised by requests of that verb."""
        self.on_list: Callable[[], None] = lambda: None
        """Called while a list is under way."""
        self.on_get: Callable[[], Awaitable[None]] = _nothing
        """Awaited when a read has its answer, before that arrives."""
        self.listed_version: str | None = None
        """The version that lists show in place of the store's."""
        self.requests: list[str] = []
        self._version = version
        self._windows: list[asyncio.Queue[Any]] = []
        self._opened = asyncio.Event()
        if data is not None:
            self.put(data)

    def put(self, data: Mapping[str, bytes]) -> None:
        """Write the Secret and tell the open windows."""
        kind = "ADDED" if self.secret is None else "MODIFIED"
        self.put_unnoticed(data)
        self.tell({"type": kind, "object": self.secret})

    def put_unnoticed(self, data: Mapping[str, bytes]) -> None:
        """Write the Secret and tell no window."""
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        self.secret = {"metadata": self._next_metadata(), "data": encoded}

    def restore(self, data: Mapping[str, bytes], *, version: int) -> None:
        """Go back to an earlier version, with other data; no window learns of it."""
        self._version = version - 1
        self.put_unnoticed(data)

    def remove(self) -> None:
        gone = {**(self.secret or {}), "metadata": self._next_metadata()}
        self.secret = None
        self.tell({"type": "DELETED", "object": gone})

    def bookmark(self) -> None:
        self.tell({"type": "BOOKMARK", "object": {"metadata": self._next_metadata()}})

    def end_window(self) -> None:
        """Let the open windows end in order."""
        self.tell(None)

    def break_window(self, error: ApiError) -> None:
        self.tell(error)

    def tell(self, event: Any) -> None:
        """Send an event to the open windows; None ends them, an exception breaks them."""
        for window in self._windows:
            window.put_nowait(event)

    async def window(self) -> None:
        """Wait until a watch is open."""
        async with asyncio.timeout(DEADLINE):
            while not self._windows:
                self._opened.clear()
                await self._opened.wait()

    async def get(self, path: str, *, query: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
        self._note("get", path, query)
        if not path.endswith("/secrets"):
            found = self.secret
            await self.on_get()
            if found is None:
                raise NotFound(f"get {path}", status=404, reason="NotFound")
            return found
        items = [self.secret] if self.secret is not None else []
        return {"metadata": {"resourceVersion": str(self._version)}, "items": items}

    async def list(
        self,
        path: str,
        decode: Callable[[dict[str, Any]], Item],
        *,
        query: Sequence[tuple[str, str]] = (),
    ) -> Listed[Item]:
        self._note("list", path, query)
        self.on_list()
        items = [self.secret] if self.secret is not None else []
        version = str(self._version) if self.listed_version is None else self.listed_version
        return Listed([decode(item) for item in items], version)

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._note("create", path, ())
        if self.secret is not None:
            raise AlreadyExists(f"create {path}", status=409, reason="AlreadyExists")
        self.secret = body
        return body

    async def watch(
        self,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        resource_version: str,
        seconds: int = 10,  # noqa: ARG002 (a window ends when the test says so)
    ) -> AsyncGenerator[dict[str, Any], None]:
        self._note("watch", path, [*query, ("resourceVersion", resource_version)])
        events: asyncio.Queue[Any] = asyncio.Queue()
        self._windows.append(events)
        self._opened.set()
        try:
            while True:
                event = await events.get()
                if event is None:
                    return
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self._windows.remove(events)

    def _note(self, verb: str, path: str, query: Sequence[tuple[str, str]]) -> None:
        text = "&".join(f"{name}={value}" for name, value in query)
        self.requests.append(f"{verb} {path}?{text}" if text else f"{verb} {path}")
        failure = self.failure or self.failures.get(verb)
        if failure is not None:
            raise failure

    def _next_metadata(self) -> dict[str, str]:
        self._version += 1
        return {"resourceVersion": str(self._version), "uid": "u"}


async def _nothing() -> None:
    pass


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until the condition holds.

    Raises:
        TimeoutError: it does not within a few seconds.
    """
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event of its own)
            await asyncio.sleep(0.001)
