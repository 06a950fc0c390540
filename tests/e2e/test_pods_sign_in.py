"""A real MCP client and a real browser, over TLS, through the Ingress."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest

from harness.browser import chromium
from harness.installation import ANA, MCP, Installation

MINUTES = 90


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_person_signs_in_and_logs_time(
    installation: Installation, people: Sequence[str], mode: str
) -> None:
    services = installation.services
    before = services.entries()
    async with chromium(*services.chromium_flags) as browser:
        assistant = installation.assistant(ANA, browser, mode=mode)
        async with assistant.connected() as client:
            me = await client.call_tool("get_me", {})
            entry = {"project": "Website relaunch", "service": "16880011", "hours": 1.5}
            logged = await client.call_tool(
                "log_time", {"entries": [{**entry, "allow_duplicate": True}]}
            )
    assert me.structured_content["person"]["id"] == "9104"
    assert logged.structured_content["results"][0]["ok"], logged.content
    assert assistant.sign_ins == 1
    [new] = [one for one in services.entries() if one not in before]
    assert (new["time"], new["person"], new["service"]) == (MINUTES, "9104", "16880011")


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
