from __future__ import annotations

import string
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_contract.secret import Secret
from productive_gateway.settings import names, values
from productive_gateway.settings.model import Settings, variables
from productive_gateway.settings.provider import derived_issuer
from productive_gateway.settings.values import SecretRef

READERS = [
    values.organization,
    values.public_url,
    values.service_url,
    values.mapping,
    values.secret_ref,
    values.grants,
    values.port,
    values.flag,
    values.level,
    values.redirect_hosts,
    values.redirect_schemes,
    values.client_kinds,
    values.preregistered_clients,
    values.document_hosts,
    values.networks,
    values.origins,
    values.required_claims,
    values.ca_bundle,
    values.contact,
    values.credential,
    values.secret,
    values.secrets,
]


@pytest.mark.attack("Q-09")
@given(st.sampled_from(READERS), st.text())
def test_any_text_is_read_or_refused_with_a_message(read: object, text: str) -> None:
    assert callable(read)
    try:
        read(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 (both outcomes are right)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://mcp.example.com", "https://mcp.example.com"),
        ("https://mcp.example.com/", "https://mcp.example.com"),
        ("HTTPS://MCP.Example.com:443", "https://mcp.example.com"),
        ("https://mcp.example.com:8443", "https://mcp.example.com:8443"),
        ("http://localhost:8787", "http://localhost:8787"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8787", "http://[::1]:8787"),
    ],
)
def test_the_public_url_is_normalized(text: str, url: str) -> None:
    assert values.public_url(text) == url
    assert values.public_url(url) == url


@pytest.mark.attack("Q-07")
@pytest.mark.parametrize(
    "text",
    [
        "http://mcp.example.com",
        "https://mcp.example.com/path",
        "https://mcp.example.com?x",
        "https://mcp.example.com/#",
        "https://me@mcp.example.com",
        "https://mcp.example.com:0",
        "https://mcp.example.com:70000",
        "https://",
        "mcp.example.com",
        "ftp://mcp.example.com",
        "https://mcp.exämple.com",
        "https://mcp.example.com\\@evil.example",
        "http://localhost.example.com",
    ],
)
def test_a_malformed_public_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        values.public_url(text)


def test_an_issuer_is_kept_byte_for_byte() -> None:
    for issuer in ("https://Login.example.com/tenant/", "https://login.example.com:443/v2.0"):
        assert values.service_url(issuer) == issuer


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("keys", SecretRef("keys")),
        ("a.b-c", SecretRef("a.b-c")),
        ("team/keys", SecretRef("keys", "team")),
    ],
)
def test_a_secret_is_named_with_or_without_its_namespace(text: str, ref: SecretRef) -> None:
    assert values.secret_ref(text) == ref


@pytest.mark.parametrize("text", ["Keys", "a/b/c", "/keys", "team/", "te.am/keys", "../keys", "-a"])
def test_malformed_secret_names_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="name of a Secret"):
        values.secret_ref(text)


def test_grants_are_in_a_namespace_or_in_memory() -> None:
    assert values.grants("kubernetes://x-grants") == "x-grants"
    assert values.grants("memory:") == ""
    for text in ("kubernetes://", "kubernetes://a/b", "redis://x", "memory", "x-grants"):
        with pytest.raises(ValueError, match="kubernetes://"):
            values.grants(text)


def test_lists_are_separated_by_commas_or_spaces() -> None:
    text = "claude.ai/api/mcp/auth_callback, chatgpt.com/connector/oauth/  localhost:3000"
    assert values.redirect_hosts(text) == (
        "claude.ai/api/mcp/auth_callback",
        "chatgpt.com/connector/oauth/",
        "localhost:3000",
    )
    assert values.origins("https://A.example.com:443/") == ("https://a.example.com",)


@pytest.mark.attack("B-07")
def test_private_use_schemes_are_read_alone_or_with_the_whole_uri() -> None:
    text = "cursor://anysphere.cursor-mcp/oauth/callback, com.example.app"
    assert values.redirect_schemes(text) == tuple(text.split(", "))


@pytest.mark.attack("B-07", "Q-07")
@pytest.mark.parametrize(
    "text",
    [
        "https",
        "http",
        "javascript",
        "data:text/html",
        "file",
        "https://claude.ai/cb",
        "Cursor",
        "cursor://x#y",
        "cursor://x?code=1",
        "*",
        "9p",
    ],
)
def test_schemes_that_are_not_private_use_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write schemes such as"):
        values.redirect_schemes(text)


