"""Shares the connections to Productive between people, so that nobody can use them up.

A person may have a few requests under way, but never more than there are free slots. So however
many people wait for slow answers, some slots stay free for a person who has none yet.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

SLOTS: Final = 100
"""Requests to Productive at the same time; the connection pool has the same size."""
SLOTS_PER_PERSON: Final = 10


class RequestSlots:
    """Slots for requests; who waits for one does so in their person's own queue."""

    def __init__(self, *, total: int = SLOTS, per_person: int = SLOTS_PER_PERSON) -> None:
        self._free = total
        self._per_person = per_person
        self._used: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def slot(self, person: str) -> AsyncIterator[None]:
        """Hold a slot while the context is entered; wait for one first."""
        await self._take(person)
        try:
            yield
        finally:
            self._give_back(person)

    async def _take(self, person: str) -> None:
        if person not in self._waiting and self._allowed(person):
            self._occupy(person)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(person, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(person, turn)
            else:
                # The slot was given in the same moment; somebody else may have it.
                self._give_back(person)
            raise

    def _allowed(self, person: str) -> bool:
        return self._used[person] < min(self._per_person, self._free)

    def _occupy(self, person: str) -> None:
        self._free -= 1
        self._used[person] += 1

    def _give_back(self, person: str) -> None:
        self._free += 1
        self._used[person] -= 1
        if not self._used[person]:
            del self._used[person]
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        """Give free slots to people who wait, one each in turn."""
        while True:
            person = next((one for one in self._waiting if self._allowed(one)), None)
            if person is None:
                return
            turn = self._waiting[person].popleft()
            self._waiting.move_to_end(person)
            if not self._waiting[person]:
                del self._waiting[person]
            if not turn.done():
                self._occupy(person)
                turn.set_result(None)

    def _leave(self, person: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(person)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[person]
