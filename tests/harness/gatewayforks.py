"""Gateways that start in a tenth of a second, for tests that kill many of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from harness.processes import Process, Program, forget, pause, remember

HERE = Path(__file__).resolve().parents[1]


class GatewayForks:
    """The process that gateways are forked from; see `forkserver`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server = subprocess.Popen(
            [sys.executable, "-m", "harness.forkserver"],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        remember(self._server.pid)
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()
        forget(self._server.pid)

    def start(self, name: str, *, log: Path, environment: Mapping[str, str]) -> Program:
        """Start a gateway with these settings, and nothing else in its environment."""
        return _Forked(self, name, log=log, environment=environment)

    def ask(self, **request: Any) -> Any:
        """Send one request to the process and return its answer."""
        with self._lock:
            pipe, answers = self._server.stdin, self._server.stdout
            assert pipe is not None
            assert answers is not None
            pipe.write(json.dumps(request) + "\n")
            pipe.flush()
            return json.loads(answers.readline())


class _Forked(Program):
    def __init__(
        self, forks: GatewayForks, name: str, *, log: Path, environment: Mapping[str, str]
    ) -> None:
        self._forks = forks
        super().__init__(name, ["productive-gateway", "serve"], log=log, environment=environment)

    def _spawn(self) -> Process:
        environment = dict(self._environment or {})
        child = _Child(self._forks, self._forks.ask(start=str(self.log), environment=environment))
        remember(child.pid)
        return child


class _Child:
    """A forked process, with the part of `subprocess.Popen` that a program needs."""

    def __init__(self, forks: GatewayForks, pid: int) -> None:
        self._forks = forks
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._forks.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (timeout or 0)
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            pause()
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)
