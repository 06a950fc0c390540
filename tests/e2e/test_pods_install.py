"""Installing by the commands of the docs, into a namespace that enforces restricted pods."""

from __future__ import annotations

import json
from collections.abc import Sequence

from harness.installation import Installation
from harness.terminal import Terminal


def test_an_installation_comes_up_as_three_gateways_on_more_than_one_node(
    installation: Installation,
) -> None:
    pods = installation.pods("gateway")
    assert len(pods) == 3
    assert len({one["spec"]["nodeName"] for one in pods}) > 1
    statuses = [one["status"]["containerStatuses"][0] for one in pods]
    statuses += [one["status"]["containerStatuses"][0] for one in installation.pods("operator")]
    assert [one["restartCount"] for one in statuses] == [0, 0, 0, 0]


def test_each_gateway_sees_its_cluster_by_the_rights_of_its_account(
    installation: Installation,
) -> None:
    for pod in installation.names("gateway"):
        told = json.loads(installation.internal(pod, "readyz"))
        assert told["ready"], told
        assert set(told["checks"].values()) == {"ok"}, told


def test_helm_test_passes(installation: Installation, terminal: Terminal) -> None:
    assert "Succeeded" in terminal("helm test productive -n productive")


def test_people_of_the_examples_become_ready(people: Sequence[str], terminal: Terminal) -> None:
    found = terminal.found("kubectl get pu -n productive-users -o json")["items"]
    reasons = {one["metadata"]["name"]: one["status"]["conditions"][0]["reason"] for one in found}
    assert reasons == dict.fromkeys(people, "Synced")


def test_nothing_is_left_of_the_job_that_made_the_keys(
    installation: Installation, terminal: Terminal
) -> None:
    kinds = "jobs,pods,serviceaccounts,roles,rolebindings,networkpolicies"
    label = "app.kubernetes.io/component=keys"
    assert terminal(f"kubectl get {kinds} -n productive -l {label} -o name") == ""
    assert terminal("kubectl get secret productive-keys -n productive -o name")
