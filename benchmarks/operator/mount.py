"""How long a kubelet takes to bring a changed Secret into pods: the mapping by its mount alone.

A gateway looks there only before the API server's first answer, and while that is away. It needs a
cluster with pods, and an image with Python on its nodes; from the top of the repository:

    cd tests && PYTHONPATH=.. ../.venv/bin/python -m kind run -- \
        ../.venv/bin/python -m benchmarks.operator.mount
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import time
from typing import Any

from benchmarks.operator.quantile import quantile

from harness.processes import pause

NAME = "mount-benchmark"
LONGEST = 300.0
WATCHER = """
import pathlib, time
before = None
while True:
    now = pathlib.Path("/mapping/change").read_text()
    if now != before:
        print(now, time.time(), flush=True)
        before = now
    time.sleep(0.05)
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.operator.mount")
    parser.add_argument("--image", default="productive-mcp-gateway:0.1.0")
    parser.add_argument("--pods", type=int, default=8)
    parser.add_argument("--changes", type=int, default=5)
    parsed = parser.parse_args()
    kubectl("create", "namespace", NAME)
    try:
        seconds = measure(parsed.image, parsed.pods, parsed.changes)
    finally:
        kubectl("delete", "namespace", NAME, "--wait=false")
    p50, p99 = quantile(seconds, 0.5), quantile(seconds, 0.99)
    print(f"changed → in the mount: p50 {p50:.0f} s, p99 {p99:.0f} s, of {len(seconds)}")


def measure(image: str, pods: int, changes: int) -> list[float]:
    apply(secret(0), *(pod(number, image) for number in range(pods)))
    arrivals(0, pods)
    seconds: list[float] = []
    for change in range(1, changes + 1):
        # At no fixed moment of the kubelet's own rhythm, which is a minute long.
        pause(random.uniform(0, 60))
        changed = time.time()
        apply(secret(change))
        seconds += [arrival - changed for arrival in arrivals(change, pods)]
    return seconds


def arrivals(change: int, pods: int) -> list[float]:
    """Wait until every pod has seen the change; returns when each did."""
    latest = time.monotonic() + LONGEST
    while time.monotonic() < latest:
        lines = kubectl("logs", "-l", f"app={NAME}", "--tail=-1", "--max-log-requests=50")
        words = [line.split() for line in lines.splitlines()]
        seen = [float(when) for number, when in words if number == str(change)]
        if len(seen) == pods:
            return seen
        pause(1.0)
    raise SystemExit(f"change {change} did not reach all pods within {LONGEST:g} s")


def apply(*objects: dict[str, Any]) -> None:
    kubectl(
        "apply", "-f", "-", text=json.dumps({"kind": "List", "apiVersion": "v1", "items": objects})
    )


def secret(change: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "mapping"},
        "stringData": {"change": str(change)},
    }


def pod(number: int, image: str) -> dict[str, Any]:
    container = {
        "name": "watcher",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", WATCHER],
        "volumeMounts": [{"name": "mapping", "mountPath": "/mapping", "readOnly": True}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"watcher-{number}", "labels": {"app": NAME}},
        "spec": {
            "containers": [container],
            "terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "mapping", "secret": {"secretName": "mapping"}}],
        },
    }


def kubectl(*arguments: str, text: str | None = None) -> str:
    command = ["kubectl", "-n", NAME, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode and arguments[0] != "logs":
        raise SystemExit(done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
