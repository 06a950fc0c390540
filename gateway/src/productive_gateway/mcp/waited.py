"""Whether anything else ran between two moments.

While a coroutine does not wait, nothing else runs on its event loop: what was true stays true.
"""

from __future__ import annotations

import asyncio


class Waited:
    """Begins to watch when it is made."""

    def __init__(self) -> None:
        self._others_ran = False
        self._handle = asyncio.get_running_loop().call_soon(self._note)

    def end(self) -> bool:
        """Return whether the event loop had a turn since the beginning, and stop watching."""
        self._handle.cancel()
        return self._others_ran

    def _note(self) -> None:
        self._others_ran = True
