"""HTTP sessions for Kopf: address, TLS policy and token of our own client, observed.

Kopf keeps to itself what these requests show: that a window was opened, that a kind is listed anew
after a gap, and that the CRD is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import aiohttp

from productive_contract.names import OPERATOR_FIELD_MANAGER
from productive_kube.backoff import Backoff
from productive_kube.client import KubeClient
from productive_operator.watches import Watch, Watches

PAUSE_FROM: Final = 0.5
PAUSE_TO: Final = 8.0
"""Seconds between attempts of one request, and between logins that follow each other: from,
doubling, to."""
USER_AGENT: Final = f"{OPERATOR_FIELD_MANAGER}/kopf"
_SETTLED_SECONDS: Final = 60.0
"""A login that lasted as long was a good one."""


class Sessions:
    """Opens a session at each login. Kopf closes one before it asks for the next."""

    def __init__(
        self,
        client: KubeClient,
        watches: Watches,
        enqueue: Callable[[str], None],
        still_served: Callable[[], Awaitable[bool]],
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            client: what all sessions are made from.
            watches: are kept informed.
            enqueue: asks for a pass, because of a change of that kind.
            still_served: is asked after a 404 whether the API server knows ProductiveUsers; if not,
                it ends the program.
        """
        self._client = client
        self.server = client.server
        self._watches: Mapping[str, Watch] = {watch.name: watch for watch in watches}
        self._enqueue = enqueue
        self._still_served = still_served
        self._backoff = Backoff(PAUSE_FROM, PAUSE_TO)
        self._last: aiohttp.ClientSession | None = None
        self._opened = 0.0

    async def open(self) -> aiohttp.ClientSession:
        """Return a new session; after a refused one, first wait.

        Kopf logs in again at each 401. The token is read again for each request, so a login changes
        nothing, and without a pause an API server that refuses a token would be asked hundreds of
        times in a second.
        """
        now = asyncio.get_running_loop().time
        if self._last is not None:
            if now() - self._opened >= _SETTLED_SECONDS:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next())
        self._opened = now()
        self._last = self._client.new_session(self._observe)
        self._last.headers["User-Agent"] = USER_AGENT
        return self._last

    async def aclose(self) -> None:
        """Close the last session, which Kopf does only if it has used it."""
        if self._last is not None:
            await self._last.close()

    async def _observe(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        watch = self._watches.get(request.url.path.rpartition("/")[2])
        if watch is None:
            return await handler(request)
        response = await self._answered(request, handler)
        if response.status == 200 and request.url.query.get("watch"):
            watch.open()
        elif response.status == 200:
            # Kopf lists at the start and after a gap. A deletion in the gap is in no event, so
            # a list is a change, even if everything in it is as the last pass left it.
            watch.report()
            self._enqueue("list")
        return response

    async def _answered(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send the request until it is found: Kopf does not survive a 404."""
        backoff = Backoff(PAUSE_FROM, PAUSE_TO)
        while True:
            response = await handler(request)
            if response.status != 404:
                return response
            response.close()
            if not await self._still_served():
                # The program ends, and with it the task that waits here.
                await asyncio.Event().wait()
            await asyncio.sleep(backoff.next())
