"""A process that has imported the gateway, and forks one whenever it is asked to.

A gateway starts in a tenth of a second this way; tests that kill dozens of them need that. Requests
are lines of JSON on standard input, answers are lines on standard output. It is the gateway as
installed, but for four things: it sweeps when it gets SIGUSR1, not at random times, a person may
have `CAP` grants, nobody waits long for the lease of a gateway that died, and hosts of client
documents have the public address `ADDRESS`, so that the proxy of the settings decides which host
really answers.

Started by `harness.gatewayforks`.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import json
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from productive_gateway import app, cli
from productive_gateway.grants import transitions
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.sweeper import INTERVAL, Sweeper
from productive_gateway.networks import Address
from productive_gateway.outbound.client import trusted
from productive_gateway.outbound.resolver import SystemResolver

ADDRESS = "93.184.216.34"
CAP = 3
"""Grants that a person may have."""
LEASE, SKEW = 3.0, 1.0
"""Seconds; see the constants of these names."""
IDLE = "the sweeper waits"
"""What a gateway prints before it waits for SIGUSR1."""


def main() -> None:
    import_module("productive_gateway.serving")  # the command imports it when it runs
    trusted(None)  # loading the authorities takes long
    print("ready", flush=True)
    ended: dict[int, int] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            print(_fork(request["start"], request["environment"]), flush=True)
        else:
            print(json.dumps(_exit_code(request["poll"], ended)), flush=True)


def _fork(log: str, environment: dict[str, str]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            _become_gateway(log, environment)
        finally:
            os._exit(1)
    return pid


def _become_gateway(log: str, environment: dict[str, str]) -> None:
    os.setsid()
    # Until the sweeper waits.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, opened in enumerate((nothing, output, output)):
        os.dup2(opened, number)
    os.environ.clear()
    os.environ.update(environment)
    changed: dict[str, Any] = {
        "Sweeper": functools.partial(Sweeper, pause=_until_asked),
        "GrantConfig": functools.partial(GrantConfig, per_person=CAP),
        "SystemResolver": _Names,
    }
    vars(app).update(changed)
    vars(transitions).update({"LEASE": LEASE, "SKEW": SKEW})
    code = cli.main(["serve"])
    sys.stdout.flush()
    os._exit(code)


class _Names(SystemResolver):
    """A name server that knows every host."""

    async def resolve(self, host: str) -> Sequence[Address]:  # noqa: ARG002
        return [ipaddress.ip_address(ADDRESS)]


async def _until_asked(seconds: float) -> None:
    """Wait for SIGUSR1 in place of the time between two sweeps."""
    if seconds < INTERVAL[0]:
        return
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, asked.set)
    print(IDLE, flush=True)
    await asked.wait()


def _exit_code(pid: int, ended: dict[int, int]) -> int | None:
    if pid not in ended:
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            return None
        ended[pid] = os.waitstatus_to_exitcode(status)
    return ended[pid]


if __name__ == "__main__":
    main()