@pytest.mark.attack("K-12")
def test_hosts_of_client_documents_are_names_of_the_public_dns() -> None:
    assert values.document_hosts("*") == "*"
    assert values.document_hosts("claude.ai, code.example") == ("claude.ai", "code.example")
    for text in ("*.example.com", "claude.ai *", "https://claude.ai", "claude.ai/x", "Claude.ai"):
        with pytest.raises(ValueError, match="public host names in lower case"):
            values.document_hosts(text)
    for text in (
        "localhost",
        "10.0.0.1",
        "gateway.svc",
        "claude.ai:8443",
        "claude.ai@evil.example",
    ):
        with pytest.raises(ValueError, match="public host names in lower case"):
            values.document_hosts(text)


@pytest.mark.attack("K-02")
def test_denied_addresses_are_networks() -> None:
    assert values.networks("203.0.113.0/24, 2001:db8::/32 192.0.2.1") == (
        IPv4Network("203.0.113.0/24"),
        IPv6Network("2001:db8::/32"),
        IPv4Network("192.0.2.1/32"),
    )
    for text in ("10.0.0.1/8", "10.0.0.0/33", "cluster.local", "10.0.0"):
        with pytest.raises(ValueError, match="write networks"):
            values.networks(text)


@pytest.mark.attack("Q-07")
@pytest.mark.parametrize(
    "text",
    ["*.example.com", "https://claude.ai", "Claude.ai", "claude.ai/x?y", "claude.ai/../x", "a//b"],
)
def test_malformed_redirect_hosts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="patterns are not supported"):
        values.redirect_hosts(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://proxy.example.com:3128", "http://proxy.example.com:3128"),
        ("proxy.example.com:3128", "http://proxy.example.com:3128"),
        ("https://user:p%40ss@proxy.example.com/", "https://user:p%40ss@proxy.example.com/"),
    ],
)
def test_a_proxy_is_a_url_with_or_without_credentials(text: str, url: str) -> None:
    assert values.proxy(text).reveal() == url


@pytest.mark.parametrize(
    "text",
    [
        *("socks5://proxy:1080", "http://", "http://canary@", "http://p:0", "http://p:x"),
        *("http://p/x", "http://p?x", "http://canary proxy:1"),
    ],
)
def test_a_malformed_proxy_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError, match="proxy") as caught:
        values.proxy(text)
    assert "canary" not in str(caught.value)


@pytest.mark.attack("M-16")
def test_required_claims_are_strings_or_lists_of_strings() -> None:
    assert values.required_claims('{"hd":"example.com","tid":["a","b"]}') == {
        "hd": ("example.com",),
        "tid": ("a", "b"),
    }
    for text in ("", "[]", "{", '{"hd":1}', '{"hd":[]}', '{"hd":[""]}', '{"hd":null}'):
        with pytest.raises(ValueError, match="JSON object"):
            values.required_claims(text)


def test_a_mapping_is_json_or_a_path() -> None:
    assert values.mapping("/etc/users.json") == Path("/etc/users.json")
    assert isinstance(values.mapping(' {"a@example.com":{"userId":1,"apiToken":"t"}}'), Secret)


@pytest.mark.attack("Q-01")
def test_a_mapping_that_is_refused_is_not_quoted() -> None:
    with pytest.raises(ValueError, match="fix the JSON") as caught:
        values.mapping('{"a@example.com":{"userId":0,"apiToken":"canary"}}')
    assert "canary" not in str(caught.value)


def test_authorities_are_a_pem_file(tmp_path: Path) -> None:
    assert values.ca_bundle(certifi.where()) == Path(certifi.where())
    (tmp_path / "bad.pem").write_text("no certificate")
    for path in (tmp_path / "bad.pem", tmp_path / "absent", tmp_path):
        with pytest.raises(ValueError, match="PEM"):
            values.ca_bundle(str(path))


ACCESS = "https://team.cloudflareaccess.com/cdn-cgi/access/sso/oidc/abc"


def test_the_issuer_is_what_the_three_urls_share() -> None:
    urls = (f"{ACCESS}/authorization", f"{ACCESS}/token", f"{ACCESS}/jwks")
    assert derived_issuer(*urls) == ACCESS


