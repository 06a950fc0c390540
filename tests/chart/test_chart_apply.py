"""A real API server takes what the chart renders, pods under restricted Pod Security included."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.helm import CHART, Helm, Rendered
from harness.kube import Object
from harness.namespaces import Namespaces
from harness.plane import Plane

VARIANTS = [
    *sorted((Path(__file__).parent / "variants").glob("*.yaml")),
    *sorted((CHART / "clusters").glob("*.yaml")),
    CHART / "values-dev.yaml",
]

DryRun = Callable[[Object], None]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda path: path.stem)
@pytest.mark.attack("K-13")
def test_the_api_server_takes_every_object(
    helm: Helm, variant: Path, place: Namespaces, dry_run: DryRun
) -> None:
    for one in _rendered(helm, variant, place).objects:
        dry_run(one)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda path: path.stem)
def test_every_pod_passes_restricted_pod_security(
    helm: Helm, variant: Path, place: Namespaces, dry_run: DryRun
) -> None:
    pods = _rendered(helm, variant, place).pods()
    assert pods
    for name, template in pods.items():
        dry_run(_pod(name, template, place))


def test_a_pod_that_would_run_as_root_is_refused_there(
    helm: Helm, place: Namespaces, dry_run: DryRun
) -> None:
    """Else the test above would show nothing."""
    rendered = helm.render(
        {"gateway": {"podSecurityContext": {"runAsNonRoot": False}}},
        release=place.release,
    )
    [name] = [name for name in rendered.pods() if name.endswith("-gateway")]
    with pytest.raises(AssertionError, match="runAsNonRoot != true"):
        dry_run(_pod(name, rendered.pods()[name], place))


def test_an_object_that_the_api_server_does_not_know_fully_is_refused(
    helm: Helm, place: Namespaces, dry_run: DryRun
) -> None:
    service = helm.render(release=place.release).get("Service", f"{place.release}-gateway")
    service["spec"]["portz"] = []
    with pytest.raises(AssertionError, match="portz"):
        dry_run(service)


def test_the_other_two_namespaces_take_no_pod_that_is_not_restricted(
    helm: Helm, plane: Plane, place: Namespaces
) -> None:
    """They are labelled as the namespace is in which the tests above run."""
    own = plane.kube.get(f"/api/v1/namespaces/{place.release}")["metadata"]["labels"]
    enforced = {key: value for key, value in own.items() if key.startswith("pod-security")}
    for namespace in helm.render().of("Namespace"):
        assert enforced.items() <= namespace["metadata"]["labels"].items()


def _rendered(helm: Helm, variant: Path, place: Namespaces) -> Rendered:
    return helm.render(yaml.safe_load(variant.read_text()), release=place.release)


def _pod(name: str, template: Object, place: Namespaces) -> Object:
    """Return the pod that a controller would make, under an account that exists."""
    spec = copy.deepcopy(template["spec"]) | {"serviceAccountName": "default"}
    # The priority classes of the system are for kube-system.
    spec.pop("priorityClassName", None)
    labels = template["metadata"]["labels"]
    metadata = {"name": name.partition("/")[2], "namespace": place.release, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
