"""An event loop in a thread, for servers that must go on while a synchronous test waits."""

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
    """Runs coroutines from any other thread; `close` cancels what is left."""

    def __init__(self, name: str) -> None:
        self._selector = selectors.DefaultSelector()
        self.loop = asyncio.SelectorEventLoop(self._selector)
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end and return the result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(CALL_SECONDS)

    def call(self, function: Any, *arguments: Any) -> None:
        """Call a function in the loop's thread, soon."""
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
        # Cancelled TLS streams say goodbye first. A peer that was stopped, or is too busy, does not
        # answer that: it is not waited for, and the collector must not find its socket during
        # another test. What is left then is the loop's own socket.
        patience = self.loop.time() + CLOSE_SECONDS
        while len(self._selector.get_map()) > 1 and self.loop.time() < patience + ABORT_SECONDS:
            if self.loop.time() >= patience:
                for transport in list(self.loop._transports.values()):  # type: ignore[attr-defined]
                    transport.abort()
            await asyncio.sleep(0.005)
        # A socket is closed one round after its transport.
        await asyncio.sleep(0)
