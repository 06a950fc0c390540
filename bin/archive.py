"""`archive.py ENVIRONMENT PACKAGE [FOLDER…]`: keep a package of an environment as a zip archive.

The whole package is in it, and Python imports from it (zipimport) through a .pth file beside it.
Its modules have byte code, except those in the given folders of the package, which are rarely
imported: each import compiles them. A package that reads its own files by path cannot be kept so.
"""

from __future__ import annotations

import py_compile
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path


def archive(environment: Path, package: str, uncompiled: Sequence[str]) -> Path:
    """Replace a package's folder by an archive, and return its path.

    Args:
        environment: a virtual environment of the Python that runs this.
        package: its name, without dots.
        uncompiled: folders in it whose modules get no byte code, such as `client/models`.

    Raises:
        ValueError: there is no such package, or it is none of pure Python.
    """
    (site,) = environment.glob("lib/python3.*/site-packages")
    folder = site / package
    files = [one for one in sorted(folder.rglob("*")) if one.is_file() and one.suffix != ".pyc"]
    if not files or any(one.suffix == ".so" for one in files):
        raise ValueError(f"{folder} is no package of pure Python")
    rare = [folder / one for one in uncompiled]
    target = site / f"{package}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in files:
            name = path.relative_to(site)
            file.write(path, name)
            if path.suffix == ".py" and not any(path.is_relative_to(one) for one in rare):
                file.writestr(f"{name}c", _compiled(path, f"{target}/{name}"))
    (site / f"{package}.pth").write_text(f"{package}.zip\n")
    shutil.rmtree(folder)
    return target


def _compiled(source: Path, shown: str) -> bytes:
    """Return byte code that holds without a look at its source.

    In an archive the look would be at a local time without a zone, which says something else where
    TZ is another than here.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made.pyc")
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(source), str(made), shown, doraise=True, invalidation_mode=mode)
        return made.read_bytes()


if __name__ == "__main__":
    archive(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
