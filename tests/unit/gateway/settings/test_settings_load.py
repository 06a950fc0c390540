from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_contract.secret import Secret
from productive_gateway.oauth.clients.client import ClientKind
from productive_gateway.oauth.clients.deny_list import NOBODY
from productive_gateway.outbound.proxy import Proxy
from productive_gateway.settings import SettingsError, load_settings
from productive_gateway.settings.model import variables
from productive_gateway.settings.values import SecretRef
from productive_gateway.web.limits import UNLIMITED, PerMinute

KEY = "8f2a6c1d9b3e5f7081a2c4d6e8f01325374b5d6f8091a3b5c7d9ebfd0f213243"
OLD = "9f2a6c1d9b3e5f7081a2c4d6e8f01325374b5d6f8091a3b5c7d9ebfd0f213243"
USERS = '{"ana@example.com":{"userId":7,"apiToken":"canary-token"}}'

CLUSTER = {
    "PUBLIC_URL": "https://mcp.example.com",
    "PRODUCTIVE_ORG_ID": "1200",
    "OIDC_ISSUER": "https://login.example.com",
    "OIDC_CLIENT_ID": "client",
    "OIDC_CLIENT_SECRET": "canary-secret",
    "MAPPING_SECRET": "x-mapping",
    "USER_MAPPING": "/mnt/mapping",
    "KEY_RING_SECRET": "x-keys",
    "KEY_RING": "/mnt/keys",
    "GRANTS": "kubernetes://x-grants",
    "REDIRECT_HOSTS": "claude.ai,chatgpt.com",
}
BASE = "https://team.cloudflareaccess.com/cdn-cgi/access/sso/oidc/abc"
WORKER = {
    "PUBLIC_URL": "http://localhost:8787",
    "PRODUCTIVE_ORG_ID": "1200",
    "USER_MAPPING": USERS,
    "ACCESS_CLIENT_ID": "abc",
    "ACCESS_CLIENT_SECRET": "canary-secret",
    "ACCESS_AUTHORIZATION_URL": f"{BASE}/authorization",
    "ACCESS_TOKEN_URL": f"{BASE}/token",
    "ACCESS_JWKS_URL": f"{BASE}/jwks",
    "COOKIE_ENCRYPTION_KEY": KEY,
}


