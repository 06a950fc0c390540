"""The CronJob that rotates the key ring: off by default, and as narrow as the Job that makes it."""

from __future__ import annotations

import pytest

from harness.egress import Target, may_reach
from harness.helm import Helm, Rendered, nested
from harness.namespaces import Namespaces
from harness.rights import roles

ENABLED = nested("keys.rotation.enabled", True)
NAME = "productive-rotation"


@pytest.fixture(scope="module")
def rotating(helm: Helm) -> Rendered:
    return helm.render(ENABLED)


def test_nothing_rotates_the_key_ring_by_default(helm: Helm) -> None:
    assert not [one for one in helm.render().objects if "rotation" in one["metadata"]["name"]]


def test_the_part_of_the_cluster_rotates_nothing(helm: Helm) -> None:
    assert helm.render({**ENABLED, "scope": "cluster"}).of("CronJob") == []


def test_each_run_takes_the_next_step_of_a_rotation(rotating: Rendered) -> None:
    spec = rotating.get("CronJob", NAME)["spec"]
    assert spec["schedule"] == "17 3 * * *"
    assert spec["concurrencyPolicy"] == "Forbid"
    [container] = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == [
        *("productive-gateway", "keys", "rotate"),
        *("--name=productive-keys", "--if-older-than=90"),
    ]


@pytest.mark.attack("R-01")
def test_its_account_has_exactly_the_rights_that_it_is_tested_with(rotating: Rendered) -> None:
    subject = [{"kind": "ServiceAccount", "name": NAME, "namespace": "productive"}]
    bindings = [one for one in rotating.of("RoleBinding") if one["subjects"] == subject]
    bound = {
        one["metadata"]["namespace"]: rotating.get("Role", one["roleRef"]["name"])["rules"]
        for one in bindings
    }
    expected = roles("rotation", Namespaces.of("productive"))
    assert bound == {role["namespace"]: role["rules"] for role in expected}
    assert bound["productive"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["productive-keys"],
            "verbs": ["get", "update"],
        }
    ]
    assert rotating.get("ServiceAccount", NAME)["automountServiceAccountToken"] is False


@pytest.mark.attack("K-13")
def test_its_pod_may_reach_only_dns_and_the_api_server(rotating: Rendered) -> None:
    policy = rotating.get("NetworkPolicy", NAME)
    assert may_reach(policy, Target(6443, "10.1.2.3"))
    assert may_reach(policy, Target(53, namespace="kube-system"))
    for port in (53, 80, 443, 8787, 9090):
        assert not may_reach(policy, Target(port, "203.0.113.10"))
        assert not may_reach(policy, Target(port, "10.9.9.9"))
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy["spec"]
    labels = rotating.pods()[f"CronJob/{NAME}"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_with_cilium_it_may_reach_the_api_server(helm: Helm) -> None:
    rendered = helm.render({**ENABLED, **nested("networkPolicy.flavor", "cilium")})
    [rule] = rendered.get("CiliumNetworkPolicy", NAME)["spec"]["egress"]
    assert rule["toEntities"] == ["kube-apiserver"]


def test_its_pod_is_as_restricted_as_that_of_the_job(rotating: Rendered) -> None:
    pods = rotating.pods()
    cron, job = pods[f"CronJob/{NAME}"]["spec"], pods["Job/productive-keys"]["spec"]
    for field in ("securityContext", "volumes", "enableServiceLinks", "restartPolicy"):
        assert cron[field] == job[field]
    [ours], [theirs] = cron["containers"], job["containers"]
    for field in ("image", "securityContext", "resources", "volumeMounts"):
        assert ours[field] == theirs[field]


def test_labels_and_annotations_of_hooks_are_on_its_pod_too(helm: Helm) -> None:
    """A mesh's sidecar would keep it from ending."""
    hooks = {"podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}}
    pod = helm.render({**ENABLED, "hooks": hooks}).pods()[f"CronJob/{NAME}"]["metadata"]
    assert pod["labels"]["a"] == "b"
    assert pod["annotations"] == {"c": "d"}
