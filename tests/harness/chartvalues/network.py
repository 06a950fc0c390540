"""Cases of the values about what reaches the programs, and what they reach."""

from __future__ import annotations

from harness.chartvalues.case import ABSENT, MONITORED, PEER, Case, env
from harness.helm import nested

RULES = [{"to": PEER, "ports": [{"protocol": "TCP", "port": 1}]}]
GATEWAYS = [{"name": "public", "namespace": "gateways"}]
PROXY = {"httpsProxy": "http://192.0.2.80:3128"}
INGRESS = {"ingress": {"enabled": True}}
ROUTE = {"httpRoute": {"enabled": True, "parentRefs": GATEWAYS}}
TRACED = {"tracing": {"endpoint": "http://collector.monitoring:4318"}} | nested(
    "networkPolicy.tracingTo", PEER
)

OF_NETWORK: list[Case] = [
    Case("service.type", "NodePort", "Service/gateway", "spec.type", "NodePort"),
    Case("service.port", 8080, "Service/gateway", "spec.ports.0.port", 8080),
    Case("service.annotations", {"a": "b"}, "Service/gateway", "metadata.annotations.a", "b"),
    *(
        Case(f"service.{name}", value, f"Service/{service}", f"spec.{name}", value, MONITORED)
        for name, value in (("ipFamilyPolicy", "PreferDualStack"), ("ipFamilies", ["IPv6"]))
        for service in ("gateway", "gateway-metrics", "operator-metrics")
    ),
    env("proxy.httpsProxy", PROXY["httpsProxy"], "HTTPS_PROXY", PROXY["httpsProxy"]),
    env("proxy.noProxy", ["a", ".b"], "NO_PROXY", "a,.b", {"proxy": PROXY}),
    env("proxy.existingSecret", "s", "HTTPS_PROXY", "s/https-proxy", {"proxy": PROXY}),
    env("proxy.secretKey", "k", "HTTPS_PROXY", "s/k", {"proxy": PROXY | {"existingSecret": "s"}}),
    Case(
        "proxy.addresses",
        ["192.0.2.0/24"],
        "NetworkPolicy/gateway",
        "spec.egress.3",
        {
            "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
            "ports": [{"protocol": "TCP", "port": 3128}],
        },
        {"proxy": PROXY},
    ),
    Case("ingress.enabled", True, "Ingress/gateway", "spec.rules.0.host", "mcp.example.com"),
    Case("ingress.className", "c", "Ingress/gateway", "spec.ingressClassName", "c", INGRESS),
    Case("ingress.streaming", False, "Ingress/gateway", "metadata.annotations", ABSENT, INGRESS),
    Case(
        "ingress.annotations", {"a": "b"}, "Ingress/gateway", "metadata.annotations.a", "b", INGRESS
    ),
    Case("ingress.tls.enabled", False, "Ingress/gateway", "spec.tls", ABSENT, INGRESS),
    Case("ingress.tls.secretName", "t", "Ingress/gateway", "spec.tls.0.secretName", "t", INGRESS),
    Case(
        "httpRoute.enabled",
        True,
        "HTTPRoute/gateway",
        "spec.hostnames",
        ["mcp.example.com"],
        nested("httpRoute.parentRefs", GATEWAYS),
    ),
    Case("httpRoute.parentRefs", GATEWAYS, "HTTPRoute/gateway", "spec.parentRefs", GATEWAYS, ROUTE),
    Case("httpRoute.timeout", "", "HTTPRoute/gateway", "spec.rules.0.timeouts", ABSENT, ROUTE),
    Case(
        "httpRoute.annotations",
        {"a": "b"},
        "HTTPRoute/gateway",
        "metadata.annotations.a",
        "b",
        ROUTE,
    ),
    Case("networkPolicy.enabled", False, "NetworkPolicy/gateway", "", ABSENT),
    Case("networkPolicy.enabled", False, "NetworkPolicy/keys", "", ABSENT),
    Case(
        "networkPolicy.ingressFrom", PEER, "NetworkPolicy/gateway", "spec.ingress.0.from.0", PEER[0]
    ),
    Case("networkPolicy.metricsFrom", PEER, "NetworkPolicy/gateway", "spec.ingress.1.from", PEER),
    Case("networkPolicy.metricsFrom", PEER, "NetworkPolicy/operator", "spec.ingress.0.from", PEER),
    Case(
        "networkPolicy.flavor",
        "cilium",
        "CiliumNetworkPolicy/gateway",
        "spec.egress.0.toEntities",
        ["kube-apiserver"],
    ),
    Case("networkPolicy.dns.egress", RULES, "NetworkPolicy/keys", "spec.egress.0", RULES[0]),
    Case(
        "networkPolicy.dns.addresses",
        ["10.96.0.10"],
        "NetworkPolicy/keys",
        "spec.egress.2.to",
        [{"ipBlock": {"cidr": "10.96.0.10/32"}}],
    ),
    Case(
        "networkPolicy.apiServer.addresses",
        ["192.0.2.1", "2001:db8::/64"],
        "NetworkPolicy/operator",
        "spec.egress.2.to",
        [{"ipBlock": {"cidr": "192.0.2.1/32"}}, {"ipBlock": {"cidr": "2001:db8::/64"}}],
    ),
    Case(
        "networkPolicy.apiServer.ports",
        [16443],
        "NetworkPolicy/operator",
        "spec.egress.2.ports",
        [{"protocol": "TCP", "port": 16443}],
    ),
    Case(
        "networkPolicy.apiServer.egress", RULES, "NetworkPolicy/operator", "spec.egress.2", RULES[0]
    ),
    Case("networkPolicy.publicEgress", RULES, "NetworkPolicy/gateway", "spec.egress.3", RULES[0]),
    Case(
        "networkPolicy.privateRanges",
        ["10.0.0.0/8"],
        "NetworkPolicy/gateway",
        "spec.egress.3.to",
        [
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}},
            {"ipBlock": {"cidr": "::/0"}},
        ],
    ),
    Case(
        "networkPolicy.gatewayEgress",
        [{"to": PEER}],
        "NetworkPolicy/gateway",
        "spec.egress.4",
        {"to": PEER},
    ),
    env(
        "tracing.endpoint",
        "https://otlp.example.com/x",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "https://otlp.example.com/x",
    ),
    env("tracing.endpoint", "", "OTEL_EXPORTER_OTLP_ENDPOINT", ABSENT),
    env("tracing.share", 0.25, "OTEL_TRACES_SAMPLER_ARG", "0.25", TRACED),
    # A sampler that something injects would ignore the share.
    env("tracing.share", 0.25, "OTEL_TRACES_SAMPLER", "parentbased_traceidratio", TRACED),
    Case(
        "networkPolicy.tracingTo", PEER, "NetworkPolicy/gateway", "spec.egress.4.to", PEER, TRACED
    ),
]
