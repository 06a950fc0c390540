"""What `bin/runtime.py` takes of a machine into an image."""

from __future__ import annotations

from pathlib import Path

import pytest
from bin.runtime import Tree, is_wanted


def test_a_tree_keeps_links_and_what_they_lead_to(tmp_path: Path) -> None:
    machine = tmp_path.resolve() / "machine"
    (machine / "usr" / "lib").mkdir(parents=True)
    (machine / "usr" / "lib" / "libone.so.1.2").write_text("code")
    (machine / "usr" / "lib" / "libone.so.1").symlink_to("libone.so.1.2")
    (machine / "usr" / "lib" / "other").write_text("not asked for")
    (machine / "lib").symlink_to("usr/lib")
    (machine / "opt").mkdir()
    (machine / "opt" / "loader").symlink_to("../lib/libone.so.1")
    tree = Tree(tmp_path / "tree")
    tree.keep(machine / "opt" / "loader")
    kept = tree.at(machine)
    assert (kept / "opt" / "loader").readlink() == Path("../lib/libone.so.1")
    assert (kept / "lib").readlink() == Path("usr/lib")
    assert (kept / "opt" / "loader").read_text() == "code"
    assert sorted(one.name for one in (kept / "usr" / "lib").iterdir()) == [
        "libone.so.1",
        "libone.so.1.2",
    ]
    assert tree.kept == {machine / "usr" / "lib" / "libone.so.1.2"}


def test_a_tree_keeps_a_folder_with_the_files_outside_that_it_links_to(tmp_path: Path) -> None:
    machine = tmp_path.resolve() / "machine"
    (machine / "certs").mkdir(parents=True)
    (machine / "share").mkdir()
    (machine / "share" / "one.crt").write_text("certificate")
    (machine / "certs" / "one.pem").symlink_to(machine / "share" / "one.crt")
    (machine / "certs" / "1a2b.0").symlink_to("one.pem")
    tree = Tree(tmp_path / "tree")
    tree.keep(machine / "certs")
    assert tree.at(machine / "share" / "one.crt").read_text() == "certificate"
    assert tree.at(machine / "certs" / "1a2b.0").readlink() == Path("one.pem")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("asyncio", True),
        ("unittest", True),
        ("types.cpython-313.pyc", True),
        ("_ssl.cpython-313-x86_64-linux-gnu.so", True),
        ("test", False),
        ("turtle.py", False),
        ("turtle.cpython-313.pyc", False),
        ("_testcapi.cpython-313-x86_64-linux-gnu.so", False),
        ("_tkinter.cpython-313-x86_64-linux-gnu.so", False),
        ("config-3.13-x86_64-linux-gnu", False),
        ("site-packages", False),
    ],
)
def test_whole_parts_of_the_standard_library_are_left_out(name: str, *, wanted: bool) -> None:
    assert is_wanted(name) is wanted
