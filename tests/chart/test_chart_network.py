"""Where the programs may go, on the networks that clusters have."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from harness.egress import Target, may_reach
from harness.helm import Helm, HelmRefused, Rendered, nested
from harness.kube import Object

PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
PROGRAMS = ("gateway", "operator", "keys")
INTERNET = "203.0.113.10"
CONTROL_PLANE = "10.1.2.3"
CILIUM = "--api-versions=cilium.io/v2/CiliumNetworkPolicy"
SHOWS = "kubectl get service/kubernetes endpointslice/kubernetes -n default"
KNOWN = {"networkPolicy": {"apiServer": {"addresses": [CONTROL_PLANE]}}}


@pytest.fixture(scope="module")
def default(helm: Helm) -> Rendered:
    return helm.render()


@pytest.mark.attack("K-13")
def test_the_gateway_may_reach_public_addresses_and_no_private_ones(default: Rendered) -> None:
    policy = _policy(default, "gateway")
    assert may_reach(policy, Target(443, INTERNET))
    assert may_reach(policy, Target(443, "2001:db8::1"))
    assert not may_reach(policy, Target(80, INTERNET))
    for private in ("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254"):
        assert not may_reach(policy, Target(443, private))
    for private in ("fc00::1", "fe80::1"):
        assert not may_reach(policy, Target(443, private))


@pytest.mark.attack("K-13")
@pytest.mark.parametrize("private", ["fc00::1", "fd00:10:96::1", "fdff::1", "fe80::1"])
def test_private_ipv6_addresses_stay_excluded_where_the_longest_prefix_decides(
    default: Rendered, private: str
) -> None:
    # k3s keeps a rule for ::/0 as 2000::/3 and fd00::/8, in one set with the exceptions.
    [except_] = [
        peer["ipBlock"]["except"]
        for rule in _policy(default, "gateway")["spec"]["egress"]
        for peer in rule.get("to", [])
        if peer.get("ipBlock", {}).get("cidr") == "::/0" and "except" in peer["ipBlock"]
    ]
    allowed = {ip_network("2000::/3"): True, ip_network("fd00::/8"): True}
    entries = allowed | dict.fromkeys(map(ip_network, except_), False)
    inside = [one for one in entries if ip_address(private) in one]
    assert not entries[max(inside, key=lambda one: one.prefixlen)]


@pytest.mark.attack("K-13")
@pytest.mark.parametrize("values", [{}, KNOWN], ids=["any address", "known addresses"])
@pytest.mark.parametrize("program", ["operator", "keys"])
def test_the_operator_and_the_job_may_reach_only_dns_and_the_api_server(
    helm: Helm, program: str, values: dict[str, Any]
) -> None:
    policy = _policy(helm.render(values), program)
    assert may_reach(policy, Target(6443, CONTROL_PLANE))
    assert may_reach(policy, Target(53, namespace="kube-system"))
    for port in (53, 80, 443, 8787, 9090):
        assert not may_reach(policy, Target(port, INTERNET))
        assert not may_reach(policy, Target(port, "10.9.9.9"))
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy["spec"]


@pytest.mark.attack("K-13")
def test_nobody_may_reach_the_metrics_by_default(default: Rendered) -> None:
    [rule] = _policy(default, "gateway")["spec"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == [8787]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
@pytest.mark.parametrize(
    "target",
    [
        pytest.param(Target(53, namespace="kube-system"), id="CoreDNS, kube-dns"),
        pytest.param(Target(53, "169.254.20.10"), id="NodeLocal DNSCache"),
        pytest.param(Target(53, "169.254.169.254"), id="Cloud DNS for GKE"),
        pytest.param(Target(53, "169.254.10.11"), id="LocalDNS of AKS"),
        pytest.param(Target(5353, namespace="openshift-dns"), id="OpenShift"),
    ],
)
def test_dns_of_every_known_network_is_allowed_by_default(
    default: Rendered, program: str, protocol: str, target: Target
) -> None:
    asked = Target(target.port, target.address, target.namespace, protocol)
    assert may_reach(_policy(default, program), asked)


@pytest.mark.attack("K-13")
@pytest.mark.parametrize("program", PROGRAMS)
def test_rules_for_dns_allow_nothing_else(default: Rendered, program: str) -> None:
    policy = _policy(default, program)
    assert not may_reach(policy, Target(80, "169.254.169.254"))
    assert not may_reach(policy, Target(53, "10.9.9.9"))
    assert not may_reach(policy, Target(53, INTERNET))
    assert not may_reach(policy, Target(80, namespace="kube-system"))
    assert not may_reach(policy, Target(53, namespace="elsewhere"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_resolver_at_a_service_address_can_be_allowed(helm: Helm, program: str) -> None:
    """NodeLocal DNSCache beside kube-proxy's iptables listens there."""
    rendered = helm.render(nested("networkPolicy.dns.addresses", ["10.96.0.10", "fd00::/120"]))
    policy = _policy(rendered, program)
    assert may_reach(policy, Target(53, "10.96.0.10", protocol="UDP"))
    assert may_reach(policy, Target(53, "fd00::a", protocol="UDP"))
    assert not may_reach(policy, Target(53, "10.96.0.11", protocol="UDP"))
    assert may_reach(policy, Target(53, namespace="kube-system"))


