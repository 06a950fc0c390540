"""The CRD on a real API server: its rules, next to the resolver's, and what kubectl shows."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.cluster import Cluster
from harness.kube import ApiRefused, Object

API = "/apis/productive-mcp.dev/v1alpha1/namespaces"
TABLES = Path(__file__).resolve().parents[1] / "contract"
EMAILS: list[dict[str, Any]] = json.loads((TABLES / "email_cases.json").read_text())
SPECS: list[dict[str, Any]] = json.loads((TABLES / "spec_cases.json").read_text())


def person(name: str = "ana", **spec: object) -> Object:
    return {
        "apiVersion": "productive-mcp.dev/v1alpha1",
        "kind": "ProductiveUser",
        "metadata": {"name": name},
        "spec": {
            "email": "ana@example.com",
            "userId": 9104,
            "apiTokenSecretRef": {"name": "ana-productive"},
            **spec,
        },
    }


def path(cluster: Cluster, name: str = "") -> str:
    return f"{API}/{cluster.names.users}/productiveusers" + (f"/{name}" if name else "")


def offer(cluster: Cluster, body: Object) -> httpx.Response:
    """Ask whether the API server would take the object."""
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    return cluster.kube.ask("POST", path(cluster), body, query=query)


def told(response: httpx.Response) -> str:
    return str(response.json()["message"])


def test_it_takes_exactly_the_addresses_that_are_canonical(cluster: Cluster) -> None:
    for case in EMAILS:
        answer = offer(cluster, person(email=case["text"]))
        if case["canonical"] == case["text"]:
            assert answer.status_code == 201, case
        else:
            assert answer.status_code == 422, case
            assert case.get("crd") or case["why"] in told(answer), case


def test_an_address_breaks_one_rule_and_gets_one_sentence(cluster: Cluster) -> None:
    for case in EMAILS:
        if case["canonical"] is None:
            causes = offer(cluster, person(email=case["text"])).json()["details"]["causes"]
            assert [case["why"] in cause["message"] for cause in causes] == [True], causes


def test_an_address_has_254_characters_at_most(cluster: Cluster) -> None:
    longest = "a" * 242 + "@example.com"
    assert offer(cluster, person(email=longest)).status_code == 201
    assert "254" in told(offer(cluster, person(email=f"a{longest}")))


def test_it_takes_exactly_the_specs_that_the_operator_takes(cluster: Cluster) -> None:
    for case in SPECS:
        body = person(**case["spec"])
        body["spec"].pop(case.get("without"), None)
        answer = offer(cluster, body)
        if "problem" in case:
            assert answer.status_code == 422, case
            assert case["crd"] in told(answer), case
        else:
            assert answer.status_code == 201, (case, answer.text)


@pytest.mark.parametrize(
    "spec",
    [
        {"suspended": True},
        {"access": {"readonly": True}},
        {"apiTokenSecretRef": {"name": "x", "namespace": "kube-system"}},
    ],
)
def test_a_field_that_is_not_known_is_refused_by_kubectl(
    cluster: Cluster, spec: dict[str, object]
) -> None:
    answer = offer(cluster, person(**spec))
    assert answer.status_code == 400
    assert "unknown field" in told(answer)


def test_an_object_needs_a_spec(cluster: Cluster) -> None:
    body = person()
    del body["spec"]
    assert "spec: Required value" in told(offer(cluster, body))


def test_defaults_are_filled_in(cluster: Cluster) -> None:
    made = cluster.kube.create(path(cluster), person(access={}))
    assert made["spec"]["apiTokenSecretRef"]["key"] == "token"
    assert made["spec"]["suspend"] is False
    assert made["spec"]["access"] == {"readOnly": False}


def test_the_address_cannot_be_changed_and_everything_else_can(cluster: Cluster) -> None:
    cluster.kube.create(path(cluster), person())
    with pytest.raises(ApiRefused, match="delete this ProductiveUser and create another one"):
        cluster.kube.merge(path(cluster, "ana"), {"spec": {"email": "other@example.com"}})
    change = {
        "userId": 5,
        "apiTokenSecretRef": {"name": "y", "key": "z"},
        "organizationId": "1300",
        "access": {"readOnly": True},
        "suspend": True,
        "revokedBefore": "2026-11-23T12:00:00Z",
    }
    changed = cluster.kube.merge(path(cluster, "ana"), {"spec": change})
    assert changed["spec"] == {"email": "ana@example.com", **change}


def test_people_are_found_by_address_and_by_number(cluster: Cluster) -> None:
    cluster.kube.create(path(cluster), person())
    cluster.kube.create(path(cluster), person("bob", email="bob@example.com", userId=9105))
    for selector, name in (("spec.email=bob@example.com", "bob"), ("spec.userId=9104", "ana")):
        (found,) = cluster.kube.items(path(cluster), fieldSelector=selector)
        assert found["metadata"]["name"] == name


def test_status_is_written_apart_from_the_spec(cluster: Cluster) -> None:
    status = {"observedGeneration": 1, "conditions": []}
    made = cluster.kube.create(path(cluster), person() | {"status": status})
    assert "status" not in made
    body = made | {"status": status, "spec": made["spec"] | {"suspend": True}}
    written = cluster.kube.replace(f"{path(cluster, 'ana')}/status", body)
    assert (written["status"], written["spec"]["suspend"]) == (status, False)


@pytest.mark.parametrize("resource", ["productive", "pu", "puser", "productiveusers"])
def test_kubectl_shows_what_people_look_for(cluster: Cluster, resource: str) -> None:
    cluster.kube.create(path(cluster), person())
    shown = _kubectl(cluster, "get", resource, "-o", "wide").splitlines()
    assert shown[0].split() == [
        "NAME",
        "EMAIL",
        "USER",
        "ID",
        "READY",
        "REASON",
        "SECRET",
        "SUSPENDED",
        "MESSAGE",
        "AGE",
    ]
    assert shown[1].split()[:3] == ["ana", "ana@example.com", "9104"]
    narrow = _kubectl(cluster, "get", resource).splitlines()[0].split()
    assert narrow == ["NAME", "EMAIL", "USER", "ID", "READY", "REASON", "AGE"]


def test_kubectl_explains_every_field(cluster: Cluster) -> None:
    shown = _kubectl(cluster, "explain", "pu.spec", "--recursive")
    for field in ("email", "userId", "apiTokenSecretRef", "organizationId", "access", "suspend"):
        assert field in shown
    assert "in lower case" in _kubectl(cluster, "explain", "pu.spec.email")


def _kubectl(cluster: Cluster, *arguments: str) -> str:
    command = [cluster.plane.kubectl, "--kubeconfig", cluster.kubeconfig()]
    command += ["-n", cluster.names.users, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
