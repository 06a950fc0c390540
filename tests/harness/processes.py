"""Programs under test as processes that never outlive the run, and folders and ports for them."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

START_SECONDS = 60.0
TICK_SECONDS = 0.02


class ProgramFailed(AssertionError):
    """A program ended or was not ready in time; the text holds the end of its log."""


class _Guardian:
    """The writing end to `guardian.py`, started with the first program of this run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def tell(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", Path(__file__).with_name("guardian.py")],
                    stdin=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
                atexit.register(self._dismiss, self._process)
            pipe = self._process.stdin
            assert pipe is not None
            pipe.write(line + "\n")
            pipe.flush()

    @staticmethod
    def _dismiss(process: subprocess.Popen[str]) -> None:
        process.communicate()


_guardian = _Guardian()


class Program:
    """One process in a group of its own, with its output in a file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _guardian.tell(f"+ {process.pid}")
        return process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def output(self) -> str:
        """Return all that it printed so far."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self._process.send_signal(number)

    def stop(self, seconds: float = 10.0) -> int:
        """Ask it to end (SIGTERM), wait, and return its exit code.

        Raises:
            ProgramFailed: it was still there after that time; it is killed.
        """
        self._process.terminate()
        try:
            return self.wait(seconds)
        except ProgramFailed:
            self.kill()
            raise

    def wait(self, seconds: float = 10.0) -> int:
        """Return its exit code once it has ended by itself.

        Raises:
            ProgramFailed: it runs on.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProgramFailed(
                f"{self.name} still runs after {seconds:g} s\n{self._tail()}"
            ) from None
        _guardian.tell(f"- {self.pid}")
        return code

    def kill(self) -> None:
        """End the process and its children at once (SIGKILL)."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def restart(self) -> None:
        """Kill it when it runs, and start the same command again."""
        self.kill()
        self._process = self._spawn()

    def until(self, ready: Callable[[], bool], *, seconds: float = START_SECONDS) -> None:
        """Wait until `ready` says so.

        Raises:
            ProgramFailed: it ended, or time is up.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                code = self._process.returncode
                raise ProgramFailed(f"{self.name} ended with {code}\n{self._tail()}")
            if time.monotonic() > deadline:
                raise ProgramFailed(f"{self.name} not ready after {seconds:g} s\n{self._tail()}")
            pause()

    def _tail(self) -> str:
        return f"the end of {self.log}:\n{self.output()[-3000:]}"


def pause(seconds: float = TICK_SECONDS) -> None:
    """Let a moment go by between two looks at something that gives no event."""
    threading.Event().wait(seconds)


def eventually(met: Callable[[], bool], *, seconds: float = 10.0, what: str) -> None:
    """Look again and again until `met`.

    Raises:
        AssertionError: it was not within that time.
    """
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        pause()


def new_folder(name: str) -> Path:
    """Make a temporary folder that goes with this run."""
    folder = Path(tempfile.mkdtemp(prefix=f"productive-mcp-{name}-"))
    _guardian.tell(f"folder {folder}")
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder of `new_folder` early."""
    shutil.rmtree(folder, ignore_errors=True)


_given: set[int] = set()


def free_port() -> int:
    """Return a port that nothing listens on, and that no call of this process got before.

    It lies below the range from which systems take ports for outgoing connections, so that none of
    these can take it between this call and the program's start.
    """
    choose = random.SystemRandom()
    while True:
        port = choose.randrange(20_000, 32_000)
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


def listening(port: int) -> bool:
    """Tell whether something accepts connections on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
