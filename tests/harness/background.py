"""An event loop in a thread, for servers that must run while a synchronous test waits."""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

CALL_SECONDS = 30.0
CLOSE_SECONDS = 3.0
ABORT_SECONDS = 1.0


class BackgroundLoop:
    """Runs coroutines for other threads; `close` cancels those that are left."""

    def __init__(self, name: str) -> None:
        self._selector = selectors.DefaultSelector()
        self.loop = asyncio.SelectorEventLoop(self._selector)
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return the result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(CALL_SECONDS)

    def call(self, function: Any, *arguments: Any) -> None:
        """Schedule a function in the loop's thread."""
        self.loop.call_soon_threadsafe(function, *arguments)

    def close(self) -> None:
        self.run(self._cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(CALL_SECONDS)
        self.loop.close()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.loop.shutdown_asyncgens()
        # Cancelled TLS streams shut down first, which a stopped or busy peer does not answer. Abort
        # those after a while: otherwise the garbage collector would find the sockets in another
        # test. The one socket that the selector keeps is the loop's own; a transport that closes or
        # does not read has left the selector, but not yet closed its socket.
        deadline = self.loop.time() + CLOSE_SECONDS
        while self._is_open() and self.loop.time() < deadline + ABORT_SECONDS:
            if self.loop.time() >= deadline:
                for transport in self._transports():
                    transport.abort()
            await asyncio.sleep(0.005)

    def _is_open(self) -> bool:
        return len(self._selector.get_map()) > 1 or bool(self._transports())

    def _transports(self) -> list[Any]:
        """Return the transports whose sockets are open; asyncio has no public way to know them."""
        known = list(self.loop._transports.values())  # type: ignore[attr-defined]
        return [transport for transport in known if transport._sock is not None]