def refused(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    message = str(caught.value)
    for canary in ("canary", KEY, OLD):
        assert canary not in message
    return message


def without(environ: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


def test_settings_of_a_cluster_are_read() -> None:
    settings = load_settings(CLUSTER)
    assert settings.resource == "https://mcp.example.com/mcp"
    assert settings.callback_url == "https://mcp.example.com/callback"
    assert settings.mapping_secret == SecretRef("x-mapping")
    assert settings.mapping_mount == Path("/mnt/mapping")
    assert settings.key_ring_secret == SecretRef("x-keys")
    assert settings.key_ring == Path("/mnt/keys")
    assert settings.grants_namespace == "x-grants"
    assert settings.redirect_hosts == ("claude.ai", "chatgpt.com")
    assert (settings.port, settings.internal_port, settings.log_level) == (8787, 9090, "info")
    assert settings.hosts == ("0.0.0.0", "::")
    assert settings.productive_api_base_url == "https://api.productive.io/api/v2"
    assert not settings.local
    assert settings.needs_cluster
    assert not settings.read_only
    upstream = settings.upstream
    assert (upstream.issuer, upstream.client_id) == ("https://login.example.com", "client")
    assert upstream.client_secret == Secret("canary-secret")
    assert upstream.email_trust == "claim"
    assert upstream.discovers


def test_settings_of_the_workers_local_mode_are_read() -> None:
    settings = load_settings(WORKER | {"COOKIE_ENCRYPTION_KEY_PREVIOUS": f"{OLD}"})
    assert settings.local
    assert not settings.needs_cluster
    assert settings.grants_namespace is None
    assert settings.redirect_hosts == "*"
    assert settings.hosts == ("127.0.0.1", "::1")
    assert settings.user_mapping == Secret(USERS)
    assert [key.secret.hex() for key in settings.cookie_ring.keys] == [KEY, OLD]
    upstream = settings.upstream
    assert upstream.issuer == BASE
    assert upstream.email_trust == "issuer"
    assert upstream.jwks_url == f"{BASE}/jwks"
    assert not upstream.discovers


def test_every_kind_of_client_may_connect_and_cursor_come_back_by_default() -> None:
    local, cluster = load_settings(WORKER), load_settings(CLUSTER)
    assert local.client_kinds == cluster.client_kinds == frozenset(ClientKind)
    assert cluster.redirect_schemes == ()
    assert local.redirect_schemes == ("cursor://anysphere.cursor-mcp/oauth/callback",)
    assert cluster.preregistered_clients is None
    assert cluster.denied_clients == NOBODY
    named = load_settings(CLUSTER | {"REDIRECT_SCHEMES": "cursor, com.example.app"})
    assert named.redirects.private_use == ("cursor", "com.example.app")


def test_the_administrators_clients_are_read(tmp_path: Path) -> None:
    client = {
        "client_id": "a",
        "client_name": "A",
        "redirect_uris": ["https://a.example/cb"],
        "token_endpoint_auth_method": "none",
    }
    file = tmp_path / "clients.json"
    file.write_text(json.dumps([client]))
    given = {
        "CLIENT_KINDS": "preregistered, metadata_document",
        "DENIED_CLIENTS": '{"hosts": ["bad.example"]}',
    }
    settings = load_settings(CLUSTER | given | {"PREREGISTERED_CLIENTS": json.dumps([client])})
    assert settings.preregistered_clients == Secret(json.dumps([client]))
    assert settings.client_kinds == {ClientKind.PREREGISTERED, ClientKind.METADATA_DOCUMENT}
    assert settings.denied_clients.hosts == {"bad.example"}
    path = load_settings(CLUSTER | {"PREREGISTERED_CLIENTS": str(file)})
    assert path.preregistered_clients == file


def test_a_stricter_trust_may_be_asked_of_the_workers_form_too() -> None:
    settings = load_settings(WORKER | {"OIDC_EMAIL_TRUST": "claim"})
    assert settings.upstream.email_trust == "claim"


def test_the_workers_form_serves_a_cluster() -> None:
    provider = {name: value for name, value in WORKER.items() if name.startswith("ACCESS_")}
    oidc = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
    assert load_settings(without(CLUSTER, *oidc) | provider).upstream.issuer == BASE


def test_settings_do_not_change_and_do_not_show_secrets() -> None:
    settings = load_settings(WORKER)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
    assert "canary" not in repr(settings)
    assert KEY not in repr(settings)


def test_an_empty_variable_is_not_set() -> None:
    settings = load_settings(WORKER | {"ADMIN_CONTACT": "  ", "PORT": "", "OIDC_ISSUER": ""})
    assert settings.admin_contact is None
    assert settings.port == 8787


def test_service_links_and_strangers_are_ignored() -> None:
    links = {
        "INTERNAL_PORT": "tcp://10.96.0.7:9090",
        "PUBLIC_URL_SERVICE_HOST": "10.96.0.7",
        "GRANTS_PORT": "tcp://10.96.0.7:80",
        "PATH": "/bin",
    }
    assert load_settings(CLUSTER | links).internal_port == 9090


def test_all_problems_are_reported_at_once() -> None:
    message = refused(
        {
            "PUBLIC_URI": "https://x.example",
            "PORT": "http",
            "READ_ONLY": "maybe",
            "GRANTS": "redis:",
        }
    )
    for name in (
        "PUBLIC_URI is not a setting: did you mean PUBLIC_URL?",
        "PUBLIC_URL is missing",
        "PRODUCTIVE_ORG_ID is missing",
        "No sign-in provider",
        "Nobody can sign in",
        "There are no keys",
        "PORT: write a port",
        "READ_ONLY: write true or false",
        "GRANTS: write kubernetes://",
    ):
        assert message.count(name) == 1, name


@pytest.mark.parametrize("name", ["PUBLIC_URL", "PRODUCTIVE_ORG_ID", "OIDC_ISSUER"])
def test_a_missing_setting_is_reported_once_with_what_to_write(name: str) -> None:
    message = refused(without(CLUSTER, name))
    assert message.count(f"{name} is missing: set it") == 1
    assert message.count("\n") == 1


@pytest.mark.attack("Q-07")
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"PUBLIC_URL": "http://mcp.example.com"}, "PUBLIC_URL: write an https address"),
        ({"OIDC_ISSUER": "http://login.example.com"}, "OIDC_ISSUER: write an https address"),
        ({"OIDC_ISSUER": "http://localhost:9400"}, "OIDC_ISSUER must be https"),
        (
            {"PRODUCTIVE_API_BASE_URL": "http://127.0.0.1:1"},
            "PRODUCTIVE_API_BASE_URL must be https",
        ),
        ({"ALLOWED_ORIGINS": "http://localhost:6274"}, "ALLOWED_ORIGINS must be https"),
        ({"REDIRECT_HOSTS": "*"}, "REDIRECT_HOSTS must name"),
        ({"REDIRECT_HOSTS": ""}, "REDIRECT_HOSTS must name"),
        ({"GRANTS": "memory:"}, "GRANTS must be kubernetes://"),
        ({"GRANTS": ""}, "GRANTS must be kubernetes://"),
        ({"COOKIE_ENCRYPTION_KEY": KEY}, "two sets of keys"),
        ({"COOKIE_ENCRYPTION_KEY_PREVIOUS": KEY}, "needs COOKIE_ENCRYPTION_KEY"),
        ({"KEY_RING_SECRET": "", "COOKIE_ENCRYPTION_KEY": KEY}, "KEY_RING is the mount"),
        ({"KEY_RING_SECRET": "", "KEY_RING": ""}, "There are no keys"),
        ({"USER_MAPPING": USERS}, "two mappings"),
        ({"ACCESS_CLIENT_ID": "abc"}, "two sign-in providers"),
        ({"OIDC_EMAIL_TRUST": "nobody"}, "OIDC_EMAIL_TRUST: write one of"),
        ({"OIDC_REQUIRED_CLAIMS": "hd=example.com"}, "OIDC_REQUIRED_CLAIMS: write a JSON object"),
        ({"OIDC_CLIENT_SECRET": "canary with space"}, "OIDC_CLIENT_SECRET: copy it again"),
        ({"INTERNAL_PORT": "8787"}, "INTERNAL_PORT is the same as PORT"),
        ({"CA_BUNDLE": "/absent.pem"}, "CA_BUNDLE: write the path"),
        ({"CLIENT_KINDS": "dynamic"}, "CLIENT_KINDS: write some of registered"),
        ({"CLIENT_KINDS": "preregistered"}, "Nobody can connect"),
        (
            {"CLIENT_KINDS": "registered", "PREREGISTERED_CLIENTS": "[]"},
            "PREREGISTERED_CLIENTS has no effect",
        ),
        ({"PREREGISTERED_CLIENTS": "/absent"}, "PREREGISTERED_CLIENTS: the list of clients is m"),
        (
            {"PREREGISTERED_CLIENTS": '[{"client_secret": "canary"}]'},
            "PREREGISTERED_CLIENTS: the list of clients cannot be used: entry 1: client_id",
        ),
        ({"DENIED_CLIENTS": "bad.example"}, "DENIED_CLIENTS: write a JSON object"),
        ({"REDIRECT_SCHEMES": "https"}, "REDIRECT_SCHEMES: write schemes"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: write one of"),
        ({"AUDIT_EMAILS": "some"}, "AUDIT_EMAILS: write one of full, hashed, none"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTLP_ENDPOINT: write an address"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:p@c:1"}, "without user name"),
        ({"OTEL_TRACES_SAMPLER_ARG": "2"}, "OTEL_TRACES_SAMPLER_ARG: write a number from 0 to 1"),
        ({"OTEL_TRACES_SAMPLER_ARG": "nan"}, "OTEL_TRACES_SAMPLER_ARG: write a number from 0 to 1"),
        ({"OTEL_TRACES_SAMPLERS": "always_off"}, "did you mean OTEL_TRACES_SAMPLER?"),
        ({"OTEL_EXPORTER_OLTP_ENDPOINT": "http://c:4318"}, "mean OTEL_EXPORTER_OTLP_ENDPOINT?"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "c:4318"}, "TRACES_ENDPOINT: write an address"),
        ({"OIDC_REQUIRED_CLAIM": "{}"}, "did you mean OIDC_REQUIRED_CLAIMS?"),
    ],
)
def test_a_cluster_with_a_weak_or_wrong_setting_does_not_start(
    change: dict[str, str], sentence: str
) -> None:
    message = refused(CLUSTER | change)
    assert sentence in message
    assert message.count("\n") == 1, message


