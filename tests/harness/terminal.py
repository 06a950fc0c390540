"""An administrator's terminal: runs command lines as they are in the docs."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

from harness.kube import Object

LONGEST_SECONDS = 420
"""A command that takes longer is considered hung."""


class LineFailed(AssertionError):
    """A command failed; `str()` has the command line and its output."""


class Terminal:
    """Runs kubectl, helm and other programs on PATH in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, line: str, *, given: str | None = None) -> str:
        """Run a command line; return its standard output.

        Args:
            line: program and arguments, quoted as in a shell.
            given: standard input of the command.

        Raises:
            LineFailed: the command failed or did not end.
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
            raise LineFailed(f"$ {line}\nis still running after {LONGEST_SECONDS} s") from error
        if done.returncode:
            raise LineFailed(f"$ {line}\n{done.stdout}{done.stderr}")
        return done.stdout

    def tried(self, line: str) -> str:
        """Run a command that may fail; return its output or the error."""
        try:
            return self(line)
        except LineFailed as error:
            return str(error)

    def found(self, line: str) -> Object:
        """Run a command whose output is JSON, such as `kubectl get … -o json`."""
        document: Object = json.loads(self(line))
        return document
