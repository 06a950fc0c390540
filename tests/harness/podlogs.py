"""Collects logs, events and pod states of a cluster in a folder, to analyse a failed run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.kube import Object
from harness.terminal import LineFailed, Terminal


def collect(terminal: Terminal, folder: Path, namespaces: Sequence[str]) -> None:
    """Write what can be read; omit what does not exist, and raise nothing.

    Secrets are listed by name only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nodes.txt").write_text(terminal.tried("kubectl get nodes -o wide"))
    (folder / "releases.txt").write_text(terminal.tried("helm list -A"))
    for namespace in namespaces:
        try:
            pods = terminal.found(f"kubectl get pods -n {namespace} -o json")["items"]
        except LineFailed as error:
            (folder / f"{namespace}.txt").write_text(str(error))
            continue
        _collect_namespace(terminal, folder / namespace, namespace, pods)


def _collect_namespace(terminal: Terminal, folder: Path, name: str, pods: list[Object]) -> None:
    folder.mkdir(exist_ok=True)
    kinds = "all,endpointslices,ingresses,httproutes,networkpolicies,configmaps,secrets"
    seen = {
        "objects": f"kubectl get -n {name} {kinds} -o wide",
        "events": f"kubectl get events -n {name} --sort-by=.lastTimestamp",
        "pods": f"kubectl describe pods -n {name}",
        "people": f"kubectl get pu -n {name} -o yaml",
    }
    for what, line in seen.items():
        (folder / f"{what}.txt").write_text(terminal.tried(line))
    for pod in pods:
        title = pod["metadata"]["name"]
        (folder / f"{title}.json").write_text(json.dumps(pod["status"], indent=1))
        for which, flag in (("log", ""), ("before.log", "--previous")):
            line = f"kubectl logs -n {name} {title} --all-containers --tail=2000 {flag}"
            text = terminal.tried(line)
            if which == "log" or not text.startswith("$"):
                (folder / f"{title}.{which}").write_text(text)
