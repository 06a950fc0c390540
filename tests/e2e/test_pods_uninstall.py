"""`helm uninstall` leaves exactly what docs/operations.md says, and a new installation goes on."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest

from harness.caller import Caller, result
from harness.installation import Installation
from harness.sdkclient import Assistant
from harness.terminal import Terminal

OF_EVERY_NAMESPACE = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
CLUSTER_WIDE = (
    "clusterroles,clusterrolebindings,validatingadmissionpolicies,"
    "validatingadmissionpolicybindings,namespaces,crds"
)


@pytest.fixture(scope="module")
def before(
    installation: Installation, assistants: Sequence[Assistant], terminal: Terminal
) -> dict[str, set[str]]:
    """What belongs to people, while the release stands."""
    namespaces = ("productive-users", "productive-grants")
    of_the_release = ("role.", "rolebinding.", "resourcequota/")
    return {
        name: {one for one in left(terminal, name) if not one.startswith(of_the_release)}
        for name in namespaces
    }


def test_uninstall_leaves_what_the_docs_say(
    before: dict[str, set[str]], terminal: Terminal
) -> None:
    terminal("helm uninstall productive -n productive --wait")
    terminal("kubectl wait -n productive pod --all --for=delete --timeout=90s")
    assert left(terminal, "productive") == {
        "secret/productive-keys",
        # Ours: the provider's client secret, certificate, authority.
        "secret/productive-sign-in",
        "secret/productive-tls",
        "configmap/company-ca",
    }
    for namespace, objects in before.items():
        assert left(terminal, namespace) == objects
    assert "productiveuser.productive-mcp.dev/ana-kovac" in before["productive-users"]
    assert any(one.startswith("secret/g-") for one in before["productive-grants"])
    label = "app.kubernetes.io/part-of=productive-mcp"
    assert set(terminal(f"kubectl get {CLUSTER_WIDE} -l {label} -o name").split()) == {
        "namespace/productive-users",
        "namespace/productive-grants",
        "customresourcedefinition.apiextensions.k8s.io/productiveusers.productive-mcp.dev",
    }


async def test_an_installation_of_the_same_name_goes_on(
    installation: Installation, assistants: Sequence[Assistant]
) -> None:
    installation.install()
    async with Caller(assistants[0]) as ana:
        assert not result(await ana.call("get_me")).get("isError")
        assert (await ana.refresh()).status_code == httpx.codes.OK


def test_the_rest_goes_by_the_commands_of_the_docs(
    installation: Installation, terminal: Terminal
) -> None:
    terminal("helm uninstall productive -n productive")
    terminal("kubectl delete namespace productive-users productive-grants --timeout=120s")
    terminal("kubectl delete crd productiveusers.productive-mcp.dev --timeout=60s")
    terminal("kubectl delete namespace productive --timeout=120s")
    label = "app.kubernetes.io/part-of=productive-mcp"
    assert terminal(f"kubectl get {CLUSTER_WIDE} -l {label} -o name") == ""


def left(terminal: Terminal, namespace: str) -> set[str]:
    """Return what stands in a namespace, but for what every namespace has, and Events."""
    kinds = terminal("kubectl api-resources --verbs=list --namespaced -o name").split()
    asked = ",".join(one for one in kinds if one.split(".")[0] != "events")
    found = terminal(f"kubectl get {asked} -n {namespace} -o name --ignore-not-found").split()
    return set(found) - OF_EVERY_NAMESPACE
