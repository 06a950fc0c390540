"""An administrator's terminal: the lines that people type, run as they stand in the docs."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

from harness.kube import Object

LONGEST_SECONDS = 420
"""A line that takes longer hangs."""


class LineFailed(AssertionError):
    """A line ended with an error; `str()` has the line and all that it said."""


class Terminal:
    """Runs kubectl, helm and others of PATH in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, line: str, *, given: str | None = None) -> str:
        """Run a line to its end; return what it printed.

        Args:
            line: program and arguments, quoted as in a shell.
            given: what it reads from standard input.

        Raises:
            LineFailed: it ended with an error, or not at all.
        """
        try:
            done = subprocess.run(
                shlex.split(line),
                check=False,
                cwd=self._folder,
                capture_output=True,
                text=True,
                input=given,
                timeout=LONGEST_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise LineFailed(f"$ {line}\nstill runs after {LONGEST_SECONDS} s") from error
        if done.returncode:
            raise LineFailed(f"$ {line}\n{done.stdout}{done.stderr}")
        return done.stdout

    def tried(self, line: str) -> str:
        """Run a line that may fail; return all that it said."""
        try:
            return self(line)
        except LineFailed as error:
            return str(error)

    def found(self, line: str) -> Object:
        """Run a line whose output is JSON, such as `kubectl get … -o json`."""
        document: Object = json.loads(self(line))
        return document
