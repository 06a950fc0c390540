from __future__ import annotations

from pathlib import Path

import pytest

from harness.mount import MappingMount
from productive_kube import mount as module
from productive_kube.mount import Mount


def test_each_version_is_returned_once(tmp_path: Path) -> None:
    written, mount = MappingMount(tmp_path / "m"), Mount(tmp_path / "m")
    assert mount.poll() is None
    written.write({"users.json": b"1"})
    first = mount.poll()
    assert first is not None
    assert first.data == {"users.json": b"1"}
    assert mount.poll() is None
    written.write({"users.json.gz": b"2"})
    second = mount.poll()
    assert second is not None
    assert second.data == {"users.json.gz": b"2"}
    assert second.link != first.link


def test_an_absent_or_plain_folder_has_no_version(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_bytes(b"1")
    assert Mount(tmp_path).poll() is None
    assert Mount(tmp_path / "absent").poll() is None


@pytest.mark.attack("M-13")
def test_a_swap_in_the_middle_of_a_read_never_mixes_two_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, mount = MappingMount(tmp_path / "m"), Mount(tmp_path / "m")
    written.write({"a": b"old", "b": b"old"})
    read = Path.read_bytes
    swaps = [{"a": b"new", "b": b"new"}]

    def read_and_swap(path: Path) -> bytes:
        content = read(path)
        if swaps:
            written.write(swaps.pop())
        return content

    monkeypatch.setattr(Path, "read_bytes", read_and_swap)
    mounted = mount.poll()
    assert mounted is not None
    assert mounted.data == {"a": b"new", "b": b"new"}


def test_a_version_that_was_half_removed_while_it_was_listed_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, mount = MappingMount(tmp_path / "m"), Mount(tmp_path / "m")
    written.write({"a": b"old", "b": b"old"})
    read = module._read_files
    swaps = [{"a": b"new", "b": b"new"}]

    def read_half(version: Path) -> dict[str, bytes] | None:
        data = read(version)
        if swaps and data is not None:
            written.write(swaps.pop())
            del data["b"]
        return data

    monkeypatch.setattr(module, "_read_files", read_half)
    mounted = mount.poll()
    assert mounted is not None
    assert mounted.data == {"a": b"new", "b": b"new"}


def test_a_folder_that_never_stands_still_is_left_for_the_next_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, mount = MappingMount(tmp_path / "m"), Mount(tmp_path / "m")
    written.write({"a": b"1"})

    with monkeypatch.context() as patch:
        patch.setattr(module, "_read_files", lambda _: None)
        assert mount.poll() is None
    assert mount.poll() is not None
