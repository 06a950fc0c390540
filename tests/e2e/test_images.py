"""What is in the images, as their users in restricted pods see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.terminal import Terminal

LOOK = """
import importlib.util, json, os, pathlib, shutil, sys
found = {name: importlib.util.find_spec(name) for name in
         ("productive_gateway", "productive_operator", "productive_dev", "kopf", "mcp", "pytest")}
sources = [one for name in found if name.startswith("productive") and found[name]
           for one in pathlib.Path(found[name].origin).parent.rglob("*.py")]
print(json.dumps({
    "python": sys.version_info[:2],
    "user": [os.getuid(), os.getgid()],
    "packages": sorted(name for name in found if found[name]),
    "programs": [one for one in ("cc", "gcc", "ld", "uv", "tar") if shutil.which(one)],
    "writable": [one for one in ("/", "/app", "/usr", "/src", "/tmp") if os.access(one, os.W_OK)],
    "compiled": all(os.path.exists(importlib.util.cache_from_source(one)) for one in sources),
}))
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
    assert _seen(terminal, namespace, program) == {
        "python": [3, 13],
        "user": [10001, 10001],
        "packages": packages,
        "programs": ["tar"],
        "writable": ["/tmp"],
        "compiled": True,
    }


def test_the_development_image_can_be_copied_into(terminal: Terminal, namespace: str) -> None:
    seen = _seen(terminal, namespace, "dev")
    assert seen["writable"] == ["/src", "/tmp"]
    assert seen["programs"] == ["tar"]


def _seen(terminal: Terminal, namespace: str, program: str) -> Any:
    """Run a look around in a pod of an image, whose root could be written for once."""
    container = {
        "name": "look",
        "image": f"productive-mcp-{program}:0.1.0",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", LOOK],
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
    terminal(f"kubectl create -n {namespace} -f -", given=json.dumps(pod))
    ended = "--for=jsonpath='{.status.phase}'=Succeeded --timeout=60s"
    terminal(f"kubectl wait -n {namespace} pod/{program} {ended}")
    return json.loads(terminal(f"kubectl logs -n {namespace} {program}"))
