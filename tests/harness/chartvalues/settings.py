"""Cases of the values that are settings of the gateway."""

from __future__ import annotations

import json

from harness.chartvalues.case import ABSENT, POD, Case, env

OIDC_OFF = {"signIn": {"oidc": {"issuer": "", "clientId": ""}}}
ACCESS = {
    "clientId": "access-client",
    "authorizationUrl": "https://team.example.com/o/authorization",
    "tokenUrl": "https://team.example.com/o/token",
    "jwksUrl": "https://team.example.com/o/jwks",
}


def denied(kind: str, one: str) -> str:
    """Return the variable of the gateway that denies one client."""
    lists: dict[str, list[str]] = {"clients": [], "hosts": [], "names": []} | {kind: [one]}
    return json.dumps(lists, separators=(",", ":"))


OF_SETTINGS: list[Case] = [
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
    env(
        "limits.trustedProxies", ["10.0.0.0/8", "fd00::1"], "TRUSTED_PROXIES", "10.0.0.0/8,fd00::1"
    ),
    env("limits.registerPerMinute", 0, "LIMIT_REGISTER", "0"),
    env("limits.authorizePerMinute", 600, "LIMIT_AUTHORIZE", "600"),
    env("limits.tokenPerMinute", 100000, "LIMIT_TOKEN", "100000"),
    env("limits.failedTokensPerMinute", 300, "LIMIT_FAILED_TOKENS", "300"),
    env("limits.signInsPerMinute", 20, "LIMIT_SIGN_INS", "20"),
    env("limits.clientDocumentsPerMinute", 5, "LIMIT_CLIENT_DOCUMENTS", "5"),
    env("signIn.accessTokenSeconds", 600, "ACCESS_TOKEN_SECONDS", "600"),
]
