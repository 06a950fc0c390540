"""A server under load: where it listens, what its clients send, and what it uses."""

from __future__ import annotations

import os
from dataclasses import dataclass

from benchmarks.figures.processes import session_of

from harness.processes import Program

TOKENS = ("token-1", "token-2", "token-3", "token-4")
"""Of servers that know their tokens from the start."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where server and load run, so that they do not take turns."""

    server: int
    others: int

    @classmethod
    def of_this_machine(cls) -> Cores:
        """Return the first and the last that this process may use."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[-1])


@dataclass(slots=True)
class Server:
    """One running server."""

    program: Program
    port: int
    host: str
    """What clients call it."""
    ready_seconds: float
    ready_cpu_seconds: float
    tokens: tuple[str, ...] = TOKENS
    direct_port: int | None = None
    """Of the Worker: past the entry Worker of miniflare."""

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def mcp_url(self) -> str:
        return f"{self.url}/mcp"

    def cpu_seconds(self) -> float:
        """Return what the program and its children have used."""
        return sum(stat.cpu_seconds for stat in session_of(self.program.pid))

    def resident_mb(self) -> float:
        """Return the memory of the program and its children."""
        return sum(stat.resident_bytes for stat in session_of(self.program.pid)) / 2**20
