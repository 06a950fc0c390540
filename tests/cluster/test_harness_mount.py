"""The mount of a Secret changes atomically, as the kubelet does it."""

from __future__ import annotations

import threading
from pathlib import Path

from harness.cluster import Cluster
from harness.kube import secret, secrets_path
from harness.mount import DATA, MappingMount
from harness.processes import eventually


def test_keys_are_links_through_the_data_link(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "mount")
    mount.write({"users.json": b"{}"})

    assert mount.path().readlink() == Path(DATA) / "users.json"
    assert (mount.folder / DATA).is_symlink()
    assert mount.path().read_bytes() == b"{}"


def test_a_deleted_key_and_the_old_folder_are_removed(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "mount")
    mount.write({"users.json": b"{}", "extra": b"1"})
    mount.write({"users.json.gz": b"2"})

    shown = {path.name for path in mount.folder.iterdir() if not path.name.startswith("..")}
    assert shown == {"users.json.gz"}
    folders = [path for path in mount.folder.iterdir() if path.is_dir() and not path.is_symlink()]
    assert len(folders) == 1


def test_a_reader_never_sees_two_versions_at_once(tmp_path: Path) -> None:
    """A reader that resolves `..data` once reads both keys in one version."""
    mount = MappingMount(tmp_path / "mount")
    mount.write({"a": b"0", "b": b"0"})
    finished = threading.Event()
    mixed: list[tuple[bytes, bytes]] = []

    def read() -> None:
        while not finished.is_set():
            version = (mount.folder / DATA).resolve()
            try:
                pair = (version / "a").read_bytes(), (version / "b").read_bytes()
            except FileNotFoundError:
                continue
            if pair[0] != pair[1]:
                mixed.append(pair)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 200):
        value = str(number).encode()
        mount.write({"a": value, "b": value})
    finished.set()
    reader.join()
    assert mixed == []


def test_the_mount_follows_the_secret(cluster: Cluster, tmp_path: Path) -> None:
    mount = MappingMount(tmp_path / "mount")
    release, mapping = cluster.names.release, cluster.names.mapping
    path = secrets_path(release, mapping)
    cluster.kube.create(secrets_path(release), secret(mapping, {"users.json": b"1"}))

    def holds(value: bytes) -> bool:
        return mount.path().exists() and mount.path().read_bytes() == value

    with mount.following(cluster.plane, release, mapping):
        eventually(lambda: holds(b"1"), what="what the Secret held before")
        cluster.kube.merge(path, secret(mapping, {"users.json": b"2"}))
        eventually(lambda: holds(b"2"), what="the change")
        cluster.kube.delete(path)
        cluster.kube.create(secrets_path(release), secret(mapping, {"users.json": b"3"}))
        eventually(lambda: holds(b"3"), what="the Secret that was made again")
