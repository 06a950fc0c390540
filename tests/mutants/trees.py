"""Copies of the tree that mutants are made in; the tree itself is never changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mutants.declared import ROOT, Mutant


class Tree:
    """A copy with an environment of its own, so that programs run its code, too."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._warm: subprocess.Popen[str] | None = None

    def warm_up(self, files: Sequence[Path]) -> None:
        """Start the process that runs pytest; `files` are the tests that will be run."""
        self._warm = subprocess.Popen(
            [self.root / ".venv" / "bin" / "python", "-m", "mutants.warm", *self._names(files)],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root / "tests")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def pytest(
        self, arguments: Sequence[str], files: Sequence[Path], output: Path, most: float
    ) -> None:
        """Run tests of these files; what is printed goes to `output`, `most` is in seconds."""
        assert self._warm is not None
        assert self._warm.stdin is not None
        assert self._warm.stdout is not None
        request = [[*arguments, *self._names(files)], str(output), most]
        print(json.dumps(request), file=self._warm.stdin, flush=True)
        if not self._warm.stdout.readline():
            raise RuntimeError("the process that runs the tests has ended")

    def close(self) -> None:
        """End the process that runs pytest."""
        if self._warm is not None:
            self._warm.communicate()

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Take the defence out during the block.

        Raises:
            WrongMutant: the mutant does not fit the tree.
        """
        changed = mutant.changed(self.root)
        originals = {path: (path.read_bytes(), path.stat()) for path in changed}
        for path, text in changed.items():
            path.write_text(text)
        try:
            yield
        finally:
            for path, (content, stat) in originals.items():
                path.write_bytes(content)
                # What was compiled of it is good again, and what was compiled of the mutant is not.
                os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def _names(self, files: Sequence[Path]) -> list[str]:
        return [str(path.relative_to(self.root)) for path in files]


@contextmanager
def copied_tree() -> Iterator[Tree]:
    """Copy what Git knows or would take up, and create the environment there."""
    folder = Path(tempfile.mkdtemp(prefix="productive-mcp-mutants-"))
    tree = Tree(folder)
    try:
        for name in _files():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        subprocess.run([folder / "bin" / "bootstrap"], check=True, stdout=subprocess.DEVNULL)
        yield tree
    finally:
        tree.close()
        shutil.rmtree(folder, ignore_errors=True)


def _files() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
