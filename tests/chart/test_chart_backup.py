"""The commands of docs/backup.md, as they stand there, on a real API server."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.helm import CHART
from harness.kube import secret, secret_data, secrets_path
from harness.namespaces import Namespaces, new_namespaces
from harness.people import person
from harness.plane import Plane
from harness.processes import eventually

TOP = CHART.parents[1]
PAGE = TOP / "docs" / "backup.md"
PEOPLE = "/apis/productive-mcp.dev/v1alpha1/namespaces/{}/productiveusers"


@pytest.fixture
def names(plane: Plane) -> Namespaces:
    """A person with a token, a key ring, and a Secret of somebody else's."""
    names, kube = new_namespaces(plane.kube), plane.kube
    kube.create(PEOPLE.format(names.users), person())
    kube.create(
        secrets_path(names.users),
        secret("ana-productive", {"token": b"t"}, kind="productive-mcp.dev/token"),
    )
    kube.create(secrets_path(names.users), secret("somebody-elses", {"a": b"b"}))
    kube.create(
        secrets_path(names.release),
        secret(names.key_ring, {"keys.json": b"{}"}, kind="productive-mcp.dev/key-ring"),
    )
    return names


def test_commands_of_the_page_save_and_restore_everything(
    plane: Plane, names: Namespaces, tmp_path: Path
) -> None:
    save, restore = _blocks()
    kube = plane.kube
    ana, token = f"{PEOPLE.format(names.users)}/ana", secrets_path(names.users, "ana-productive")
    ring = secrets_path(names.release, names.key_ring)
    before = kube.get(ana)

    _run(plane, names, save, tmp_path)
    assert "somebody-elses" not in (tmp_path / "tokens.json").read_text()
    assert oct((tmp_path / "keys.json").stat().st_mode & 0o777) == "0o600"
    for path in (ana, token, ring):
        kube.delete(path)
        eventually(lambda path=path: kube.find(path) is None, what=f"{path} is gone")  # type: ignore[misc]

    _run(plane, names, restore, tmp_path)
    after = kube.get(ana)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert secret_data(kube.get(token)) == {"token": b"t"}
    assert kube.get(token)["type"] == "productive-mcp.dev/token"
    assert secret_data(kube.get(ring)) == {"keys.json": b"{}"}
    assert kube.get(ring)["type"] == "productive-mcp.dev/key-ring"


def _blocks() -> list[str]:
    """Return the two blocks of commands: those that save, and those that restore."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    return blocks


def _run(plane: Plane, names: Namespaces, commands: str, folder: Path) -> None:
    """Run commands of the page in a folder, for other namespaces than those that it names."""
    kubeconfig = folder / "admin.kubeconfig"
    if not kubeconfig.exists():
        plane.admin.write_kubeconfig(kubeconfig)
    (folder / "crds").mkdir(exist_ok=True)
    shutil.copytree(TOP / "crds", folder / "crds", dirs_exist_ok=True)
    own = commands.replace("productive-users", names.users)
    own = re.sub(r"(-n|in) productive\b(?!-)", rf"\1 {names.release}", own)
    # Other tests own parts of the CRD.
    own = own.replace("-f crds/", "--force-conflicts -f crds/")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", own],
        check=False,
        cwd=folder,
        env={"PATH": f"{plane.kubectl.parent}:/usr/bin:/bin", "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
