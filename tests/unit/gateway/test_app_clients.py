"""The settings about clients, through the composed gateway."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx

from harness.mount import MappingMount
from harness.oauthkit import CALLBACK, parameters
from harness.scripted import until
from productive_gateway.app import compose
from productive_gateway.settings import load_settings

PUBLIC_URL = "http://localhost:8787"
PROVIDER = "https://team.cloudflareaccess.com/cdn-cgi/access/sso/oidc/abc"
SETTINGS = {
    "PUBLIC_URL": PUBLIC_URL,
    "PRODUCTIVE_ORG_ID": "1200",
    "USER_MAPPING": '{"ana@example.com":{"userId":7,"apiToken":"t"}}',
    "ACCESS_CLIENT_ID": "abc",
    "ACCESS_CLIENT_SECRET": "secret",
    "ACCESS_AUTHORIZATION_URL": f"{PROVIDER}/authorization",
    "ACCESS_TOKEN_URL": f"{PROVIDER}/token",
    "ACCESS_JWKS_URL": f"{PROVIDER}/jwks",
    "COOKIE_ENCRYPTION_KEY": "8f2a6c1d9b3e5f7081a2c4d6e8f01325374b5d6f8091a3b5c7d9ebfd0f213243",
    "CLIENT_KINDS": "preregistered",
    "DENIED_CLIENTS": '{"clients": ["denied"]}',
    "REDIRECT_HOSTS": "claude.ai",
}


def listed(*client_ids: str) -> dict[str, bytes]:
    clients = [
        {
            "client_id": client_id,
            "client_name": "Helpdesk",
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
        }
        for client_id in client_ids
    ]
    return {"clients.json": json.dumps(clients).encode()}


async def test_the_gateway_knows_the_clients_of_a_mount_and_follows_it(tmp_path: Path) -> None:
    mount = MappingMount(tmp_path)
    mount.write(listed("helpdesk", "denied"))
    settings = load_settings(SETTINGS | {"PREREGISTERED_CLIENTS": str(tmp_path)})
    async with compose(settings) as gateway:
        transport = httpx.ASGITransport(app=gateway.public)
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:

            async def status(client_id: str) -> int:
                query = parameters(client_id, resource=f"{PUBLIC_URL}/mcp")
                return (await http.get("/authorize", params=query)).status_code

            def problem() -> str:
                return gateway.readiness.report()[1]["preregistered_clients"]

            assert (await http.post("/register", json={})).status_code == 404
            assert await status("helpdesk") == 200
            assert await status("denied") == 403
            assert await status("newer") == 400

            tasks = [asyncio.ensure_future(task()) for task in gateway.tasks]
            mount.write({"clients.json": b"[{}]"})
            await until(lambda: "entry 1" in problem())
            assert await status("helpdesk") == 200
            mount.write(listed("newer"))
            await until(lambda: problem() == "ok")
            assert await status("newer") == 200
            assert await status("helpdesk") == 400
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