@pytest.mark.attack("Q-07")
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"COOKIE_ENCRYPTION_KEY": "canary"}, "64 hexadecimal digits"),
        ({"COOKIE_ENCRYPTION_KEY": "00" * 32}, "openssl rand"),
        ({"COOKIE_ENCRYPTION_KEY_PREVIOUS": "canary"}, "64 hexadecimal digits"),
        ({"ACCESS_JWKS_URL": "https://other.example/jwks"}, "is the issuer"),
        ({"ACCESS_JWKS_URL": ""}, "ACCESS_JWKS_URL is missing"),
        ({"USER_MAPPING": "/absent/users.json"}, "cannot be read"),
        ({"USER_MAPPING": '{"ana":{"apiToken":"canary"}}'}, "fix the JSON"),
        ({"USER_MAPPING": ""}, "Nobody can sign in"),
    ],
)
def test_a_wrong_setting_in_local_mode_does_not_start(
    change: dict[str, str], sentence: str
) -> None:
    assert sentence in refused(WORKER | change)


def test_a_mapping_file_is_checked_before_the_start(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    file.write_text(USERS)
    assert load_settings(WORKER | {"USER_MAPPING": str(file)}).user_mapping == file
    assert load_settings(WORKER | {"USER_MAPPING": str(tmp_path)}).user_mapping == tmp_path
    file.write_text('{"ana@example.com":{"userId":0,"apiToken":"canary"}}')
    assert "fix the file" in refused(WORKER | {"USER_MAPPING": str(file)})


def test_plain_http_services_are_allowed_in_local_mode_only() -> None:
    issuer = "http://127.0.0.1:9400/oidc"
    environ = without(WORKER, *(name for name in WORKER if name.startswith("ACCESS_"))) | {
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": "dev",
        "OIDC_CLIENT_SECRET": "dev",
        "PRODUCTIVE_API_BASE_URL": "http://127.0.0.1:9500/api/v2",
        "ALLOWED_ORIGINS": "http://localhost:6274",
        "GRANTS": "memory:",
    }
    settings = load_settings(environ)
    assert settings.upstream.issuer == issuer
    assert settings.allowed_origins == ("http://localhost:6274",)


@pytest.mark.attack("Q-01", "Q-09")
@given(
    st.dictionaries(
        st.sampled_from(sorted(variables())),
        st.one_of(st.text().map(lambda text: f"{text}canary"), st.just("canary")),
    )
)
def test_no_message_ever_quotes_a_secret(environ: dict[str, str]) -> None:
    secret = {
        name: value
        for name, value in environ.items()
        if name not in {"USER_MAPPING", "PUBLIC_URL"} or value.lstrip().startswith("{")
    }
    with pytest.raises(SettingsError) as caught:
        load_settings(secret)
    assert "canary" not in str(caught.value)


def test_the_proxy_is_read_in_either_case() -> None:
    assert load_settings(CLUSTER).proxy is None
    upper = {"HTTPS_PROXY": "http://a:3128", "NO_PROXY": "x.example,10.0.0.0/8"}
    lower = {"https_proxy": "http://b:3128", "no_proxy": "y.example"}
    assert load_settings(CLUSTER | upper).proxy == Proxy(
        Secret("http://a:3128"), ("x.example", "10.0.0.0/8")
    )
    assert load_settings(CLUSTER | lower).proxy == Proxy(Secret("http://b:3128"), ("y.example",))
    assert load_settings(CLUSTER | lower | upper).proxy == load_settings(CLUSTER | upper).proxy
    assert load_settings(CLUSTER | {"HTTP_PROXY": "http://c:1", "ALL_PROXY": "x"}).proxy is None


def test_the_authentication_method_is_the_providers_unless_it_is_set() -> None:
    post = {"OIDC_TOKEN_ENDPOINT_AUTH_METHOD": "client_secret_post"}
    assert load_settings(CLUSTER).upstream.auth_method is None
    assert load_settings(CLUSTER | post).upstream.auth_method == "client_secret_post"
    assert load_settings(WORKER).upstream.auth_method is None


@pytest.mark.parametrize("form", [CLUSTER, WORKER])
def test_a_refresh_token_is_asked_for_in_either_form_only_if_told_so(form: dict[str, str]) -> None:
    assert not load_settings(form).upstream.offline
    assert not load_settings(form | {"OIDC_OFFLINE": "false"}).upstream.offline
    assert load_settings(form | {"OIDC_OFFLINE": "true"}).upstream.offline
    assert "OIDC_OFFLINE: write true or false" in refused(form | {"OIDC_OFFLINE": "maybe"})


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("KEEP_ALIVE_SECONDS", "620", ["0", "3601", "-1", "75s"]),
        ("MAX_CONNECTIONS", "5000", ["99", "100001", "many"]),
        ("LIMIT_REGISTER", "0", ["-1", "100001", "10/min"]),
        ("PRODUCTIVE_REQUESTS_PER_30_MIN", "8000", ["99", "10000001", "2/s"]),
        ("GATEWAY_SERVICE", "productive-gateway", ["productive/gateway", "Gateway", "a.b"]),
        ("OIDC_TOKEN_ENDPOINT_AUTH_METHOD", "client_secret_basic", ["basic", "private_key_jwt"]),
    ],
)
def test_bounds_and_choices_are_named(name: str, good: str, bad: list[str]) -> None:
    assert str(getattr(load_settings(CLUSTER | {name: good}), name.lower())) == good
    for text in bad:
        assert f"{name}: write " in refused(CLUSTER | {name: text})


