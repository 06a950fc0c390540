"""Each value does what its comment says: one case for every value of values.yaml."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from harness.helm import CHART, RELEASE, Helm, Rendered, at, nested

OIDC_OFF = {"signIn": {"oidc": {"issuer": "", "clientId": ""}}}
ACCESS = {
    "clientId": "access-client",
    "authorizationUrl": "https://team.example.com/o/authorization",
    "tokenUrl": "https://team.example.com/o/token",
    "jwksUrl": "https://team.example.com/o/jwks",
}
PEER = [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]
RULES = [{"to": PEER, "ports": [{"protocol": "TCP", "port": 1}]}]
GATEWAYS = [{"name": "public", "namespace": "gateways"}]
PROXY = {"httpsProxy": "http://192.0.2.80:3128"}
INGRESS = {"ingress": {"enabled": True}}
ROUTE = {"httpRoute": {"enabled": True, "parentRefs": GATEWAYS}}
MONITORED = {
    "metrics": {"serviceMonitor": {"enabled": True}},
    "networkPolicy": {"metricsFrom": PEER},
}
TRACED = {"tracing": {"endpoint": "http://collector.monitoring:4318"}} | nested(
    "networkPolicy.tracingTo", PEER
)
DASHBOARD = {"metrics": {"dashboard": {"enabled": True}}}
ALERTS = {"metrics": {"prometheusRule": {"enabled": True}}}
DEVELOPMENT = yaml.safe_load((CHART / "values-dev.yaml").read_text())
SCALED = {"gateway": {"autoscaling": {"enabled": True}}}
DIGEST = "sha256:" + "a" * 64

ROTATION = {"keys": {"rotation": {"enabled": True}}}
POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"
OF_UMBRELLAS = {"enabled", "global"}
"""Read by Helm for a chart that has this one as a dependency."""
ABSENT = object()
PRESENT = object()


@dataclass(frozen=True, slots=True)
class Case:
    """A value, and where it shows."""

    path: str
    value: Any
    where: str
    """Kind/name; the name without the release's."""
    inside: str = ""
    """Path in the object; `env.NAME` is a variable of the program."""
    expected: Any = PRESENT
    more: dict[str, Any] = field(default_factory=dict)
    """Further values."""


def env(
    path: str, value: Any, variable: str, expected: str, more: dict[str, Any] | None = None
) -> Case:
    """Return a case about a variable of the gateway."""
    return Case(path, value, "Deployment/gateway", f"env.{variable}", expected, more or {})


def denied(kind: str, one: str) -> str:
    """Return the variable of the gateway that denies one client."""
    lists = {"clients": [], "hosts": [], "names": []} | {kind: [one]}
    return json.dumps(lists, separators=(",", ":"))


