"""A deployment whose programs record which files they execute: `tracing/sitecustomize.py`."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from harness import deployment
from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.processes import Program, new_folder, remove_folder

HOOK = Path(__file__).parent / "tracing"


@dataclass
class Recording:
    """The files that one program executed during a `Traced.recording` block."""

    requests: frozenset[str] = field(default_factory=frozenset)
    """Files executed to answer HTTP requests."""
    background: frozenset[str] = field(default_factory=frozenset)
    """Files executed in tasks of its own."""


class Traced:
    """The product as processes, with one gateway."""

    def __init__(self, running: Deployment, sockets: Path) -> None:
        self.deployment = running
        self._sockets = sockets

    @contextmanager
    def recording(self, program: Program) -> Iterator[Recording]:
        """Record what a program executes during the block; complete when the block ends."""
        recording = Recording()
        self._send(program, "begin")
        yield recording
        found = self._send(program, "end")
        recording.requests = frozenset(found["requests"])
        recording.background = frozenset(found["background"])

    def _send(self, program: Program, word: str) -> dict[str, list[str]]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._sockets / str(program.pid)))
            connection.sendall(f"{word}\n".encode())
            answer = connection.makefile().read()
        found: dict[str, list[str]] = json.loads(answer)
        return found


@contextmanager
def traced(cluster: Cluster) -> Iterator[Traced]:
    """Run a traced deployment for the time of the block."""
    sockets = new_folder("walks")
    variables = {"PYTHONPATH": str(HOOK), "WALKS_SOCKETS": str(sockets)}
    inherited = (*deployment.INHERITED, *variables)
    try:
        with (
            mock.patch.dict(os.environ, variables),
            mock.patch.object(deployment, "INHERITED", inherited),
            Deployment(cluster, Plan(replicas=1)).running() as running,
        ):
            yield Traced(running, sockets)
    finally:
        remove_folder(sockets)
