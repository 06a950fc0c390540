"""Running programs: quietly when they succeed, with all they said when they fail."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.processes import pause


class Failed(Exception):
    """A step did not work; the text says which, and what the program said."""


def run(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    given: str | None = None,
) -> str:
    """Run a program to its end; return what it printed.

    Args:
        command: the program and its arguments.
        env: the whole environment; without it, this process's.
        cwd: where it runs.
        given: what it reads from standard input.

    Raises:
        Failed: it is missing, or ended with another code than 0.
    """
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=env, cwd=cwd, input=given
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is missing here: {error}") from error
    if done.returncode:
        raise Failed(f"{_words(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def works(*command: str | Path, env: Mapping[str, str] | None = None) -> bool:
    """Return whether a program is there and ends with 0."""
    try:
        return not subprocess.run(command, check=False, capture_output=True, env=env).returncode
    except FileNotFoundError:
        return False


def pipe(source: Sequence[str | Path], sink: Sequence[str | Path], env: Mapping[str, str]) -> None:
    """Run two programs, the output of the first being the input of the second.

    Raises:
        Failed: one of them failed.
    """
    with subprocess.Popen(source, stdout=subprocess.PIPE, env=env) as first:
        done = subprocess.run(
            sink, check=False, stdin=first.stdout, capture_output=True, text=True, env=env
        )
        if first.stdout is not None:
            first.stdout.close()
        code = first.wait()
    if code or done.returncode:
        raise Failed(f"{_words(source)} | {_words(sink)}:\n{done.stdout}{done.stderr}")


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what begins and how long it took."""
    started = time.monotonic()
    print(f"   {title}", flush=True)
    yield
    took = time.monotonic() - started
    if took >= 1:
        print(f"   {title}: {took:.0f} s", flush=True)


def until(what: str, ready: Sequence[str | Path], env: Mapping[str, str], seconds: float) -> None:
    """Run a program again and again until it ends with 0.

    Raises:
        Failed: it did not within that time; with what it said last.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            run(*ready, env=env)
        except Failed as error:
            if time.monotonic() > end:
                raise Failed(f"{what} did not come within {seconds:.0f} s; {error}") from error
            pause()
        else:
            return


def say(text: str) -> None:
    """Print a line for the person who waits."""
    print(text, file=sys.stdout, flush=True)


def _words(command: Sequence[str | Path]) -> str:
    text = " ".join(str(one) for one in command)
    return text if len(text) <= 300 else f"{text[:300]}…"
