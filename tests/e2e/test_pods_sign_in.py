"""A real MCP client and a real browser, over TLS, through the Ingress."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest

from harness.installation import MCP, Installation
from harness.visit import logs_time


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_person_signs_in_and_logs_time(
    installation: Installation, people: Sequence[str], mode: str
) -> None:
    await logs_time(installation, mode=mode)


def test_without_a_sign_in_a_client_is_shown_the_way(installation: Installation) -> None:
    with httpx.Client(verify=installation.services.trusted, trust_env=False) as http:
        closed = http.post(f"{MCP}/mcp", json={})
        assert closed.status_code == httpx.codes.UNAUTHORIZED
        assert f'resource_metadata="{MCP}/' in closed.headers["www-authenticate"]
        known = http.get(f"{MCP}/.well-known/oauth-protected-resource/mcp").json()
    assert (known["resource"], known["authorization_servers"]) == (f"{MCP}/mcp", [MCP])


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
def test_the_internal_port_is_not_behind_the_ingress(installation: Installation, path: str) -> None:
    with httpx.Client(verify=installation.services.trusted, trust_env=False) as http:
        assert http.get(f"{MCP}{path}").status_code == httpx.codes.NOT_FOUND
