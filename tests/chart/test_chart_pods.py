"""How the programs run: what they may touch, and how they end."""

from __future__ import annotations

from typing import Any

import pytest

from harness.helm import Helm, Rendered
from harness.kube import Object
from harness.namespaces import Namespaces
from harness.rights import Account, roles


@pytest.fixture(scope="module")
def default(helm: Helm) -> Rendered:
    return helm.render()


def test_every_pod_has_a_read_only_root_and_a_place_for_temporary_files(default: Rendered) -> None:
    assert len(default.pods()) == 4
    for pod in default.pods().values():
        [container] = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
        assert pod["spec"]["securityContext"]["runAsUser"] == 10001
        assert pod["spec"]["enableServiceLinks"] is False
        assert container["resources"]["limits"]["memory"]


def test_pods_get_a_token_and_accounts_hand_out_none(default: Rendered) -> None:
    accounts = default.of("ServiceAccount")
    assert {one["automountServiceAccountToken"] for one in accounts} == {False}
    mounted = {
        name: pod["spec"]["automountServiceAccountToken"] for name, pod in default.pods().items()
    }
    assert mounted == {
        "Deployment/productive-gateway": True,
        "Deployment/productive-operator": True,
        "Job/productive-keys": True,
        "Pod/productive-test": False,
    }


def test_a_pod_leaves_a_dead_node_in_half_a_minute(default: Rendered) -> None:
    for pod in default.pods().values():
        seconds = {one["key"]: one["tolerationSeconds"] for one in pod["spec"]["tolerations"]}
        assert set(seconds.values()) == {30}
        assert len(seconds) == 2


def test_probes_ask_the_internal_port_which_no_service_leads_to(default: Rendered) -> None:
    for name in ("gateway", "operator"):
        container = _container(default, name)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert ports[container[probe]["httpGet"]["port"]] == 9090
    [service] = default.of("Service")
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]


def test_mapping_and_key_ring_are_mounted_but_not_waited_for(default: Rendered) -> None:
    spec = default.get("Deployment", "productive-gateway")["spec"]["template"]["spec"]
    secrets = {one["name"]: one["secret"] for one in spec["volumes"] if "secret" in one}
    assert {name: one["secretName"] for name, one in secrets.items()} == {
        "mapping": "productive-mapping",
        "keys": "productive-keys",
    }
    assert all(one["optional"] for one in secrets.values())
    variables = default.environment("gateway")
    mounts = {
        one["name"]: one["mountPath"] for one in _container(default, "gateway")["volumeMounts"]
    }
    assert variables["USER_MAPPING"] == mounts["mapping"]
    assert variables["KEY_RING"] == mounts["keys"]
    assert not any("subPath" in one for one in _container(default, "gateway")["volumeMounts"])


