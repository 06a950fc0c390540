"""`productive-dev reload`: a command runs anew on changed sources, and the reloader outlives it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from productive_dev.cli import main
from productive_dev.reloading import Pace, reload

RUNS = """
import pathlib, runpy, sys, time
pathlib.Path(sys.argv[2]).open("a").write(runpy.run_path(sys.argv[1])["said"] + "\\n")
time.sleep(60)
"""
PACE = Pace(look=0.02, again=0.05, stop=5)
FOREVER = Pace(look=0.02, again=3600, stop=5)


class Reloaded:
    """A program that writes down what its source says, and its reloader."""

    def __init__(self, folder: Path, pace: Pace) -> None:
        self.source = folder / "src" / "package" / "module.py"
        self.source.parent.mkdir(parents=True)
        self.log = folder / "log"
        self.log.touch()
        self.lines: list[str] = []
        self._stop = asyncio.Event()
        self._pace = pace

    @property
    def said(self) -> list[str]:
        return self.log.read_text().splitlines()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        command = (sys.executable, "-c", RUNS, str(self.source), str(self.log))
        sources = [self.source.parents[1]]
        task = asyncio.create_task(
            reload(command, sources, self.lines.append, self._stop, self._pace)
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


async def test_a_changed_source_is_run(tmp_path: Path) -> None:
    program = Reloaded(tmp_path, PACE)
    program.source.write_text("said = 'one'")
    async with program.running():
        await program.until(lambda: program.said == ["one"])
        program.source.write_text("said = 'two'")
        await program.until(lambda: program.said == ["one", "two"])
        assert program.lines == [f"The sources changed: {sys.executable} starts anew."]


async def test_a_new_file_counts_and_a_cache_does_not(tmp_path: Path) -> None:
    program = Reloaded(tmp_path, PACE)
    program.source.write_text("said = 'one'")
    async with program.running():
        await program.until(lambda: program.said == ["one"])
        cache = program.source.with_name("__pycache__")
        cache.mkdir()
        (cache / "module.pyc").write_bytes(b"x")
        program.source.with_name("other.html").write_text("new")
        await program.until(lambda: len(program.said) == 2)
    assert len(program.lines) == 1


async def test_sources_that_cannot_run_wait_for_the_next_change(tmp_path: Path) -> None:
    program = Reloaded(tmp_path, FOREVER)
    program.source.write_text("said = ")
    async with program.running():
        await program.until(lambda: bool(program.lines))
        assert program.lines == [f"{sys.executable} ended with 1; it starts again soon."]
        program.source.write_text("said = 'mended'")
        await program.until(lambda: program.said == ["mended"])


async def test_a_program_that_ends_by_itself_starts_again(tmp_path: Path) -> None:
    program = Reloaded(tmp_path, PACE)
    program.source.write_text("raise SystemExit")
    async with program.running():
        await program.until(lambda: len(program.lines) >= 2)


async def test_the_program_ends_with_its_reloader(tmp_path: Path) -> None:
    program = Reloaded(tmp_path, PACE)
    program.source.write_text("import os; said = str(os.getpid())")
    async with program.running():
        await program.until(lambda: bool(program.said))
    [number] = program.said
    with pytest.raises(ProcessLookupError):
        os.kill(int(number), 0)


def test_a_folder_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["reload", "--watch", str(tmp_path / "none"), "--", "true"])
    assert "is no folder" in capsys.readouterr().err


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
