"""`productive-dev reload` restarts a command when sources change, and outlives the command."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from productive_dev.cli import main
from productive_dev.reloading import Intervals, reload

RUNS = """
import pathlib, runpy, sys, time
pathlib.Path(sys.argv[2]).open("a").write(runpy.run_path(sys.argv[1])["said"] + "\\n")
time.sleep(60)
"""
SHORT = Intervals(look=0.02, again=0.05, stop=5)
NO_RETRY = Intervals(look=0.02, again=3600, stop=5)


class Reloaded:
    """A command that logs the value in its source, and its reloader."""

    def __init__(self, folder: Path, intervals: Intervals) -> None:
        self.source = folder / "src" / "package" / "module.py"
        self.source.parent.mkdir(parents=True)
        self.log = folder / "log"
        self.log.touch()
        self.lines: list[str] = []
        self._stop = asyncio.Event()
        self._intervals = intervals

    @property
    def said(self) -> list[str]:
        return self.log.read_text().splitlines()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        command = (sys.executable, "-c", RUNS, str(self.source), str(self.log))
        sources = [self.source.parents[1]]
        task = asyncio.create_task(
            reload(command, sources, self.lines.append, self._stop, self._intervals)
        )
        try:
            yield
        finally:
            self._stop.set()
            async with asyncio.timeout(20):
                await task

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while True:
                if met():
                    return
                await asyncio.sleep(0.01)


async def test_a_changed_source_restarts_the_command(tmp_path: Path) -> None:
    program = Reloaded(tmp_path, SHORT)
    program.source.write_text("said = 'one'")
    async with program.running():
        await program.until(lambda: program.said == ["one"])
        program.source.write_text("said = 'two'")
        await program.until(lambda: program.said == ["one", "two"])
        assert program.lines == [f"The sources changed: restarting {sys.executable}."]


async def test_a_new_file_restarts_the_command_and_a_cache_file_does_not(tmp_path: Path) -> None:
    program = Reloaded(tmp_path, SHORT)
    program.source.write_text("said = 'one'")
    async with program.running():
        await program.until(lambda: program.said == ["one"])
        cache = program.source.with_name("__pycache__")
        cache.mkdir()
        (cache / "module.pyc").write_bytes(b"x")
        program.source.with_name("other.html").write_text("new")
        await program.until(lambda: len(program.said) == 2)
    assert len(program.lines) == 1


async def test_a_command_that_fails_is_restarted_by_the_next_change(tmp_path: Path) -> None:
    program = Reloaded(tmp_path, NO_RETRY)
    program.source.write_text("said = ")
    async with program.running():
        await program.until(lambda: bool(program.lines))
        assert program.lines == [f"{sys.executable} ended with 1; restarting it soon."]
        program.source.write_text("said = 'fixed'")
        await program.until(lambda: program.said == ["fixed"])


async def test_a_command_that_ends_is_restarted(tmp_path: Path) -> None:
    program = Reloaded(tmp_path, SHORT)
    program.source.write_text("raise SystemExit")
    async with program.running():
        await program.until(lambda: len(program.lines) >= 2)


async def test_the_command_ends_with_the_reloader(tmp_path: Path) -> None:
    program = Reloaded(tmp_path, SHORT)
    program.source.write_text("import os; said = str(os.getpid())")
    async with program.running():
        await program.until(lambda: bool(program.said))
    [number] = program.said
    with pytest.raises(ProcessLookupError):
        os.kill(int(number), 0)


def test_a_missing_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["reload", "--watch", str(tmp_path / "none"), "--", "true"])
    assert "is not a folder" in capsys.readouterr().err


async def test_the_command_keeps_its_own_options(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("productive-dev"),
        *("reload", "--watch", tmp_path, "--", sys.executable, "-c", "print('up', flush=True)"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    process.terminate()
    assert await process.wait() == 0
