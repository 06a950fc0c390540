"""Kills the processes of a test run and removes its folders, however the run ended.

`harness.processes` starts this program, which reads lines `+ PID`, `- PID` and `folder PATH` from
standard input. It acts when the input ends, as it does even if the run was killed. A process that
was not reaped keeps its id, so all ids still belong to the run. Standard library only.
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
