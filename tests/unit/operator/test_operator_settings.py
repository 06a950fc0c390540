from __future__ import annotations

import pytest

from productive_operator.settings import Settings, SettingsError

GOOD = {"USERS_NAMESPACE": "acme-users", "MAPPING_SECRET": "acme-mapping"}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USERS_NAMESPACE", "MAPPING_SECRET", "INTERNAL_PORT", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return Settings.load(values)


def test_two_settings_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, **GOOD)
    assert (settings.internal_port, settings.log_level) == (9090, "INFO")
    assert settings.mapping_place("acme") == ("acme", "acme-mapping")


def test_the_mapping_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, **GOOD | {"MAPPING_SECRET": "other/mapping.1"})
    assert settings.mapping_place("acme") == ("other", "mapping.1")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"USERS_NAMESPACE": ""}, "USERS_NAMESPACE is wrong: set it to the namespace"),
        ({"USERS_NAMESPACE": "A_B"}, "USERS_NAMESPACE is wrong"),
        ({"USERS_NAMESPACE": "a/b"}, "USERS_NAMESPACE is wrong"),
        ({"MAPPING_SECRET": "a/b/c"}, "MAPPING_SECRET is wrong: set it to the name"),
        ({"MAPPING_SECRET": "../x"}, "MAPPING_SECRET is wrong"),
        ({"INTERNAL_PORT": "0"}, "INTERNAL_PORT is wrong: set it to a port number"),
        ({"INTERNAL_PORT": "tcp://10.0.0.1:80"}, "INTERNAL_PORT is wrong"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL is wrong: set it to DEBUG, INFO"),
        ({"USER_NAMESPACE": "x"}, "USER_NAMESPACE is not known: write USERS_NAMESPACE"),
        ({"MAPPING_SECRETS": "x"}, "MAPPING_SECRETS is not known: write MAPPING_SECRET"),
    ],
)
def test_a_wrong_setting_refuses_to_start_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        load(monkeypatch, **GOOD | change)


@pytest.mark.parametrize("name", list(GOOD))
def test_a_missing_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is not set"):
        load(monkeypatch, **{k: v for k, v in GOOD.items() if k != name})


def test_service_link_variables_are_not_taken_for_misspelt_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load(monkeypatch, **GOOD, MAPPING_SECRET_PORT="tcp://10.0.0.1:80", INTERNAL_PORT_80_TCP="x")


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(monkeypatch, **GOOD).log_level = "DEBUG"
