"""What is in the images, as their users in restricted pods see it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from harness.terminal import Terminal

LOOK = """
import ctypes, importlib.util, json, os, pathlib, shutil, ssl, sys
def loads(library):
    try:
        return bool(ctypes.CDLL(library))
    except OSError:
        return False
found = {name: importlib.util.find_spec(name) for name in
         ("productive_gateway", "productive_operator", "productive_dev", "kopf", "mcp", "pytest")}
sources = [one for name in found if name.startswith("productive") and found[name]
           for one in pathlib.Path(found[name].origin).parent.rglob("*.py")]
print(json.dumps({
    "python": sys.version_info[:2],
    "user": [os.getuid(), os.getgid()],
    "packages": sorted(name for name in found if found[name]),
    "programs": [one for one in ("cc", "gcc", "ld", "uv", "tar") if shutil.which(one)],
    "distribution": [one for one in ("sh", "bash", "busybox", "apt-get", "dpkg")
                     if shutil.which(one, path="/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/bin")],
    "unloadable": [str(one) for one in pathlib.Path("/app").rglob("*.so*") if not loads(one)],
    "authorities": len(ssl.create_default_context().get_ca_certs()) > 100,
    "writable": [one for one in ("/", "/app", "/usr", "/src", "/tmp") if os.access(one, os.W_OK)],
    "compiled": all(os.path.exists(importlib.util.cache_from_source(one)) for one in sources),
}))
"""
SIZE = """
import os
root = os.lstat("/").st_dev
size = 0
for folder, folders, names in os.walk("/"):
    folders[:] = [one for one in folders if os.lstat(os.path.join(folder, one)).st_dev == root]
    size += sum(os.lstat(os.path.join(folder, one)).st_size for one in names)
print(size)
"""
CLIENT = """
from kubernetes.client import V1Pod
from kubernetes.aio.client import ApiClient, CoreV1Api
print(V1Pod.__name__, ApiClient.__name__, CoreV1Api.__name__)
"""


@pytest.fixture(scope="module")
def namespace(terminal: Terminal) -> Iterator[str]:
    gone = "kubectl delete namespace images --ignore-not-found --timeout=120s"
    terminal(gone)
    terminal("kubectl create namespace images")
    terminal("kubectl label namespace images pod-security.kubernetes.io/enforce=restricted")
    yield "images"
    terminal(gone)


@pytest.mark.parametrize(
    ("program", "packages"),
    [
        ("gateway", ["mcp", "productive_gateway"]),
        ("operator", ["kopf", "productive_operator"]),
    ],
)
def test_a_program_has_what_it_needs_and_nothing_of_the_other(
    terminal: Terminal, namespace: str, program: str, packages: list[str]
) -> None:
    assert json.loads(_printed(terminal, namespace, program, LOOK)) == {
        "python": [3, 13],
        "user": [10001, 10001],
        "packages": packages,
        "programs": [],
        "distribution": [],
        "unloadable": [],
        "authorities": True,
        "writable": ["/tmp"],
        "compiled": True,
    }


def test_the_development_image_can_be_copied_into(terminal: Terminal, namespace: str) -> None:
    seen = json.loads(_printed(terminal, namespace, "dev", LOOK))
    assert seen["writable"] == ["/src", "/tmp"]
    assert seen["programs"] == ["tar"]


@pytest.mark.parametrize(("program", "megabytes"), [("gateway", 150), ("operator", 130)])
def test_a_released_image_is_small(
    terminal: Terminal, namespace: str, program: str, megabytes: int
) -> None:
    assert int(_printed(terminal, namespace, program, SIZE)) < megabytes * 1e6


@pytest.mark.parametrize("program", ["gateway", "operator"])
def test_the_client_of_kubernetes_is_whole(
    terminal: Terminal, namespace: str, program: str
) -> None:
    assert _printed(terminal, namespace, program, CLIENT).split() == [
        "V1Pod",
        "ApiClient",
        "CoreV1Api",
    ]


def _printed(terminal: Terminal, namespace: str, program: str, code: str) -> str:
    """Run code in a pod of an image, whose root could be written for once; return its output."""
    container = {
        "name": "look",
        "image": f"productive-mcp-{program}:0.1.0",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", code],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        # The images name their user by its number, so that this can be checked.
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": program}, "spec": spec}
    terminal(f"kubectl delete pod -n {namespace} {program} --ignore-not-found")
    terminal(f"kubectl create -n {namespace} -f -", given=json.dumps(pod))
    ended = "--for=jsonpath='{.status.phase}'=Succeeded --timeout=60s"
    terminal(f"kubectl wait -n {namespace} pod/{program} {ended}")
    return terminal(f"kubectl logs -n {namespace} {program}")