def test_the_operator_mounts_no_secret(default: Rendered) -> None:
    spec = default.get("Deployment", "productive-operator")["spec"]["template"]["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["tmp"]


def test_an_account_of_ones_own_gets_the_rights(helm: Helm) -> None:
    own = {"create": False, "name": "ours", "annotations": {}}
    rendered = helm.render(
        {"gateway": {"serviceAccount": own}, "admissionPolicies": {"enabled": True}}
    )
    subjects = [one["subjects"][0]["name"] for one in rendered.of("RoleBinding")]
    assert subjects.count("ours") == 2
    assert "productive-gateway" not in subjects
    assert "ours" not in [one["metadata"]["name"] for one in rendered.of("ServiceAccount")]
    [policy] = [
        one
        for one in rendered.of("ValidatingAdmissionPolicy")
        if one["metadata"]["name"].endswith("gateway-writes-grants")
    ]
    assert "system:serviceaccount:productive:ours" in str(policy["spec"]["matchConditions"])


def test_user_labels_and_annotations_do_not_override_those_of_hooks(helm: Helm) -> None:
    """Else a Job could stay, or a pod slip out of its network policy."""
    component = "app.kubernetes.io/component"
    rendered = helm.render(
        {"hooks": {"annotations": {"helm.sh/hook": "post-install"}, "podLabels": {component: "x"}}}
    )
    job, pod = rendered.get("Job", "productive-keys"), rendered.get("Pod", "productive-test")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert job["spec"]["template"]["metadata"]["labels"][component] == "keys"
    assert pod["metadata"]["labels"][component] == "test"


def test_pods_of_hooks_are_placed_like_the_gateway(helm: Helm) -> None:
    gateway = {
        "runtimeClassName": "gvisor",
        "priorityClassName": "high",
        "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["idp.example.com"]}],
        "dnsConfig": {"searches": ["example.com"]},
        "nodeSelector": {"a": "b"},
    }
    pods = helm.render({"gateway": gateway}).pods()
    for name in ("Job/productive-keys", "Pod/productive-test", "Deployment/productive-gateway"):
        assert gateway.items() <= pods[name]["spec"].items()


@pytest.mark.parametrize("program", ["gateway", "operator"])
def test_user_labels_do_not_take_a_pod_out_of_its_service(helm: Helm, program: str) -> None:
    label = "app.kubernetes.io/component"
    rendered = helm.render({program: {"podLabels": {label: "x"}}, "commonLabels": {label: "y"}})
    spec = rendered.get("Deployment", f"productive-{program}")["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert labels[label] == program


def test_a_new_chart_alone_replaces_no_pod(default: Rendered) -> None:
    for name in ("gateway", "operator"):
        labels = default.get("Deployment", f"productive-{name}")["spec"]["template"]["metadata"]
        assert not [key for key in labels["labels"] if "chart" in key or "version" in key]


def test_the_key_ring_is_made_by_a_hook_before_anything_that_needs_it(default: Rendered) -> None:
    job = default.get("Job", "productive-keys")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == [
        *("productive-gateway", "keys", "init"),
        *("--name", "productive-keys"),
    ]
    needed = [
        one for one in default.objects if one["metadata"]["name"].startswith("productive-keys")
    ]
    weights = {one["kind"]: _weight(one) for one in needed}
    assert weights == {
        "Job": 0,
        **dict.fromkeys(("ServiceAccount", "Role", "RoleBinding", "NetworkPolicy"), -10),
    }


@pytest.mark.parametrize("account", ["gateway", "operator", "keys"])
@pytest.mark.attack("R-01")
def test_the_roles_are_those_that_the_programs_are_tested_with(
    default: Rendered, account: Account
) -> None:
    expected = {
        role["namespace"]: role["rules"] for role in roles(account, Namespaces.of("productive"))
    }
    subject = [
        {"kind": "ServiceAccount", "name": f"productive-{account}", "namespace": "productive"}
    ]
    bindings = [one for one in default.of("RoleBinding") if one["subjects"] == subject]
    bound = {one["metadata"]["namespace"]: _role(default, one)["rules"] for one in bindings}
    assert bound == expected
    assert len(bindings) == len(expected)


@pytest.mark.attack("R-01")
def test_programs_have_no_rights_beyond_their_namespaces(default: Rendered) -> None:
    assert default.of("ClusterRoleBinding") == []
    assert {one["roleRef"]["kind"] for one in default.of("RoleBinding")} == {"Role"}
    assert len(default.of("RoleBinding")) == len(default.of("Role")) == 5


def test_answers_stream_through_every_ingress(helm: Helm) -> None:
    rendered = helm.render({"ingress": {"enabled": True}})
    annotations = rendered.get("Ingress", "productive-gateway")["metadata"]["annotations"]
    assert annotations["projectcontour.io/response-timeout"] == "infinity"
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"


def test_an_annotation_of_the_users_wins(helm: Helm) -> None:
    key = "projectcontour.io/response-timeout"
    rendered = helm.render({"ingress": {"enabled": True, "annotations": {key: "60s"}}})
    ingress = rendered.get("Ingress", "productive-gateway")
    assert ingress["metadata"]["annotations"][key] == "60s"


def test_people_are_kept_when_the_release_goes(default: Rendered) -> None:
    for one in (*default.of("Namespace"), *default.of("CustomResourceDefinition")):
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    names = {one["metadata"]["name"]: one["metadata"]["labels"] for one in default.of("Namespace")}
    assert set(names) == {"productive-users", "productive-grants"}
    for labels in names.values():
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_mapping_is_made_without_content(default: Rendered) -> None:
    mapping = default.get("Secret", "productive-mapping")
    assert mapping["type"] == "productive-mcp.dev/mapping"
    assert not {"data", "stringData"} & set(mapping)


def _container(rendered: Rendered, program: str) -> dict[str, Any]:
    spec = rendered.get("Deployment", f"productive-{program}")["spec"]["template"]["spec"]
    container: dict[str, Any] = spec["containers"][0]
    return container


def _role(rendered: Rendered, binding: Object) -> Object:
    [role] = [
        one
        for one in rendered.of("Role")
        if one["metadata"]["name"] == binding["roleRef"]["name"]
        and one["metadata"]["namespace"] == binding["metadata"]["namespace"]
    ]
    return role


def _weight(one: Object) -> int:
    return int(one["metadata"]["annotations"].get("helm.sh/hook-weight", "0"))
