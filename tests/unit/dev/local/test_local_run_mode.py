"""The mode that settings select for a local run, and the mixtures that are refused."""

from pathlib import Path

import pytest

from productive_dev.local.mode import MixtureError, Mode, choose, read_settings
from productive_gateway.settings.provider import ACCESS, OIDC

REAL_OIDC = {
    "OIDC_ISSUER": "https://idp.example.com",
    "OIDC_CLIENT_ID": "client",
    "OIDC_CLIENT_SECRET": "secret",
}
REAL_ACCESS = {
    "ACCESS_CLIENT_ID": "client",
    "ACCESS_CLIENT_SECRET": "secret",
    "ACCESS_AUTHORIZATION_URL": "https://team.cloudflareaccess.com/x/authorization",
    "ACCESS_TOKEN_URL": "https://team.cloudflareaccess.com/x/token",
    "ACCESS_JWKS_URL": "https://team.cloudflareaccess.com/x/jwks",
}
REAL_PEOPLE = {"USER_MAPPING": "users.json", "PRODUCTIVE_ORG_ID": "4711"}


def refusal(settings: dict[str, str]) -> str:
    with pytest.raises(MixtureError) as caught:
        choose(settings)
    return str(caught.value)


def test_without_settings_the_demonstration_runs() -> None:
    assert choose({}) is Mode.DEMONSTRATION
    assert choose({"PATH": "/bin", "READ_ONLY": "true"}) is Mode.DEMONSTRATION


@pytest.mark.parametrize("provider", [REAL_OIDC, REAL_ACCESS])
def test_a_real_provider_with_real_people_selects_the_worker_mode(provider: dict[str, str]) -> None:
    assert choose({**provider, **REAL_PEOPLE}) is Mode.WORKER
    real_api = {"PRODUCTIVE_API_BASE_URL": "https://api.productive.io/api/v2"}
    assert choose({**provider, **REAL_PEOPLE, **real_api}) is Mode.WORKER


@pytest.mark.parametrize("name", ["USER_MAPPING", "PRODUCTIVE_ORG_ID", *REAL_OIDC])
def test_a_missing_part_of_a_real_setup_is_named(name: str) -> None:
    settings = {**REAL_OIDC, **REAL_PEOPLE}
    del settings[name]
    assert f"{name} is missing" in refusal(settings)


def test_several_missing_parts_are_named_together() -> None:
    message = refusal({"ACCESS_CLIENT_ID": "client"})
    for name in (*ACCESS[1:], "USER_MAPPING"):
        assert name in message
    assert "are missing" in message
    assert OIDC[0] not in message


@pytest.mark.parametrize(
    "settings",
    [
        REAL_PEOPLE,
        {"USER_MAPPING": '{"a@example.com":{}}'},
        {"PRODUCTIVE_API_BASE_URL": "https://api.productive.io/api/v2"},
    ],
)
def test_real_tokens_or_api_with_the_development_sign_in_are_refused(
    settings: dict[str, str],
) -> None:
    message = refusal(settings)
    assert all(name in message for name in settings)
    assert all(name in message for name in OIDC)
    assert "lets anybody in" in message


@pytest.mark.parametrize(
    "local",
    [
        {"OIDC_ISSUER": "http://127.0.0.1:9400/cdn-cgi/access/sso/oidc/x"},
        {"OIDC_ISSUER": "http://localhost:9400"},
        {"PRODUCTIVE_API_BASE_URL": "http://localhost:9500/api/v2"},
        {"PRODUCTIVE_API_BASE_URL": "http://[::1]:9500/api/v2"},
    ],
)
def test_real_people_with_a_local_part_are_refused(local: dict[str, str]) -> None:
    (name,) = local
    assert f"{name} points to this machine" in refusal({**REAL_OIDC, **REAL_PEOPLE, **local})


def test_no_message_quotes_a_value() -> None:
    messages = [
        refusal({"OIDC_CLIENT_SECRET": "do-not-show"}),
        refusal({"USER_MAPPING": '{"a@example.com":{"apiToken":"do-not-show"}}'}),
    ]
    assert not any("do-not-show" in message for message in messages)


def test_the_environment_overrides_the_file_and_empty_means_unset(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text('A=file\nB="from file"\nC=\nexport D=4\n')
    assert read_settings({"A": "environment", "E": ""}, file) == {
        "A": "environment",
        "B": "from file",
        "D": "4",
    }
    assert read_settings({"A": "1"}, tmp_path / "absent") == {"A": "1"}
