"""`make run`: starts everything, prints the addresses, and ends everything together."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from productive_dev.idp.app import dev_idp
from productive_dev.idp.config import IdpConfig
from productive_dev.local.gateway import (
    COMMAND,
    GatewayProcess,
    GatewayStopped,
    gateway_environment,
)
from productive_dev.local.mode import (
    API,
    ORGANIZATION,
    PEOPLE,
    Mode,
    choose,
    read_settings,
)
from productive_dev.local.people import STRANGER, ExamplePeople
from productive_dev.serving import serving
from productive_dev.simulator.app import BASE_PATH, simulator
from productive_dev.simulator.seed.people import NORTHLIGHT
from productive_dev.sockets import LOOPBACK, listen, port_of

PORT: Final = 8787
_CLIENT_ID: Final = "productive-mcp-local"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Where the examples and settings are, and where to listen."""

    port: int
    examples: Path
    env_file: Path
    environ: Mapping[str, str]
    command: Sequence[str] = COMMAND
    """The command that starts the gateway."""


@dataclass(frozen=True, slots=True)
class _Setup:
    """What the gateway runs with."""

    settings: Mapping[str, str]
    people: ExamplePeople | None = None
    following: asyncio.Task[None] | None = None
    """Follows the example files; ends only with an error."""


async def run(options: RunOptions, say: Callable[[str], None], stop: asyncio.Event) -> None:
    """Run until `stop` is set.

    Raises:
        MixtureError: the settings describe only half of a real setup.
        PortError: the port is taken.
        GatewayStopped: the gateway ended by itself.
    """
    settings = read_settings(options.environ, options.env_file)
    mode = choose(settings)
    # The gateway binds the port itself; checking it here gives an early and clear message.
    listen(options.port).close()
    if mode is Mode.WORKER:
        say("Real sign-in, real people, the real Productive.")
        await _gateway(options, _Setup(settings), stop, say)
        return
    async with _demonstration(options, settings, say) as setup:
        await _gateway(options, setup, stop, say)


@asynccontextmanager
async def _demonstration(
    options: RunOptions, given: Mapping[str, str], say: Callable[[str], None]
) -> AsyncIterator[_Setup]:
    """Run simulator, dev IdP and the example people; yield the gateway's setup."""
    with tempfile.TemporaryDirectory(prefix="productive-mcp-") as folder:
        mapping = Path(folder) / "users.json"
        people = ExamplePeople(options.examples, mapping, say)
        api, idp = listen(0), listen(0)
        config = IdpConfig(
            origin=f"http://{LOOPBACK}:{port_of(idp)}",
            client_id=_CLIENT_ID,
            client_secret=secrets.token_urlsafe(24),
            redirect_uris=(f"http://localhost:{options.port}/callback",),
            users=people.users,
        )
        say(f"Simulator of Productive: http://localhost:{port_of(api)}")
        say("Development sign-in, which asks for no password: " + config.origin)
        async with serving(simulator(), api), serving(dev_idp(config), idp):
            following = asyncio.create_task(people.follow())
            try:
                await _first(people.rendered(), _failure_of(following))
                settings = {
                    "OIDC_ISSUER": config.issuer,
                    "OIDC_CLIENT_ID": config.client_id,
                    "OIDC_CLIENT_SECRET": config.client_secret,
                    PEOPLE: str(mapping),
                    API: f"http://{LOOPBACK}:{port_of(api)}{BASE_PATH}",
                    ORGANIZATION: NORTHLIGHT,
                }
                yield _Setup({**given, **settings}, people, following)
            finally:
                following.cancel()


async def _gateway(
    options: RunOptions, setup: _Setup, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    say("Gateway: starting …")
    internal = _free_port()
    environ = gateway_environment(setup.settings, options.port, internal)
    gateway = await GatewayProcess.start(options.command, environ, internal)
    try:
        await _first(gateway.ready(), stop.wait())
        if not stop.is_set():
            say(_welcome(options.port, setup.people))
            watched = () if setup.following is None else (_failure_of(setup.following),)
            await _first(gateway.ended(), stop.wait(), *watched)
    finally:
        await gateway.stop()
    if not stop.is_set():
        raise GatewayStopped(f"The gateway ended with code {await gateway.ended()}.")


def _welcome(port: int, people: ExamplePeople | None) -> str:
    address = f"http://localhost:{port}"
    lines = [
        "",
        f"Ready: {address}",
        f"Give your MCP client the address {address}/mcp",
    ]
    if people is not None:
        lines += [
            "People who may sign in (edit examples/ to change this at once):",
            people.describe(),
            f"To see the page for people without access, sign in as {STRANGER.email}.",
        ]
    return "\n".join([*lines, "Press Ctrl-C to stop everything.", ""])


async def _failure_of(task: asyncio.Task[None]) -> None:
    """Raise the error of a task that should never end; do not cancel the task."""
    await asyncio.wait([task])
    task.result()


async def _first(*parts: Awaitable[object]) -> None:
    """Return when one of several ends, or raise its error; cancel the others."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()


def _free_port() -> int:
    listener = listen(0)
    try:
        return port_of(listener)
    finally:
        listener.close()