def test_service_to_count_replicas_by_needs_a_cluster() -> None:
    assert load_settings(CLUSTER).gateway_service is None
    assert "GATEWAY_SERVICE has no effect" in refused(WORKER | {"GATEWAY_SERVICE": "gateway"})


@pytest.mark.attack("Q-05")
def test_limits_are_safe_by_default_and_each_can_be_changed() -> None:
    assert load_settings(CLUSTER).limits == PerMinute(10, 60, 120, 30, 10, 10)
    changed = {
        "LIMIT_REGISTER": "1",
        "LIMIT_AUTHORIZE": "2",
        "LIMIT_TOKEN": "3",
        "LIMIT_FAILED_TOKENS": "4",
        "LIMIT_SIGN_INS": "5",
        "LIMIT_CLIENT_DOCUMENTS": "0",
    }
    assert load_settings(CLUSTER | changed).limits == PerMinute(1, 2, 3, 4, 5, 0)


def test_one_persons_own_machine_has_the_limits_that_are_set() -> None:
    assert load_settings(WORKER).limits == UNLIMITED
    assert load_settings(WORKER | {"LIMIT_TOKEN": "9"}).limits == replace(UNLIMITED, token=9)


@pytest.mark.attack("Q-05")
def test_trusted_proxies_are_addresses_and_ranges_and_never_everybody() -> None:
    assert load_settings(CLUSTER).trusted_proxies == ()
    given = load_settings(CLUSTER | {"TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8 192.0.2.1"})
    assert [str(one) for one in given.trusted_proxies] == ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]
    for text in ("0.0.0.0/0", "::/0", "10.0.0.1/8", "ingress", "*"):
        assert "TRUSTED_PROXIES: write " in refused(CLUSTER | {"TRUSTED_PROXIES": text})