def _of_programs() -> list[Case]:
    """The values that gateway and operator have in common."""
    probe = {"httpGet": {"path": "/other", "port": 1234}}
    spread = [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
    cases = []
    for program in ("gateway", "operator"):
        values: list[tuple[str, Any, str, Any]] = [
            ("image.repository", "r.example/p", f"{CONTAINER}.image", "r.example/p:0.1.0"),
            ("image.tag", "9", f"{CONTAINER}.image", f"productive-mcp-{program}:9"),
            ("image.digest", DIGEST, f"{CONTAINER}.image", f"productive-mcp-{program}@{DIGEST}"),
            ("image.pullPolicy", "Always", f"{CONTAINER}.imagePullPolicy", "Always"),
            ("command", ["x", "y"], f"{CONTAINER}.command", ["x", "y"]),
            ("resources", {"limits": {"cpu": 3}}, f"{CONTAINER}.resources.limits.cpu", 3),
            ("topologySpreadConstraints", spread, f"{POD}.topologySpreadConstraints.0.maxSkew", 2),
            ("tolerations", [], f"{POD}.tolerations", ABSENT),
            ("nodeSelector", {"a": "b"}, f"{POD}.nodeSelector", {"a": "b"}),
            ("affinity", {"nodeAffinity": {}}, f"{POD}.affinity", {"nodeAffinity": {}}),
            ("priorityClassName", "high", f"{POD}.priorityClassName", "high"),
            ("podAnnotations", {"a": "b"}, "spec.template.metadata.annotations", {"a": "b"}),
            ("podLabels", {"a": "b"}, "spec.template.metadata.labels.a", "b"),
            ("podSecurityContext", {"fsGroup": 7}, f"{POD}.securityContext.fsGroup", 7),
            ("securityContext", {"x": 1}, f"{CONTAINER}.securityContext.x", 1),
            ("livenessProbe", probe, f"{CONTAINER}.livenessProbe.httpGet.path", "/other"),
            ("readinessProbe", probe, f"{CONTAINER}.readinessProbe.httpGet.path", "/other"),
            ("startupProbe", probe, f"{CONTAINER}.startupProbe.httpGet.path", "/other"),
            ("preStopSeconds", 9, f"{CONTAINER}.lifecycle.preStop.sleep.seconds", 9),
            ("terminationGracePeriodSeconds", 77, f"{POD}.terminationGracePeriodSeconds", 77),
            ("extraEnv", [{"name": "A", "value": "b"}], "env.A", "b"),
            ("extraEnvFrom", [{"secretRef": {"name": "s"}}], f"{CONTAINER}.envFrom", PRESENT),
            ("extraVolumes", [{"name": "v"}], f"{POD}.volumes.-1", {"name": "v"}),
            (
                "extraVolumeMounts",
                [{"name": "v", "mountPath": "/v"}],
                f"{CONTAINER}.volumeMounts.-1.mountPath",
                "/v",
            ),
            ("extraContainers", [{"name": "c"}], f"{POD}.containers.1.name", "c"),
            ("initContainers", [{"name": "i"}], f"{POD}.initContainers.0.name", "i"),
            ("deploymentAnnotations", {"a": "b"}, "metadata.annotations", {"a": "b"}),
            ("strategy", {"type": "Recreate"}, "spec.strategy", {"type": "Recreate"}),
            ("revisionHistoryLimit", 3, "spec.revisionHistoryLimit", 3),
            ("runtimeClassName", "gvisor", f"{POD}.runtimeClassName", "gvisor"),
            ("hostAliases", [{"ip": "192.0.2.1"}], f"{POD}.hostAliases.0.ip", "192.0.2.1"),
            ("dnsConfig", {"searches": ["a"]}, f"{POD}.dnsConfig", {"searches": ["a"]}),
            ("serviceAccount.name", "own", f"{POD}.serviceAccountName", "own"),
        ]
        account = f"ServiceAccount/{program}"
        annotations = "serviceAccount.annotations"
        named = {program: {"serviceAccount": {"name": "own"}}}
        cases += [
            Case(f"{program}.{annotations}", {"a": "b"}, account, "metadata.annotations.a", "b"),
            Case(
                f"{program}.serviceAccount.create", False, "ServiceAccount/own", "", ABSENT, named
            ),
        ]
        other = {"gateway": "operator", "operator": "gateway"}[program]
        cases += [
            Case(
                f"{program}.{path}",
                value,
                f"Deployment/{program}",
                inside,
                expected,
                # One rendering shows both.
                nested(f"{other}.{path}", value),
            )
            for path, value, inside, expected in values
        ]
    return cases


CASES: list[Case] = [
    Case("scope", "cluster", "Deployment/gateway", "", ABSENT),
    Case(
        "nameOverride",
        "mcp",
        "Deployment/productive-mcp-gateway",
        "spec.selector.matchLabels",
        {
            "app.kubernetes.io/name": "mcp",
            "app.kubernetes.io/instance": "productive",
            "app.kubernetes.io/component": "gateway",
        },
    ),
    Case("fullnameOverride", "mcp", "Secret/mcp-mapping"),
    env("publicUrl", "https://x.example/", "PUBLIC_URL", "https://x.example"),
    env("productive.organizationId", 1234567, "PRODUCTIVE_ORG_ID", "1234567"),
    env(
        "productive.apiBaseUrl", "https://a.example", "PRODUCTIVE_API_BASE_URL", "https://a.example"
    ),
    env(
        "productive.requestsPer30Minutes",
        8_000_000,
        "PRODUCTIVE_REQUESTS_PER_30_MIN",
        "8000000",
    ),
    env("productive.readOnly", True, "READ_ONLY", "true"),
    env("productive.toolsets", ["core", "time"], "TOOLSETS", "core,time"),
    env("signIn.existingSecret", "other", "OIDC_CLIENT_SECRET", "other/client-secret"),
    env("signIn.secretKey", "k", "OIDC_CLIENT_SECRET", "productive-sign-in/k"),
    env("signIn.oidc.issuer", "https://i.example/", "OIDC_ISSUER", "https://i.example/"),
    env("signIn.oidc.clientId", "c", "OIDC_CLIENT_ID", "c"),
    *(
        env(
            f"signIn.access.{name}",
            ACCESS[name],
            f"ACCESS_{variable}",
            ACCESS[name],
            {"signIn": {**OIDC_OFF["signIn"], "access": ACCESS}},
        )
        for name, variable in (
            ("clientId", "CLIENT_ID"),
            ("authorizationUrl", "AUTHORIZATION_URL"),
            ("tokenUrl", "TOKEN_URL"),
            ("jwksUrl", "JWKS_URL"),
        )
    ),
    env("signIn.emailTrust", "issuer", "OIDC_EMAIL_TRUST", "issuer"),
    env("signIn.offline", True, "OIDC_OFFLINE", "true"),
    env(
        "signIn.tokenEndpointAuthMethod",
        "client_secret_post",
        "OIDC_TOKEN_ENDPOINT_AUTH_METHOD",
        "client_secret_post",
    ),
    env("signIn.requiredClaims", {"hd": ["a", "b"]}, "OIDC_REQUIRED_CLAIMS", '{"hd":["a","b"]}'),
    env("signIn.caBundle.configMap", "ca", "CA_BUNDLE", "/etc/productive-mcp/ca/ca.crt"),
    Case(
        "signIn.caBundle.secret",
        "ca",
        "Deployment/gateway",
        f"{POD}.volumes.3.secret.secretName",
        "ca",
    ),
    env(
        "signIn.caBundle.key",
        "root.pem",
        "CA_BUNDLE",
        "/etc/productive-mcp/ca/root.pem",
        {"signIn": {"caBundle": {"configMap": "ca"}}},
    ),
    env(
        "redirectHosts",
        ["a.example", "b.example:8443/callback", "c.example/below/"],
        "REDIRECT_HOSTS",
        "a.example,b.example:8443/callback,c.example/below/",
    ),
    env("clients.kinds", ["registered"], "CLIENT_KINDS", "registered"),
    env("clients.existingSecret", "c", "PREREGISTERED_CLIENTS", "/var/run/productive-mcp/clients"),
    Case(
        "clients.existingSecret",
        "c",
        "Deployment/gateway",
        f"{POD}.volumes.3",
        {"name": "clients", "secret": {"secretName": "c", "defaultMode": 0o440}},
    ),
    env("clients.redirectSchemes", ["a.example", "b:/c"], "REDIRECT_SCHEMES", "a.example,b:/c"),
    env("clients.denied.clients", ["c"], "DENIED_CLIENTS", denied("clients", "c")),
    env("clients.denied.hosts", ["a.example"], "DENIED_CLIENTS", denied("hosts", "a.example")),
    env("clients.denied.names", ["An App"], "DENIED_CLIENTS", denied("names", "An App")),
    env(
        "clients.documentHosts",
        ["claude.ai", "code.example"],
        "CLIENT_DOCUMENT_HOSTS",
        "claude.ai,code.example",
    ),
    env(
        "clients.deniedAddresses",
        ["203.0.113.0/24", "2001:db8::/32"],
        "DENIED_ADDRESSES",
        "203.0.113.0/24,2001:db8::/32",
    ),
    env("allowedOrigins", ["https://a.example"], "ALLOWED_ORIGINS", "https://a.example"),
    env("adminContact", "#help", "ADMIN_CONTACT", "#help"),
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
    Case("namespaces.create", False, "Namespace/users", "", ABSENT),
    env("namespaces.grants", "g", "GRANTS", "kubernetes://g"),
    Case(
        "namespaces.grantsQuota",
        1_234_567,
        "ResourceQuota/grants",
        "spec.hard",
        {"count/secrets": "1234567"},
    ),
    Case("namespaces.grantsQuota", 0, "ResourceQuota/grants", "", ABSENT),
    Case("namespaces.users", "u", "Deployment/operator", "env.USERS_NAMESPACE", "u"),
    Case(
        "crds.install",
        False,
        "CustomResourceDefinition/productiveusers.productive-mcp.dev",
        "",
        ABSENT,
    ),
    Case("rbac.create", False, "Role/gateway-grants", "", ABSENT),
    Case("hooks.enabled", False, "Job/keys", "", ABSENT, nested("keys.existingSecret", "k")),
    Case("hooks.annotations", {"a": "b"}, "Job/keys", "metadata.annotations.a", "b"),
    Case("hooks.annotations", {"a": "b"}, "Pod/test", "metadata.annotations.a", "b"),
    Case(
        "hooks.podAnnotations",
        {"a": "b"},
        "Job/keys",
        "spec.template.metadata.annotations",
        {"a": "b"},
    ),
    Case("hooks.podAnnotations", {"a": "b"}, "Pod/test", "metadata.annotations.a", "b"),
    Case("hooks.podLabels", {"a": "b"}, "Job/keys", "spec.template.metadata.labels.a", "b"),
    Case("hooks.podLabels", {"a": "b"}, "Pod/test", "metadata.labels.a", "b"),
    Case("rbac.aggregate", False, "ClusterRole/productive-mcp-edit", "", ABSENT),
    env("keys.existingSecret", "company-keys", "KEY_RING_SECRET", "company-keys"),
    Case("keys.existingSecret", "company-keys", "Job/keys", "", ABSENT),
    Case(
        "keys.job.resources",
        {"limits": {"cpu": 1}},
        "Job/keys",
        f"{CONTAINER}.resources.limits.cpu",
        1,
    ),
    Case("keys.rotation.enabled", True, "CronJob/rotation"),
    Case(
        "keys.rotation.schedule",
        "0 4 1 * *",
        "CronJob/rotation",
        "spec.schedule",
        "0 4 1 * *",
        ROTATION,
    ),
    Case(
        "keys.rotation.days",
        30,
        "CronJob/rotation",
        f"spec.jobTemplate.{CONTAINER}.command.4",
        "--if-older-than=30",
        ROTATION,
    ),
    Case(
        "openshift.adaptSecurityContext",
        "force",
        "Deployment/gateway",
        f"{POD}.securityContext.runAsUser",
        ABSENT,
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
    Case(
        "admissionPolicies.enabled",
        True,
        "ValidatingAdmissionPolicyBinding/productive.productive.operator-fills-mapping",
    ),
    Case(
        "metrics.serviceMonitor.enabled",
        True,
        "ServiceMonitor/operator",
        "spec.endpoints.0.port",
        "internal",
        nested("networkPolicy.metricsFrom", PEER),
    ),
    Case(
        "metrics.serviceMonitor.labels",
        {"release": "p"},
        "ServiceMonitor/gateway",
        "metadata.labels.release",
        "p",
        MONITORED,
    ),
    Case(
        "metrics.serviceMonitor.interval",
        "5s",
        "ServiceMonitor/gateway",
        "spec.endpoints.0.interval",
        "5s",
        MONITORED,
    ),
    Case("metrics.prometheusRule.enabled", True, "PrometheusRule/productive"),
    Case(
        "metrics.prometheusRule.runbook",
        "https://git.example.com/operations.md",
        "PrometheusRule/productive",
        "spec.groups.0.rules.0.annotations.runbook_url",
        "https://git.example.com/operations.md#productivemcpgatewayabsent",
        ALERTS,
    ),
    Case(
        "metrics.prometheusRule.labels",
        {"release": "p"},
        "PrometheusRule/productive",
        "metadata.labels.release",
        "p",
        ALERTS,
    ),
    Case(
        "metrics.dashboard.enabled",
        True,
        "ConfigMap/dashboard",
        "metadata.labels.grafana_dashboard",
    ),
    Case(
        "metrics.dashboard.labels",
        {"dashboards": "yes"},
        "ConfigMap/dashboard",
        "metadata.labels.dashboards",
        "yes",
        DASHBOARD,
    ),
    Case(
        "metrics.dashboard.annotations",
        {"folder": "MCP"},
        "ConfigMap/dashboard",
        "metadata.annotations",
        {"folder": "MCP"},
        DASHBOARD,
    ),
    Case(
        "imagePullSecrets",
        [{"name": "r"}],
        "Job/keys",
        f"{POD}.imagePullSecrets",
        [{"name": "r"}],
    ),
    Case("commonLabels", {"team": "a"}, "Secret/mapping", "metadata.labels.team", "a"),
    Case(
        "extraObjects",
        [{"kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}}],
        "ConfigMap/productive-more",
    ),
    Case("gateway.replicas", 3, "Deployment/gateway", "spec.replicas", 3),
    Case("gateway.replicas", 1, "PodDisruptionBudget/gateway", "", ABSENT),
    env(
        "limits.trustedProxies", ["10.0.0.0/8", "fd00::1"], "TRUSTED_PROXIES", "10.0.0.0/8,fd00::1"
    ),
    env("limits.registerPerMinute", 0, "LIMIT_REGISTER", "0"),
    env("limits.authorizePerMinute", 600, "LIMIT_AUTHORIZE", "600"),
    env("limits.tokenPerMinute", 100000, "LIMIT_TOKEN", "100000"),
    env("limits.failedTokensPerMinute", 300, "LIMIT_FAILED_TOKENS", "300"),
    env("limits.signInsPerMinute", 20, "LIMIT_SIGN_INS", "20"),
    env("limits.clientDocumentsPerMinute", 5, "LIMIT_CLIENT_DOCUMENTS", "5"),
    env("gateway.keepAliveSeconds", 620, "KEEP_ALIVE_SECONDS", "620"),
    env("signIn.accessTokenSeconds", 600, "ACCESS_TOKEN_SECONDS", "600"),
    env("gateway.maxConnections", 5000, "MAX_CONNECTIONS", "5000"),
    env("gateway.logLevel", "debug", "LOG_LEVEL", "debug"),
    env("gateway.auditEmails", "hashed", "AUDIT_EMAILS", "hashed"),
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
    Case("gateway.autoscaling.enabled", True, "Deployment/gateway", "spec.replicas", ABSENT),
    Case(
        "gateway.autoscaling.minReplicas",
        4,
        "HorizontalPodAutoscaler/gateway",
        "spec.minReplicas",
        4,
        SCALED,
    ),
    Case(
        "gateway.autoscaling.maxReplicas",
        4,
        "HorizontalPodAutoscaler/gateway",
        "spec.maxReplicas",
        4,
        SCALED,
    ),
    Case(
        "gateway.autoscaling.targetCPUUtilizationPercentage",
        55,
        "HorizontalPodAutoscaler/gateway",
        "spec.metrics.0.resource.target.averageUtilization",
        55,
        SCALED,
    ),
    Case("gateway.podDisruptionBudget.enabled", False, "PodDisruptionBudget/gateway", "", ABSENT),
    Case("operator.replicas", 2, "PodDisruptionBudget/operator", "spec.maxUnavailable", 1),
    Case("operator.logLevel", "debug", "Deployment/operator", "env.LOG_LEVEL", "DEBUG"),
    Case(
        "operator.podDisruptionBudget.enabled",
        False,
        "PodDisruptionBudget/operator",
        "",
        ABSENT,
        nested("operator.replicas", 2),
    ),
    *_of_programs(),
    Case("development.enabled", True, "Pod/test", "", ABSENT, DEVELOPMENT),
]


@pytest.fixture(scope="module")
def render(helm: Helm) -> Callable[[dict[str, Any]], Rendered]:
    """Render values, the same ones once."""
    done: dict[str, Rendered] = {}

    def once(values: dict[str, Any]) -> Rendered:
        key = json.dumps(values, sort_keys=True)
        if key not in done:
            done[key] = helm.render(values)
        return done[key]

    return once


@pytest.mark.parametrize("case", CASES, ids=[f"{one.path} in {one.where}" for one in CASES])
def test_value_has_its_documented_effect(
    render: Callable[[dict[str, Any]], Rendered], case: Case
) -> None:
    values = _merged(case.more, nested(case.path, case.value))
    found = _find(render(values), case.where, case.inside)
    if case.expected is PRESENT:
        assert found is not ABSENT
    else:
        assert found == case.expected


def test_every_value_has_a_case() -> None:
    values = [value.path for value in _readme().documented((CHART / "values.yaml").read_text())]
    assert sorted({case.path for case in CASES}) == sorted(values)


def test_the_readme_explains_every_value_as_it_is() -> None:
    readme, values = (CHART / "README.md").read_text(), (CHART / "values.yaml").read_text()
    assert _readme().rendered(readme, values) == readme, "run python charts/readme.py"


def test_a_value_without_a_comment_is_noticed() -> None:
    readme = _readme()
    with pytest.raises(readme.UndocumentedError, match=r"a\.b has no comment"):
        readme.documented("# no dashes\na:\n  b: 1\n")


def test_the_schema_knows_every_value() -> None:
    """A value that it does not know is one that nobody can set."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert _shape(schema) - OF_UMBRELLAS == _paths(values, schema)


def _find(rendered: Rendered, where: str, inside: str) -> Any:
    kind, _, name = where.partition("/")
    names = (name, f"{RELEASE}-{name}")
    objects = [one for one in rendered.of(kind) if one["metadata"]["name"] in names]
    if not objects:
        return ABSENT
    if inside.startswith("env."):
        return rendered.environment(name).get(inside.removeprefix("env."), ABSENT)
    try:
        return at(objects[0], inside)
    except (KeyError, IndexError):
        return ABSENT


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = below.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old, value) if both and old is not None else value
    return merged


def _readme() -> Any:
    """Return the script charts/readme.py as a module."""
    spec = importlib.util.spec_from_file_location("chart_readme", CHART.parent / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def _shape(schema: dict[str, Any], path: str = "") -> set[str]:
    found: set[str] = set()
    for name, inner in schema["properties"].items():
        below = f"{path}.{name}" if path else name
        found |= _shape(inner, below) if "properties" in inner else {below}
    return found


def _paths(values: Any, schema: dict[str, Any], path: str = "") -> set[str]:
    if "properties" not in schema:
        return {path}
    found = set()
    for name, inner in values.items():
        below = f"{path}.{name}" if path else name
        known = schema["properties"].get(name, {})
        found |= _paths(inner, known, below)
    return found