@pytest.mark.attack("Q-07")
@pytest.mark.parametrize(
    "jwks",
    [
        f"{ACCESS}/keys/jwks",
        "https://evil.example/cdn-cgi/access/sso/oidc/abc/jwks",
        f"{ACCESS.replace('https', 'http')}/jwks",
        "https://jwks",
    ],
)
def test_urls_without_a_common_issuer_are_refused(jwks: str) -> None:
    with pytest.raises(ValueError, match="copy them again"):
        derived_issuer(f"{ACCESS}/authorization", f"{ACCESS}/token", jwks)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("OIDC_CLIENTID", "OIDC_CLIENT_ID"),
        ("PUBLIC_URI", "PUBLIC_URL"),
        ("public_url", "PUBLIC_URL"),
        ("OIDC_REQUIRED_CLAIM", "OIDC_REQUIRED_CLAIMS"),
        ("OIDC_CLIENT_SECRET_FILE", "OIDC_CLIENT_SECRET"),
        ("COOKIE_ENCRYPTON_KEY", "COOKIE_ENCRYPTION_KEY"),
        ("REDIRECT_HOST", "REDIRECT_HOSTS"),
        ("READONLY", "READ_ONLY"),
        ("GRANT", "GRANTS"),
        ("PRODUCTIVE_ORGID", "PRODUCTIVE_ORG_ID"),
        ("KEYRING_SECRET", "KEY_RING_SECRET"),
    ],
)
def test_a_near_miss_is_reported_with_the_intended_name(name: str, meant: str) -> None:
    assert names.near_misses([name], variables()) == [(name, meant)]


ORDINARY = """
HOME HOST HOSTNAME LANG LC_ALL LOGNAME LS_COLORS MAIL OLDPWD PATH PWD SHELL SHLVL TERM TZ USER
USERNAME VIRTUAL_ENV XDG_RUNTIME_DIR DISPLAY EDITOR PAGER PS1 SSL_CERT_FILE AWS_CA_BUNDLE
CURL_CA_BUNDLE REQUESTS_CA_BUNDLE HTTP_PROXY https_proxy no_proxy http_proxy ALL_PROXY all_proxy
GRPC_PORT PYTHONPATH PYTHONUNBUFFERED
KUBECONFIG KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT GPG_KEY PYTHON_VERSION CI REPORT
GITHUB_TOKEN ACCESS_TOKEN CLIENT_ID CLIENT_SECRET LEVEL URL MAPPING ORIGIN SUPPORT EXPORT
PRODUCTIVE_MCP_KUBE NODE_OPTIONS DATABASE_URL SECRET_KEY COOKIE PORTAGE POD_NAME JWKS_URL
"""


@pytest.mark.parametrize("name", ORDINARY.split())
def test_ordinary_variables_are_not_near_misses(name: str) -> None:
    assert names.near_misses([name], variables()) == []


@pytest.mark.parametrize(
    ("name", "value", "link"),
    [
        ("MY_GATEWAY_SERVICE_HOST", "10.96.0.7", True),
        ("MY_GATEWAY_SERVICE_PORT", "80", True),
        ("MY_GATEWAY_SERVICE_PORT_HTTP", "80", True),
        ("MY_GATEWAY_PORT", "tcp://10.96.0.7:80", True),
        ("MY_GATEWAY_PORT_80_TCP", "tcp://10.96.0.7:80", True),
        ("MY_GATEWAY_PORT_80_TCP_ADDR", "10.96.0.7", True),
        ("PUBLIC_URL_PORT_53_UDP_PROTO", "udp", True),
        ("INTERNAL_PORT", "tcp://10.96.0.7:9090", True),
        ("INTERNAL_PORT", "9090", False),
        ("PORT", "8787", False),
        ("PUBLIC_URL", "https://x.example", False),
    ],
)
def test_service_link_variables_are_recognized(name: str, value: str, link: bool) -> None:
    assert names.is_service_link(name, value) is link


@given(st.text(string.ascii_uppercase + "_", min_size=1, max_size=30))
def test_no_setting_is_nearly_another(name: str) -> None:
    assert names.near_misses(variables(), variables()) == []
    assert all(miss[0] == name for miss in names.near_misses([name], variables()))


def test_each_setting_is_documented() -> None:
    documented = {
        "access_client_secret",
        "access_authorization_url",
        "access_token_url",
        "access_jwks_url",
    }
    source = Path(str(__import__("inspect").getsourcefile(Settings))).read_text()
    for name in Settings.model_fields.keys() - documented:
        assert f"    {name}: " in source
