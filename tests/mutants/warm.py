"""`python -m mutants.warm FILE…`: runs pytest again and again, and imports foreign packages once.

Importing them takes most of a short run, and no mutant changes them. So this process imports what
the tests FILE… need of them, and forks for each run. It reads a JSON list on each line: arguments,
a file for the output, and the most seconds; it answers with a line when that run is over.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

# Plugins that are imported already cannot have their assertions rewritten, which nothing needs.
_ALWAYS: Final = ("-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")


def main(files: Sequence[str]) -> int:
    """Serve runs until the input ends."""
    for name in _foreign_modules(files):
        with suppress(Exception):
            importlib.import_module(name)
    for line in sys.stdin:
        arguments, output, most = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(arguments, output)
        _await(child, most)
        print("over", flush=True)
    return 0


def _foreign_modules(files: Sequence[str]) -> list[str]:
    """Return the modules outside the tree that these tests import."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _direct_output(os.devnull)
        with suppress(BaseException):
            pytest.main(["--collect-only", "-qq", *_ALWAYS, *files])
        with os.fdopen(writing, "w") as pipe:
            json.dump([name for name, one in sys.modules.items() if _is_foreign(one)], pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        names: list[str] = json.load(pipe)
    os.waitpid(child, 0)
    return names


def _is_foreign(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and Path(file).is_relative_to(sys.prefix)


def _run(arguments: Sequence[str], output: str) -> None:
    os.setsid()
    _direct_output(output)
    # Of a mutant; what was compiled before is still read.
    sys.dont_write_bytecode = True
    try:
        pytest.main([*_ALWAYS, *arguments])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _await(child: int, most: float) -> None:
    timer = threading.Timer(most, os.killpg, (child, signal.SIGKILL))
    timer.start()
    os.waitpid(child, 0)
    timer.cancel()
    # No thread may run at the next fork.
    timer.join()


def _direct_output(file: str) -> None:
    target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(target, stream)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
