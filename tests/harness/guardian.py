"""Kills what a test run started and removes its folders, however the run ended.

It is started by `harness.processes`, reads lines `+ PID`, `- PID` and `folder PATH` from its
standard input, and acts when that ends, which it does even when the run was killed. A process that
has not been reaped keeps its id, so the ids are still the run's own. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys


def main() -> None:
    groups: set[int] = set()
    folders: list[str] = []
    for line in sys.stdin:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "+":
            groups.add(int(rest))
        elif word == "-":
            groups.discard(int(rest))
        else:
            folders.append(rest)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
