"""Fixtures of the chart's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from harness.build import programs
from harness.foreigncrds import serve_foreign_crds
from harness.golang import BuildError
from harness.helm import Helm
from harness.kube import Object
from harness.namespaces import Namespaces, new_namespaces
from harness.plane import Plane
from harness.processes import eventually, new_folder, remove_folder
from harness.release import Release

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}

DryRun = Callable[[Object], None]


@pytest.fixture(scope="session")
def helm() -> Iterator[Helm]:
    try:
        program = programs() / "helm"
    except BuildError as error:
        pytest.fail(str(error), pytrace=False)
    home = new_folder("helm")
    yield Helm(program, home)
    remove_folder(home)


@pytest.fixture
def installation(helm: Helm, plane: Plane) -> Iterator[Release]:
    folder = new_folder("chart")
    with ExitStack() as close:
        close.callback(remove_folder, folder)
        yield Release(helm, plane, folder, close)


@pytest.fixture(scope="session")
def place(plane: Plane) -> Namespaces:
    """Namespaces to dry-run in; that of the release enforces restricted Pod Security."""
    names = new_namespaces(plane.kube)
    path = f"/api/v1/namespaces/{names.release}"
    plane.kube.merge(path, {"metadata": {"labels": RESTRICTED}})
    account = f"{path}/serviceaccounts/default"
    eventually(lambda: plane.kube.find(account) is not None, what="the default ServiceAccount")
    return names


@pytest.fixture(scope="session")
def dry_run(plane: Plane) -> DryRun:
    """Ask the API server to accept an object, strictly; it stores nothing."""
    serve_foreign_crds(plane)
    query = {"dryRun": "All", "fieldValidation": "Strict", "force": "true", "fieldManager": "chart"}
    paths: dict[tuple[str, str], str] = {}

    def ask(one: Object) -> None:
        path = _path(plane, one, paths)
        answer = plane.kube.ask(
            "PATCH", path, one, query=query, content_type="application/apply-patch+yaml"
        )
        assert answer.is_success, f"{one['kind']}/{one['metadata']['name']}: {answer.text}"

    return ask


def _path(plane: Plane, one: Object, known: dict[tuple[str, str], str]) -> str:
    """Return where the object belongs, as the API server's discovery says."""
    version, kind = one["apiVersion"], one["kind"]
    if (version, kind) not in known:
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for found in plane.kube.get(base)["resources"]:
            if "/" not in found["name"]:
                middle = "/namespaces/{namespace}" if found["namespaced"] else ""
                known[version, found["kind"]] = f"{base}{middle}/{found['name']}/{{name}}"
    return known[version, kind].format(**one["metadata"])
