"""Kopf: the watches of ProductiveUsers and token Secrets. Their handlers ask for a pass, no more.

Only `on.event` handlers, which write nothing: every other kind of handler, and the index, patches
each object or costs quadratic time. A deletion during a gap of the watch is never told to a
handler, which is one more reason why a pass lists everything. The only importer of kopf.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from typing import Any, Final, Protocol

import kopf

from productive_contract.names import GROUP, PLURAL, TOKEN_TYPE, VERSION
from productive_kube.errors import NoCluster
from productive_operator.conditions import Status, decode_status
from productive_operator.users import User, decode_user, secret_version

CHUNK: Final = 500
WINDOW_SECONDS: Final = 10
"""Length of one watch request, which the next one continues. A connection that died without a word
is noticed after it, so that a person who was removed is gone a few seconds later."""
SLACK_SECONDS: Final = 3


class Nudges(Protocol):
    """Who is asked for a pass: `loop.Loop`."""

    def nudge(self, kind: str) -> None:
        """Ask for a pass, because of a change of that kind."""
        ...


class Knows(Protocol):
    """Who knows what the last pass left: `rendering.Rendering`."""

    def is_settled(self, user: User, status: Status | None) -> bool:
        """Tell whether the object is as the last pass left it."""
        ...

    def has_listed(self, version: str) -> bool:
        """Tell whether the last pass saw a token Secret in just this version."""
        ...


class Backoffs:
    """Seconds between attempts of one of Kopf's requests: without an end.

    Otherwise Kopf gives up after a minute without the API server, and the restarts that follow keep
    the operator away for minutes after the API server is back.
    """

    def __iter__(self) -> Iterator[float]:
        """Yield the delays of one request."""
        yield from (0.5, 1, 2, 4)
        while True:
            yield 8


def registry(nudges: Nudges, knows: Knows) -> kopf.OperatorRegistry:
    """Return the handlers."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def login(**arguments: Any) -> kopf.ConnectionInfo:
        found = kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(
            **arguments
        )
        if found is None:
            raise NoCluster("no Kubernetes API server is configured: set KUBECONFIG")
        return found

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def on_user(event: kopf.RawEvent, **_: Any) -> None:
        user_changed(event, nudges, knows)

    @kopf.on.event("", "v1", "secrets", registry=handlers)
    async def on_secret(event: kopf.RawEvent, **_: Any) -> None:
        secret_changed(event, nudges, knows)

    return handlers


def user_changed(event: kopf.RawEvent, nudges: Nudges, knows: Knows) -> None:
    """Ask for a pass, unless the event is the echo of a status that the last pass wrote."""
    body = event["object"]
    if event["type"] == "DELETED" or not knows.is_settled(decode_user(body), decode_status(body)):
        nudges.nudge("user")


def secret_changed(event: kopf.RawEvent, nudges: Nudges, knows: Knows) -> None:
    """Ask for a pass, unless the last one saw this very Secret, as at the start of a watch."""
    if event["type"] == "DELETED" or not knows.has_listed(secret_version(event["object"])):
        nudges.nudge("secret")


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


async def watch(nudges: Nudges, knows: Knows, namespace: str, stop: asyncio.Event) -> None:
    """Watch until `stop` is set, which SIGTERM and SIGINT do as well.

    Args:
        nudges: who is asked for a pass.
        knows: who knows which changes are our own.
        namespace: where ProductiveUsers and their Secrets are.
        stop: when to end.
    """
    # Kopf logs whole objects at its finest level, Secrets among them.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    ours = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry(nudges, knows),
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