@pytest.mark.attack("K-13")
def test_the_collector_of_traces_can_be_reached_at_its_port_alone(helm: Helm) -> None:
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mon"}}}
    traced = {
        **nested("tracing.endpoint", "http://collector.mon:4318"),
        **nested("networkPolicy.tracingTo", [monitoring]),
    }
    rendered = helm.render(traced)
    assert may_reach(_policy(rendered, "gateway"), Target(4318, namespace="mon"))
    assert not may_reach(_policy(rendered, "gateway"), Target(4317, namespace="mon"))
    assert not may_reach(_policy(rendered, "gateway"), Target(4318, INTERNET))
    assert not may_reach(_policy(rendered, "operator"), Target(4318, namespace="mon"))
    without = helm.render(nested("networkPolicy.tracingTo", [monitoring]))
    assert not may_reach(_policy(without, "gateway"), Target(4318, namespace="mon"))


def test_a_public_collector_of_traces_can_be_reached_at_its_port(helm: Helm) -> None:
    policy = _policy(
        helm.render(nested("tracing.endpoint", "https://otlp.example.com:4318")), "gateway"
    )
    assert may_reach(policy, Target(4318, INTERNET))
    assert not may_reach(policy, Target(4318, "10.0.0.1"))


RULE = {"to": [{"ipBlock": {"cidr": "192.0.2.9/32"}}], "ports": [{"protocol": "TCP", "port": 99}]}


@pytest.mark.parametrize(
    ("path", "programs", "replaced"),
    [
        ("dns.egress", PROGRAMS, Target(53, namespace="kube-system")),
        ("apiServer.egress", PROGRAMS, Target(6443, CONTROL_PLANE)),
        ("publicEgress", ("gateway",), Target(443, INTERNET)),
    ],
)
def test_each_rule_can_be_replaced_as_a_whole(
    helm: Helm, path: str, programs: tuple[str, ...], replaced: Target
) -> None:
    rendered = helm.render(nested(f"networkPolicy.{path}", [RULE]))
    for program in programs:
        policy = _policy(rendered, program)
        assert may_reach(policy, Target(99, "192.0.2.9"))
        assert not may_reach(policy, replaced)


@pytest.mark.parametrize("program", PROGRAMS)
def test_api_server_is_allowed_at_its_addresses_on_both_ports(helm: Helm, program: str) -> None:
    """Some networks see the Service's address and port, others what is behind it."""
    policy = _policy(helm.render(KNOWN), program)
    for port in (443, 6443):
        assert may_reach(policy, Target(port, CONTROL_PLANE))
        assert not may_reach(policy, Target(port, "10.1.2.4"))
    assert not may_reach(policy, Target(6443, INTERNET))
    assert may_reach(policy, Target(443, INTERNET)) == (program == "gateway")


