"""Programs under test as processes that never outlive the run, with folders and ports."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import resource
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
from typing import Protocol

START_SECONDS = 60.0
TICK_SECONDS = 0.02


class ProgramFailed(AssertionError):
    """A program ended or was not ready in time; `str()` has the end of its log."""


class _Cleanup:
    """Sends messages to `cleanup.py`, which it starts with the first program of the run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def send(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", Path(__file__).with_name("cleanup.py")],
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


_cleanup = _Cleanup()


def remember(pid: int) -> None:
    """Let a process group be killed when this run ends, however it does."""
    _cleanup.send(f"+ {pid}")


def forget(pid: int) -> None:
    """Note that a process has ended and was reaped."""
    _cleanup.send(f"- {pid}")


class Process(Protocol):
    """What a program needs of its process: `subprocess.Popen` has it."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code."""
        ...

    def send_signal(self, sig: int) -> None:
        """Send a signal to the process, if it runs."""
        ...

    def terminate(self) -> None:
        """Send SIGTERM, if it runs."""
        ...


class Program:
    """One process in a process group of its own, with its output in a file."""

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

    def _spawn(self) -> Process:
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        remember(process.pid)
        return process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def resident_bytes(self) -> int:
        """Return the memory that the process holds."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def open_files(self) -> int:
        """Return how many descriptors it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def output(self) -> str:
        """Return its output so far."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self._process.send_signal(number)

    def stop(self, seconds: float = 10.0) -> int:
        """Send SIGTERM, wait, and return the exit code.

        Raises:
            ProgramFailed: it did not end in time and was killed.
        """
        self._process.terminate()
        try:
            return self.wait(seconds)
        except ProgramFailed:
            self.kill()
            raise

    def wait(self, seconds: float = 10.0) -> int:
        """Wait until it ends by itself, and return the exit code.

        Raises:
            ProgramFailed: it is still running.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProgramFailed(
                f"{self.name} is still running after {seconds:g} s\n{self._tail()}"
            ) from None
        forget(self.pid)
        return code

    def kill(self) -> None:
        """Kill the process and its children (SIGKILL)."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def restart(self) -> None:
        """Kill it if it is running, and start the same command again."""
        self.kill()
        self._process = self._spawn()

    def until(self, ready: Callable[[], bool], *, seconds: float = START_SECONDS) -> None:
        """Wait until `ready` returns true.

        Raises:
            ProgramFailed: the program ended, or the time is up.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                code = self._process.returncode
                raise ProgramFailed(f"{self.name} ended with {code}\n{self._tail()}")
            if time.monotonic() > deadline:
                raise ProgramFailed(f"{self.name} is not ready after {seconds:g} s\n{self._tail()}")
            pause()

    def _tail(self) -> str:
        return f"the end of {self.log}:\n{self.output()[-3000:]}"


def pause(seconds: float = TICK_SECONDS) -> None:
    """Wait a moment between two checks of something that sends no events."""
    threading.Event().wait(seconds)


def eventually(met: Callable[[], bool], *, seconds: float = 10.0, what: str) -> None:
    """Check repeatedly until `met` returns true.

    Raises:
        AssertionError: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        pause()


def new_folder(name: str) -> Path:
    """Create a temporary folder that is removed with this run."""
    folder = Path(tempfile.mkdtemp(prefix=f"productive-mcp-{name}-"))
    _cleanup.send(f"folder {folder}")
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder of `new_folder` before the run ends."""
    shutil.rmtree(folder, ignore_errors=True)


_given: set[int] = set()


def free_port() -> int:
    """Return a port that nothing listens on and that this process has not returned before.

    It is below the range of ports for outgoing connections, so that none of these can take it
    before the program starts.
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
    """Report whether something accepts connections on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
