"""The gateway as a child process, configured by its documented settings only."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from productive_dev.processes import end

COMMAND: Final = (str(Path(sys.executable).with_name("productive-gateway")), "serve")
"""The gateway of this environment."""
_CLUSTER_ONLY: Final = frozenset({"MAPPING_SECRET", "KEY_RING", "KEY_RING_SECRET"})
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1


class GatewayStopped(Exception):
    """The gateway ended, or did not become ready in time; `str()` says where to look."""


def gateway_environment(
    settings: Mapping[str, str], port: int, internal_port: int
) -> dict[str, str]:
    """Return the settings, with those added that keep the gateway on this machine.

    Without a key in the settings each start makes a new one: grants are in memory, so no sign-in
    survives a restart anyway. The log level is "warning", to keep the terminal readable.
    """
    return {
        "COOKIE_ENCRYPTION_KEY": secrets.token_hex(32),
        "LOG_LEVEL": "warning",
        **{name: value for name, value in settings.items() if name not in _CLUSTER_ONLY},
        "PUBLIC_URL": f"http://localhost:{port}",
        "PORT": str(port),
        "INTERNAL_PORT": str(internal_port),
        "GRANTS": "memory:",
    }


class GatewayProcess:
    """One running gateway."""

    def __init__(self, process: asyncio.subprocess.Process, internal_port: int) -> None:
        self._process = process
        self._ready = f"http://127.0.0.1:{internal_port}/readyz"

    @classmethod
    async def start(
        cls, command: Sequence[str], environ: Mapping[str, str], internal_port: int
    ) -> GatewayProcess:
        """Start it; it writes to the same output as this program."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
        )
        return cls(process, internal_port)

    async def ready(self) -> None:
        """Return when it is ready.

        Raises:
            GatewayStopped: it ended first, or took too long.
        """
        try:
            async with asyncio.timeout(_START_SECONDS), httpx.AsyncClient(trust_env=False) as http:
                while True:
                    if await self._serves(http):
                        return
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise GatewayStopped(
                f"The gateway was not ready within {_START_SECONDS:.0f} s; its log above says why."
            ) from None

    async def ended(self) -> int:
        """Wait for it to end, and return its exit code."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End it: by SIGTERM first, by SIGKILL after some seconds."""
        await end(self._process, seconds=_STOP_SECONDS)

    async def _serves(self, http: httpx.AsyncClient) -> bool:
        if self._process.returncode is not None:
            raise GatewayStopped(
                f"The gateway ended with code {self._process.returncode}; its log above says why."
            )
        try:
            answer = await http.get(self._ready)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK
