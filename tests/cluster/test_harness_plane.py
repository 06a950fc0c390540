"""The control plane of the tests is a real one and ends with the run that started it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from harness.cluster import Cluster
from harness.kube import secret, secrets_path
from harness.plane import Plane, declared_crds, served_paths
from harness.processes import eventually


def test_every_declared_resource_is_served(plane: Plane) -> None:
    paths = [path for crd in declared_crds() for path in served_paths(crd)]
    assert paths
    for path in paths:
        assert plane.kube.ask("GET", path).status_code == 200


def test_the_garbage_collector_works(cluster: Cluster) -> None:
    secrets = secrets_path(cluster.names.release)
    owner = cluster.kube.create(secrets, secret("owner", {}))
    owned = secret("owned", {})
    reference = {"apiVersion": "v1", "kind": "Secret", "name": "owner"}
    owned["metadata"]["ownerReferences"] = [reference | {"uid": owner["metadata"]["uid"]}]
    cluster.kube.create(secrets, owned)

    cluster.kube.delete(f"{secrets}/owner")

    def gone() -> bool:
        return cluster.kube.find(f"{secrets}/owned") is None

    eventually(gone, seconds=30, what="the owned Secret is collected")


def test_kubectl_reads_the_kubeconfigs(cluster: Cluster) -> None:
    command = [cluster.plane.kubectl, "--kubeconfig", cluster.kubeconfig("operator")]
    told = subprocess.run(
        [*command, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout == f"system:serviceaccount:{cluster.names.release}:operator"


HOLD_A_LOCK = """
import fcntl, sys, time
file = open("lock", "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(300)
"""
START_AND_BE_KILLED = """
import os, sys
from harness.processes import Program, new_folder
folder = new_folder("kill")
program = Program("holder", [sys.executable, "-c", os.environ["HOLDER"]], log=folder / "log")
program.until(lambda: "locked" in program.output())
print(folder, flush=True)
os.kill(os.getpid(), 9)
"""


def test_processes_and_folders_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    tests = Path(__file__).resolve().parents[1]
    killed = subprocess.run(
        [sys.executable, "-c", START_AND_BE_KILLED],
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tests), "HOLDER": HOLD_A_LOCK},
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -9
    folder = Path(killed.stdout.strip())

    eventually(lambda: _free(tmp_path / "lock"), what="the process that held the lock is gone")
    eventually(lambda: not folder.exists(), what="the folder is gone")


def _free(path: Path) -> bool:
    """Report whether nobody holds the lock on a file."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
