"""What `bin/archive.py` makes of a package of an environment."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bin.archive import archive

IMPORTED = """
import site, sys
site.addsitedir(sys.argv[1])
from productive_contract.deferred import defer
defer("pack")
import pack.used
from pack.rare.kind import KIND
print(pack.used.__file__, pack.NAME, KIND)
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    site = tmp_path / "lib" / "python3.13" / "site-packages"
    for name, text in {
        "pack/__init__.py": "NAME = 'whole'\n",
        "pack/used.py": "",
        "pack/py.typed": "",
        "pack/rare/__init__.py": "",
        "pack/rare/kind.py": "KIND = 1\n",
        "pack/__pycache__/used.cpython-313.pyc": "stale",
        "pack-1.dist-info/METADATA": "",
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    return tmp_path


def test_an_archive_holds_the_whole_package(environment: Path) -> None:
    file = archive(environment, "pack", ["rare"])
    assert sorted(zipfile.ZipFile(file).namelist()) == [
        "pack/__init__.py",
        "pack/__init__.pyc",
        "pack/py.typed",
        "pack/rare/__init__.py",
        "pack/rare/kind.py",
        "pack/used.py",
        "pack/used.pyc",
    ]
    assert sorted(one.name for one in file.parent.iterdir()) == [
        "pack-1.dist-info",
        "pack.pth",
        "pack.zip",
    ]


def test_python_imports_from_an_archive(environment: Path) -> None:
    """Deferred packages too, and in any time zone from the byte code that was made."""
    file = archive(environment, "pack", ["rare"])
    done = subprocess.run(
        (sys.executable, "-c", IMPORTED, file.parent),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"TZ": "Asia/Tokyo"},
    )
    assert done.stdout.split() == [f"{file}/pack/used.pyc", "whole", "1"]
    with zipfile.ZipFile(file) as opened:
        hashed_and_unchecked = 0b01
        assert opened.read("pack/used.pyc")[4] == hashed_and_unchecked


def test_a_package_with_extension_modules_is_refused(environment: Path) -> None:
    (environment / "lib/python3.13/site-packages/pack/fast.so").touch()
    with pytest.raises(ValueError, match="no package of pure Python"):
        archive(environment, "pack", [])


def test_a_missing_package_is_refused(environment: Path) -> None:
    with pytest.raises(ValueError, match="absent"):
        archive(environment, "absent", [])
