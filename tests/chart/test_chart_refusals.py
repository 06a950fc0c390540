"""Values that do not do are refused before anything is made, with what to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from harness.helm import Helm, HelmRefused, nested

ACCESS = {
    "clientId": "c",
    "authorizationUrl": "https://team.example.com/authorization",
    "tokenUrl": "https://team.example.com/token",
    "jwksUrl": "https://team.example.com/jwks",
}
NO_OIDC = {"issuer": "", "clientId": ""}


def test_an_installation_without_values_is_told_all_that_is_missing(helm: Helm) -> None:
    with pytest.raises(HelmRefused) as refused:
        helm.render(bare=True)
    for sentence in (
        "publicUrl is missing: set it to",
        "productive.organizationId is missing",
        "No sign-in provider is set: set signIn.oidc.issuer",
        "kubectl create secret generic productive-sign-in -n productive",
    ):
        assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (nested("publicUrl", "http://mcp.example.com"), "must be https, a host name in lower case"),
        (nested("publicUrl", "https://mcp.example.com/productive"), "and no path"),
        (nested("publicUrl", "https://Mcp.example.com"), "a host name in lower case"),
        (nested("publicUrl", "https://localhost:8787"), "publicUrl is on localhost"),
        (nested("productive.organizationId", "northlight"), "set it to the number"),
        (nested("productive.apiBaseUrl", "http://10.0.0.1"), "must be an https address"),
        (nested("signIn.access", ACCESS), "two sign-in providers: remove one"),
        (nested("signIn.oidc.clientId", ""), "signIn.oidc is incomplete: set both"),
        (
            {"signIn": {"oidc": NO_OIDC, "access": ACCESS | {"jwksUrl": ""}}},
            "signIn.access is incomplete: set clientId",
        ),
        (nested("signIn.oidc.issuer", "http://idp.example.com"), "must be an https address"),
        (nested("signIn.existingSecret", ""), "signIn.existingSecret is missing"),
        (
            nested("signIn.caBundle", {"configMap": "a", "secret": "b"}),
            "has both configMap and secret",
        ),
        (nested("redirectHosts", []), "redirectHosts is empty: list the hosts"),
        (nested("redirectHosts", ["*.example.com"]), "there are no patterns"),
        (nested("redirectHosts", ["https://claude.ai"]), "is not a host name"),
        (nested("redirectHosts", ["claude.ai/a/../b"]), "is not a host name"),
        (nested("redirectHosts", ["claude.ai/a?b=c"]), "is not a host name"),
        (
            {"clients": {"kinds": ["registered"], "existingSecret": "c"}},
            "clients.existingSecret has no effect",
        ),
        (nested("clients.kinds", ["preregistered"]), "clients.existingSecret is missing"),
        (nested("clients.documentHosts", []), "clients.documentHosts is empty: list the hosts"),
        (nested("clients.documentHosts", ["*", "claude.ai"]), "remove it, or the others"),
        (nested("limits.trustedProxies", ["10.0.0.0/8", "::/0"]), "::/0 is everybody"),
        (nested("clients.redirectSchemes", ["https"]), "https addresses belong to redirectHosts"),
        (nested("namespaces.grants", "productive"), "must be three different ones"),
        (nested("namespaces.users", "productive-grants"), "must be three"),
        (nested("keys.existingSecret", "productive-mapping"), "which is the mapping"),
        (
            {"keys": {"existingSecret": "company-keys", "rotation": {"enabled": True}}},
            "Disable keys.rotation.enabled, and put the output of `productive-gateway keys rotate",
        ),
        (nested("httpRoute.enabled", True), "needs httpRoute.parentRefs"),
        (
            {"publicUrl": "https://192.0.2.1", "ingress": {"enabled": True}},
            "has no host name, which an Ingress or HTTPRoute needs",
        ),
        (nested("metrics.serviceMonitor.enabled", True), "set networkPolicy.metricsFrom"),
        (nested("tracing.endpoint", "http://c.monitoring:4318"), "set networkPolicy.tracingTo"),
        (nested("networkPolicy.dns.egress", []), "no name could be resolved"),
        (nested("networkPolicy.apiServer.ports", [443]), "would be open to every address"),
        (
            nested("gateway.autoscaling", {"enabled": True, "minReplicas": 9, "maxReplicas": 3}),
            "minReplicas (9) is greater than maxReplicas (3)",
        ),
        (
            {
                "gateway": {
                    "autoscaling": {"enabled": True},
                    "resources": {"requests": {"cpu": None}},
                }
            },
            "needs gateway.resources.requests.cpu",
        ),
        (nested("proxy.httpsProxy", "http://ana:secret@192.0.2.80:3128"), "put the whole address"),
        (nested("proxy.httpsProxy", "socks5://192.0.2.80:1080"), "must be http:// or https://"),
        (nested("proxy.httpsProxy", "http://proxy.example.com:3128"), "proxy.addresses is missing"),
        (nested("proxy.existingSecret", "company-proxy"), "proxy.httpsProxy is missing"),
        (nested("proxy.noProxy", ["a"]), "proxy.httpsProxy is missing"),
        (nested("hooks.enabled", False), "keys.existingSecret is missing"),
        (nested("operator.serviceAccount.create", False), "in operator.serviceAccount.name"),
        (nested("fullnameOverride", "Mcp"), "(of the release, or fullnameOverride)"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_a_sentence(
    helm: Helm, values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(HelmRefused) as refused:
        helm.render(values)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("release", ["a.b", "9lives", "r" * 41])
def test_a_release_name_that_cannot_begin_other_names_is_refused(helm: Helm, release: str) -> None:
    with pytest.raises(HelmRefused, match="at most 40 lower-case letters"):
        helm.render(release=release, namespace="productive")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ingres.enabled", True),
        ("gateway.replica", 3),
        ("signIn.clientSecret", "in-clear"),
        ("signIn.oidc.clientSecret", "in-clear"),
        ("gateway.replicas", 0),
        ("gateway.replicas", "two"),
        ("gateway.logLevel", "verbose"),
        ("gateway.image.digest", "sha256:short"),
        ("gateway.command", []),
        ("operator.replicas", 3),
        ("signIn.emailTrust", "everybody"),
        ("signIn.requiredClaims", {"hd": 1}),
        ("signIn.existingSecret", "Not_A_Name"),
        ("allowedOrigins", ["https://a.example/path"]),
        ("service.type", "ExternalName"),
        ("service.port", 70000),
        ("httpRoute.parentRefs", [{"namespace": "gateways"}]),
        ("networkPolicy.flavor", "calico"),
        ("networkPolicy.dns.addresses", ["dns.example.com"]),
        ("networkPolicy.apiServer.addresses", ["https://10.0.0.1"]),
        ("networkPolicy.apiServer.ports", []),
        ("networkPolicy.privateRanges", ["10.0.0.0"]),
        ("namespaces.users", "Users"),
        ("imagePullSecrets", ["registry"]),
        ("gateway.tolerations", {}),
        ("gateway.keepAliveSeconds", 0),
        ("limits.registerPerMinute", -1),
        ("limits.tokenPerMinute", 100_001),
        ("limits.trustedProxies", ["ingress.example.com"]),
        ("limits.tokensPerMinute", 1),
        ("productive.requestsPer30Minutes", 99),
        ("gateway.maxConnections", 99),
        ("signIn.accessTokenSeconds", 9),
        ("gateway.maxConnections", 100_001),
        ("gateway.maxConnections", "many"),
        ("signIn.tokenEndpointAuthMethod", "private_key_jwt"),
        ("service.ipFamilyPolicy", "Dual"),
        ("service.ipFamilies", ["IPv5"]),
        ("proxy.noProxy", ["a,b"]),
        ("metrics.dashboard.labels", []),
        ("crds.keep", False),
        ("openshift.adaptSecurityContext", True),
        ("gateway.strategy.type", "Blue"),
        ("operator.serviceAccount.names", "own"),
        ("nameOverride", "Mcp"),
        ("development.enabled", "yes"),
        ("development.anybody", True),
    ],
)
def test_the_schema_refuses_wrong_types_and_unknown_names(
    helm: Helm, path: str, value: object
) -> None:
    with pytest.raises(HelmRefused) as refused:
        helm.render(nested(path, value))
    assert "don't meet the specifications of the schema" in str(refused.value)
    assert path.partition(".")[0] in str(refused.value)


@pytest.mark.parametrize(
    ("path", "value", "allowed"),
    [
        ("gateway.maxConnections", 99, "want 100"),
        ("gateway.maxConnections", 200_000, "want 100,000"),
        ("gateway.maxConnections", "many", "want integer"),
        (
            "signIn.tokenEndpointAuthMethod",
            "private_key_jwt",
            "must be one of '', 'client_secret_basic', 'client_secret_post'",
        ),
    ],
)
def test_the_message_about_a_refused_value_says_where_it_is_and_what_is_allowed(
    helm: Helm, path: str, value: object, allowed: str
) -> None:
    with pytest.raises(HelmRefused) as refused:
        helm.render(nested(path, value))
    line = next(one for one in str(refused.value).splitlines() if path.replace(".", "/") in one)
    assert allowed in line


def test_an_old_cluster_is_refused(helm: Helm) -> None:
    with pytest.raises(HelmRefused, match=r"requires kubeVersion: >=1\.31"):
        helm.render({}, "--kube-version=1.30.9")


def test_the_oldest_cluster_that_is_supported_is_not(helm: Helm) -> None:
    assert helm.render({}, "--kube-version=1.31.0").of("Deployment")


def test_a_chart_with_its_defaults_passes_helm_lint(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm.lint()
