"""Kopf watches ProductiveUsers and token Secrets; its handlers ask for a pass, and do no more.

They say which name to list again, and nothing else of an event is believed.

Only `on.event` handlers, which write nothing: every other kind of handler, and the index, patches
each object or costs quadratic time. A deletion during a gap of the watch is never reported to a
handler, which is one reason why everything is listed after a gap and from time to time.

Kopf sends its requests through sessions of our own client, so that address, TLS policy, token and
pauses are the same for both: what works for one works for the other. The only importer of kopf.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any, Final

import aiohttp
import kopf

from productive_contract.names import GROUP, PLURAL, TOKEN_TYPE, VERSION
from productive_kube.backoff import Backoff
from productive_operator.changes import secret_named, user_named
from productive_operator.conditions import decode_status
from productive_operator.reconciler import Reconciler
from productive_operator.scheduler import Scheduler
from productive_operator.sessions import PAUSE_FROM, PAUSE_TO, Sessions
from productive_operator.users import decode_user, secret_version

CHUNK: Final = 500
WINDOW_SECONDS: Final = 10
"""Length of one watch request, which the next one continues. A connection that died unnoticed is
found after it, so that a person who was removed is gone a few seconds later."""
SLACK_SECONDS: Final = 3


class Backoffs:
    """Seconds between attempts of one of Kopf's requests: without an end.

    Otherwise Kopf gives up after a minute without the API server, and the restarts that follow keep
    the operator away for minutes after the API server is back.
    """

    def __iter__(self) -> Iterator[float]:
        """Yield the delays of one request."""
        backoff = Backoff(PAUSE_FROM, PAUSE_TO)
        while True:
            yield backoff.next()


def registry(
    server: str,
    open_session: Callable[[], Awaitable[aiohttp.ClientSession]],
    scheduler: Scheduler,
    reconciler: Reconciler,
) -> kopf.OperatorRegistry:
    """Return the handlers.

    Args:
        server: URL of the API server.
        open_session: returns a session for each login.
        scheduler: is asked for a pass.
        reconciler: knows which changes are our own.
    """
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=server, aiohttp_session=await open_session())

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def on_user(event: kopf.RawEvent, **_: Any) -> None:
        user_changed(event, scheduler, reconciler)

    @kopf.on.event("", "v1", "secrets", registry=handlers)
    async def on_secret(event: kopf.RawEvent, **_: Any) -> None:
        secret_changed(event, scheduler, reconciler)

    return handlers


def user_changed(event: kopf.RawEvent, scheduler: Scheduler, reconciler: Reconciler) -> None:
    """Ask for a pass, unless the event is the echo of a status that the last pass wrote."""
    reconciler.watches.users.report()
    deleted, body = event["type"] == "DELETED", event["object"]
    if deleted or not reconciler.is_settled(decode_user(body), decode_status(body)):
        scheduler.enqueue("user", user_named(body["metadata"]["name"]))


def secret_changed(event: kopf.RawEvent, scheduler: Scheduler, reconciler: Reconciler) -> None:
    """Ask for a pass, unless the last one saw this very Secret, as at the start of a watch."""
    reconciler.watches.secrets.report()
    deleted, body = event["type"] == "DELETED", event["object"]
    if deleted or not reconciler.has_listed(secret_version(body)):
        scheduler.enqueue("secret", secret_named(body["metadata"]["name"]))


def settings() -> kopf.OperatorSettings:
    """Return Kopf's settings: least rights, and bounded waits."""
    values = kopf.OperatorSettings()
    # Neither CRDs nor namespaces are watched, which would need rights in the whole cluster.
    values.scanning.disabled = True
    values.posting.enabled = False
    values.watching.server_timeout = WINDOW_SECONDS
    values.watching.client_timeout = WINDOW_SECONDS + SLACK_SECONDS
    values.watching.connect_timeout = SLACK_SECONDS
    values.watching.chunk_size = CHUNK
    values.watching.field_selectors["", "v1", "secrets"] = f"type={TOKEN_TYPE}"
    # Each object's worker waits that long for another event; a start has one for every object.
    values.queueing.idle_timeout = 0.2
    values.networking.request_timeout = 15
    values.networking.connect_timeout = SLACK_SECONDS
    values.networking.error_backoffs = Backoffs()
    return values


async def watch(
    sessions: Sessions,
    namespace: str,
    scheduler: Scheduler,
    reconciler: Reconciler,
    stop: asyncio.Event,
) -> None:
    """Watch until `stop` is set, which SIGTERM and SIGINT do as well.

    Args:
        sessions: what Kopf sends its requests through.
        namespace: where ProductiveUsers and their Secrets are.
        scheduler: is asked for a pass.
        reconciler: knows which changes are our own.
        stop: when to end.
    """
    # Kopf logs whole objects at its finest level, Secrets among them.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    ours = asyncio.all_tasks()
    async with aclosing(sessions):
        tasks = await kopf.spawn_tasks(
            registry=registry(sessions.server, sessions.open, scheduler, reconciler),
            settings=settings(),
            namespaces=[namespace],
            standalone=True,
            stop_flag=stop,
        )
        # Kopf has put handlers of its own in place, which would let it wait for the flag in vain.
        stop_on_signals(stop)
        await kopf.run_tasks(tasks, ignored=ours)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set the flag."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