@pytest.mark.attack("K-13")
def test_port_of_the_api_server_never_opens_https_to_all_addresses(helm: Helm) -> None:
    with pytest.raises(HelmRefused) as refused:
        helm.render(nested("networkPolicy.apiServer.ports", [443]))
    said = str(refused.value)
    assert "would be open to every address: set networkPolicy.apiServer.addresses" in said
    assert SHOWS in said
    opened = helm.render(nested("networkPolicy.apiServer.ports", [443, 16443]))
    for program in PROGRAMS:
        policy = _policy(opened, program)
        assert may_reach(policy, Target(16443, CONTROL_PLANE))
        assert not may_reach(policy, Target(443, CONTROL_PLANE))


@pytest.mark.parametrize("version", ["v1.33.5-eks-5d4a308", "v1.34.1-gke.1829001"])
def test_eks_and_gke_require_the_addresses_of_the_api_server(helm: Helm, version: str) -> None:
    """Else the Job would try in vain for four minutes."""
    known = f"--kube-version={version}"
    with pytest.raises(HelmRefused) as refused:
        helm.render({}, known)
    assert "set networkPolicy.apiServer.addresses" in str(refused.value)
    assert helm.render(KNOWN, known).of("Deployment")
    assert helm.render(nested("networkPolicy.apiServer.egress", [RULE]), known).of("Deployment")
    assert helm.render(nested("networkPolicy.enabled", False), known).of("Deployment")
    assert helm.render(nested("networkPolicy.flavor", "cilium"), known).of("Deployment")


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.0/8", "10.200.0.7"),
        ("fd00::1", "fd00::1"),
        ("fd00::/64", "fd00::7"),
    ],
)
def test_an_address_is_one_or_a_range(helm: Helm, address: str, inside: str) -> None:
    rendered = helm.render(nested("networkPolicy.apiServer.addresses", [address]))
    assert may_reach(_policy(rendered, "operator"), Target(6443, inside))


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        (nested("networkPolicy.flavor", "cilium"), ()),
        ({}, (CILIUM,)),
        (KNOWN, (CILIUM,)),
    ],
    ids=["by value", "where the cluster has it", "besides known addresses"],
)
def test_cilium_gets_policies_of_its_own_kind_for_the_api_server(
    helm: Helm, values: dict[str, Any], arguments: tuple[str, ...]
) -> None:
    rendered = helm.render(values, *arguments)
    for program in PROGRAMS:
        policy = rendered.get("CiliumNetworkPolicy", f"productive-{program}")
        [rule] = policy["spec"]["egress"]
        assert rule["toEntities"] == ["kube-apiserver"]
        [ports] = rule["toPorts"]
        assert {(one["port"], one["protocol"]) for one in ports["ports"]} == {
            ("443", "TCP"),
            ("6443", "TCP"),
        }
        selected = policy["spec"]["endpointSelector"]["matchLabels"]
        assert selected == _policy(rendered, program)["spec"]["podSelector"]["matchLabels"]
    keys = rendered.get("CiliumNetworkPolicy", "productive-keys")["metadata"]["annotations"]
    assert keys["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert keys["helm.sh/hook-weight"] == "-10"


@pytest.mark.parametrize(
    "values", [nested("networkPolicy.flavor", "kubernetes"), nested("networkPolicy.enabled", False)]
)
def test_no_cilium_policy_unless_wanted(helm: Helm, values: dict[str, Any]) -> None:
    assert helm.render(values, CILIUM).of("CiliumNetworkPolicy") == []
    assert helm.render().of("CiliumNetworkPolicy") == []


@pytest.mark.attack("K-13")
def test_with_cilium_no_rule_allows_any_address(helm: Helm) -> None:
    """The entity is exact; a rule for any address on 6443 is not."""
    rendered = helm.render(nested("networkPolicy.flavor", "cilium"))
    for program in PROGRAMS:
        assert not may_reach(_policy(rendered, program), Target(6443, INTERNET))


def test_helm_test_reaches_the_gateway_when_others_may_not(helm: Helm) -> None:
    rendered = helm.render({"networkPolicy": {"ingressFrom": [PEER]}})
    [rule] = _policy(rendered, "gateway")["spec"]["ingress"]
    allowed = rule["from"][1]["podSelector"]["matchLabels"]
    pod = rendered.get("Pod", "productive-test")
    assert allowed.items() <= pod["metadata"]["labels"].items()


def test_port_of_the_provider_is_open_without_a_value(helm: Helm) -> None:
    rendered = helm.render({"signIn": {"oidc": {"issuer": "https://idp.example.com:8443/realm"}}})
    policy = _policy(rendered, "gateway")
    assert may_reach(policy, Target(443, INTERNET))
    assert may_reach(policy, Target(8443, INTERNET))


PROXY = "192.0.2.80"


@pytest.mark.parametrize(
    "proxy",
    [
        {"httpsProxy": f"http://{PROXY}:3128"},
        {"httpsProxy": "http://proxy.example.com:3128", "addresses": [PROXY]},
    ],
    ids=["by address", "by name"],
)
def test_with_a_proxy_the_gateway_may_reach_only_the_proxy(
    helm: Helm, proxy: dict[str, Any]
) -> None:
    rendered = helm.render({"proxy": proxy | {"noProxy": ["idp.example.com", ".internal"]}})
    policy = _policy(rendered, "gateway")
    assert may_reach(policy, Target(3128, PROXY))
    assert not may_reach(policy, Target(443, PROXY))
    assert not may_reach(policy, Target(443, INTERNET))
    variables = rendered.environment("gateway")
    assert variables["HTTPS_PROXY"] == proxy["httpsProxy"]
    assert variables["NO_PROXY"] == "idp.example.com,.internal"
    assert not may_reach(_policy(rendered, "operator"), Target(3128, PROXY))
    assert "HTTPS_PROXY" not in rendered.environment("operator")


def test_password_of_the_proxy_comes_from_a_secret(helm: Helm) -> None:
    proxy = {"httpsProxy": f"http://{PROXY}:3128", "existingSecret": "company-proxy"}
    rendered = helm.render({"proxy": proxy})
    assert rendered.environment("gateway")["HTTPS_PROXY"] == "company-proxy/https-proxy"
    assert may_reach(_policy(rendered, "gateway"), Target(3128, PROXY))


def test_port_of_the_proxy_defaults_to_that_of_its_scheme(helm: Helm) -> None:
    for url, port in (
        (f"http://{PROXY}", 80),
        (f"https://{PROXY}/", 443),
        ("http://[fd00::1]", 80),
    ):
        policy = _policy(helm.render({"proxy": {"httpsProxy": url}}), "gateway")
        assert may_reach(policy, Target(port, "fd00::1" if "[" in url else PROXY))


def test_each_policy_selects_the_pods_that_it_is_named_after(default: Rendered) -> None:
    for policy in default.of("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]["matchLabels"]
        chosen = [
            name
            for name, pod in default.pods().items()
            if selector.items() <= pod["metadata"]["labels"].items()
        ]
        assert [name.partition("/")[2] for name in chosen] == [policy["metadata"]["name"]]


def test_notes_show_how_to_find_missing_addresses(helm: Helm) -> None:
    warning = "set networkPolicy.apiServer.addresses"
    notes = helm.notes()
    assert SHOWS in notes
    assert warning in notes
    for values in (KNOWN, nested("networkPolicy.flavor", "cilium")):
        assert warning not in helm.notes(values)


def _policy(rendered: Rendered, program: str) -> Object:
    return rendered.get("NetworkPolicy", f"productive-{program}")
