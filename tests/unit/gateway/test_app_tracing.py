"""A gateway whose traces cannot be set up."""

from __future__ import annotations

import pytest

from harness.localsettings import LOCAL_SETTINGS
from productive_gateway.app import compose
from productive_gateway.settings import SettingsError, load_settings

SETTINGS = LOCAL_SETTINGS | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


async def test_wrong_variable_of_the_sdk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "many")
    with pytest.raises(SettingsError, match="OTEL_SPAN_LINK_COUNT_LIMIT"):
        async with compose(load_settings(SETTINGS)):
            pass
