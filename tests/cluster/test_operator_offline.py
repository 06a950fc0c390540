"""Files are read as kubectl and the API server read them: one table for both."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from harness.cluster import Cluster
from productive_operator.offline.manifests import read_manifests, secret_data

TABLE = Path(__file__).resolve().parents[1] / "contract" / "manifest_cases.json"
CASES: list[dict[str, Any]] = json.loads(TABLE.read_text())


def test_kubectl_takes_what_the_table_says_and_reads_it_alike(
    cluster: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "people.yaml"
    wrong: list[str] = []
    for case in CASES:
        file.write_text(case["yaml"])
        applied = _apply(cluster, file)
        accepted = applied.returncode == 0
        if accepted != case["accepted"]:
            wrong.append(f"{case['why']}: {accepted}, {applied.stderr.strip()}")
        elif accepted and not _alike(json.loads(applied.stdout), file):
            wrong.append(f"{case['why']}: read otherwise: {applied.stdout}")
    assert not wrong, "\n".join(wrong)


def _apply(cluster: Cluster, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            cluster.plane.kubectl,
            *("--kubeconfig", cluster.kubeconfig()),
            *("apply", "--dry-run=server", "-o", "json", "-f", file),
        ],
        check=False,
        capture_output=True,
        text=True,
    )


def _alike(stored: dict[str, Any], file: Path) -> bool:
    """Compare what the API server would store with what we read; it may have added defaults."""
    [manifest] = read_manifests([file])
    if stored["metadata"]["name"] != manifest.name:
        return False
    if manifest.kind == "Secret":
        return (stored.get("data") or {}) == secret_data(manifest)
    ours = {key: value for key, value in manifest.body["spec"].items() if value is not None}
    theirs = stored["spec"]
    return all(
        _without_defaults(theirs.get(key)) == _without_defaults(value)
        for key, value in ours.items()
    )


def _without_defaults(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: one for key, one in value.items() if (key, one) != ("key", "token")}
    return value
