"""Counts the modules of each package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TOOLSETS = ("tools", "productive")
"""Folders of the gateway that grow with the number of tools."""


def module_counts() -> Iterator[tuple[str, int]]:
    """Return the number of modules of each package and of each folder of the gateway.

    An `__init__.py` does not count.
    """
    for source in sorted(TOP.glob("*/src/productive_*")):
        modules = [path for path in source.rglob("*.py") if path.name != "__init__.py"]
        yield source.name, len(modules)
        if source.name == "productive_gateway":
            folders = Counter(_folder(path.relative_to(source)) for path in modules)
            yield from ((f"  {folder}", count) for folder, count in sorted(folders.items()))
            tools = sum(folders[f"{folder}/"] for folder in TOOLSETS)
            yield "  without tools/ and productive/", len(modules) - tools


def _folder(path: Path) -> str:
    return f"{path.parts[0]}/" if len(path.parts) > 1 else "(top)"
