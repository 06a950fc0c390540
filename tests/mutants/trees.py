"""Copies of the tree that mutants are made in; the tree itself is never changed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mutants.declared import ROOT, Mutant


class Tree:
    """A copy with an environment of its own, so that programs run its code, too."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def python(self) -> Path:
        return self.root / ".venv" / "bin" / "python"

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Take the defence out during the block.

        Raises:
            WrongMutant: the mutant does not fit the tree.
        """
        changed = mutant.changed(self.root)
        originals = {path: path.read_bytes() for path in changed}
        for path, text in changed.items():
            path.write_text(text)
        try:
            yield
        finally:
            for path, content in originals.items():
                path.write_bytes(content)


@contextmanager
def copied_tree() -> Iterator[Tree]:
    """Copy what Git knows or would take up, and create the environment there."""
    folder = Path(tempfile.mkdtemp(prefix="productive-mcp-mutants-"))
    try:
        for name in _files():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        subprocess.run([folder / "bin" / "bootstrap"], check=True, stdout=subprocess.DEVNULL)
        yield Tree(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _files() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
