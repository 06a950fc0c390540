"""Packages whose own code runs late."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from productive_contract.deferred import defer

PACKAGE = "heavy_package_of_this_test"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a package with the modules `light` and `heavy`; its `__init__` imports the latter."""
    folder = tmp_path / PACKAGE
    folder.mkdir()
    (folder / "__init__.py").write_text("from .heavy import NAME\n__version__ = '1'\n")
    (folder / "heavy.py").write_text("from . import light\nNAME = 'heavy'\n")
    (folder / "light.py").write_text("NAME = 'light'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def heavy_loaded() -> bool:
    return f"{PACKAGE}.heavy" in sys.modules


def test_a_module_of_a_deferred_package_is_imported_alone() -> None:
    defer(PACKAGE)

    assert importlib.import_module(f"{PACKAGE}.light").NAME == "light"
    assert not heavy_loaded()


def test_the_package_runs_when_a_name_of_it_is_used() -> None:
    defer(PACKAGE)

    module = importlib.import_module(PACKAGE)

    assert (module.NAME, module.__version__) == ("heavy", "1")
    assert heavy_loaded()


def test_a_name_that_the_package_lacks_is_missing_as_ever() -> None:
    defer(PACKAGE)

    with pytest.raises(AttributeError, match="'missing'"):
        importlib.import_module(PACKAGE).missing  # noqa: B018  # the access is what is tested


def test_a_package_that_was_imported_stays_as_it_is() -> None:
    module = importlib.import_module(PACKAGE)

    defer(PACKAGE)

    assert sys.modules[PACKAGE] is module
    assert module.NAME == "heavy"


def test_a_package_that_fails_to_run_runs_again_at_the_next_use(package: Path) -> None:
    (package / "heavy.py").write_text("raise ValueError('not yet')\n")
    defer(PACKAGE)
    module = importlib.import_module(PACKAGE)
    with pytest.raises(ValueError, match="not yet"):
        module.NAME  # noqa: B018
    (package / "heavy.py").write_text("NAME = 'heavy, repaired'\n")
    importlib.invalidate_caches()

    assert module.NAME == "heavy, repaired"


def test_threads_that_ask_at_once_all_see_the_whole_package() -> None:
    defer(PACKAGE)
    module = importlib.import_module(PACKAGE)
    together = threading.Barrier(8)
    seen: list[str] = []

    def ask() -> None:
        together.wait()
        seen.append(module.NAME)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == ["heavy"] * 8


def test_a_package_that_does_not_exist_cannot_be_deferred() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        defer("no_such_package")