def test_the_environment_of_this_process_is_no_near_miss() -> None:
    strangers = {name: value for name, value in os.environ.items() if name not in variables()}
    assert load_settings(CLUSTER | strangers).port == 8787


INJECTED = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://logs:4318/v1/logs",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://metrics:4318/v1/metrics",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_NODE_IP": "10.0.0.1",
    "OTEL_POD_IP": "10.1.0.1",
    "OTEL_PROPAGATORS": "tracecontext,baggage,b3",
    "OTEL_RESOURCE_ATTRIBUTES": "k8s.pod.name=$(OTEL_RESOURCE_ATTRIBUTES_POD_NAME)",
    "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME": "node-1",
    "OTEL_RESOURCE_ATTRIBUTES_POD_NAME": "productive-gateway-1",
    "OTEL_SERVICE_NAME": "productive-gateway",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_TRACES_SAMPLER": "parentbased_jaeger_remote",
    "OTEL_TRACES_SAMPLER_ARG": "endpoint=http://jaeger:14250,pollingIntervalMs=5000",
}
"""What the operator of OpenTelemetry sets in the pods of others."""


def test_variables_that_are_injected_for_opentelemetry_do_not_keep_it_from_starting() -> None:
    settings = load_settings(CLUSTER | INJECTED)
    assert settings.traces_url == "http://collector:4318/v1/traces"
    assert settings.otel_traces_sampler == "parentbased_jaeger_remote"
    assert settings.otel_traces_sampler_arg == 1.0


@pytest.mark.parametrize("sampler", ["", "traceidratio", "ParentBased_TraceIdRatio"])
def test_share_of_traces_belongs_to_samplers_by_ratio(sampler: str) -> None:
    given = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": "0.25"}
    assert load_settings(CLUSTER | given).otel_traces_sampler_arg == 0.25
    assert "write a number" in refused(CLUSTER | given | {"OTEL_TRACES_SAMPLER_ARG": "much"})


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, None),
        ({"ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"TRACES_ENDPOINT": "http://c:4318/x"}, "http://c:4318/x"),
        ({"ENDPOINT": "http://c:1", "TRACES_ENDPOINT": "http://c:2/"}, "http://c:2/"),
    ],
)
def test_address_for_traces_comes_before_the_base_address(
    given: dict[str, str], url: str | None
) -> None:
    variables = {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in given.items()}
    assert load_settings(CLUSTER | variables).traces_url == url


def test_claims_arrive_at_the_provider() -> None:
    claims = json.dumps({"hd": ["example.com"]})
    settings = load_settings(CLUSTER | {"OIDC_REQUIRED_CLAIMS": claims})
    assert settings.upstream.required_claims == {"hd": ("example.com",)}
