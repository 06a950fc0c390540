"""The gateway as a child process, with nothing but its documented settings."""

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
_OF_A_CLUSTER: Final = frozenset({"MAPPING_SECRET", "KEY_RING", "KEY_RING_SECRET"})
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1


class GatewayStopped(Exception):
    """The gateway ended, or did not become ready; `str()` says where to look."""


def gateway_environment(
    settings: Mapping[str, str], port: int, internal_port: int
) -> dict[str, str]:
    """Return settings with what keeps the gateway on this machine, which none of them changes.

    Unless one is set, the key is another at each start: grants are in memory, so nobody stays
    signed in anyway. Lines about what goes well are left out, for the terminal is for people.
    """
    return {
        "COOKIE_ENCRYPTION_KEY": secrets.token_hex(32),
        "LOG_LEVEL": "warning",
        **{name: value for name, value in settings.items() if name not in _OF_A_CLUSTER},
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
        """Start it; its lines go where ours go."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
        )
        return cls(process, internal_port)

    async def ready(self) -> None:
        """Return when it serves.

        Raises:
            GatewayStopped: it ended before, or took too long.
        """
        try:
            async with asyncio.timeout(_START_SECONDS), httpx.AsyncClient(trust_env=False) as http:
                while True:
                    if await self._serves(http):
                        return
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise GatewayStopped(
                f"The gateway was not ready within {_START_SECONDS:.0f} s; its lines above say why."
            ) from None

    async def ended(self) -> int:
        """Wait for it to end, and return its exit code."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End it: by a request first, by force after some seconds."""
        await end(self._process, seconds=_STOP_SECONDS)

    async def _serves(self, http: httpx.AsyncClient) -> bool:
        if self._process.returncode is not None:
            raise GatewayStopped(
                f"The gateway ended with code {self._process.returncode}; its lines above say why."
            )
        try:
            answer = await http.get(self._ready)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK
