"""A gateway whose traces cannot be set up."""

from __future__ import annotations

import pytest

from productive_gateway.app import compose
from productive_gateway.settings import SettingsError, load_settings

LOCAL = "http://localhost:8000"
SETTINGS = {
    "PUBLIC_URL": LOCAL,
    "PRODUCTIVE_ORG_ID": "1200",
    "USER_MAPPING": '{"ana@example.com":{"userId":7,"apiToken":"t"}}',
    "ACCESS_CLIENT_ID": "abc",
    "ACCESS_CLIENT_SECRET": "secret",
    "ACCESS_AUTHORIZATION_URL": "https://provider.example/authorization",
    "ACCESS_TOKEN_URL": "https://provider.example/token",
    "ACCESS_JWKS_URL": "https://provider.example/jwks",
    "COOKIE_ENCRYPTION_KEY": "8f2a6c1d9b3e5f7081a2c4d6e8f01325374b5d6f8091a3b5c7d9ebfd0f213243",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
}


async def test_wrong_variable_of_the_sdk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "many")
    with pytest.raises(SettingsError, match="OTEL_SPAN_LINK_COUNT_LIMIT"):
        async with compose(load_settings(SETTINGS)):
            pass
