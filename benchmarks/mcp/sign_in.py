"""Access tokens as clients get them: by signing in."""

from __future__ import annotations

import secrets
from typing import cast

import httpx
from benchmarks.mcp.server import Server

from harness.deployment import Deployment
from harness.signin import REDIRECT_URI, Visitor, challenge_of, query_of

PEOPLE = {
    "ana.kovac@northlight.example": ("simulator-ana-kovac", 9104),
    "ana.horvat@northlight.example": ("simulator-ana-horvat", 9105),
    "luka.babic@northlight.example": ("simulator-luka-babic", 9106),
    "luca.moretti@northlight.example": ("simulator-luca-moretti", 9107),
}
"""Who calls the gateway: one person may have fewer calls running than there are connections."""


def gateway_tokens(server: Server) -> tuple[str, ...]:
    """Return an access token of the gateway for each person, all for one client."""
    # A visitor needs no more of a deployment than its addresses.
    with Visitor(cast("Deployment", server)) as visitor:
        client = visitor.register()
        return tuple(str(visitor.tokens(client, email)["access_token"]) for email in PEOPLE)


def worker_token(server: Server) -> str:
    """Return an access token of the Worker, which asks nobody for consent."""
    verifier = secrets.token_urlsafe(48)
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as http:
        metadata = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
        client = http.post("/register", json={"client_name": "Benchmark", **metadata}).json()
        asked = {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": REDIRECT_URI,
            "scope": "mcp:read",
            "state": "state",
            "resource": server.mcp_url,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        code = query_of(http.get("/authorize", params=asked).headers["location"])["code"]
        form = {
            "grant_type": "authorization_code",
            "client_id": client["client_id"],
            "redirect_uri": REDIRECT_URI,
            "code": code,
            "code_verifier": verifier,
            "resource": server.mcp_url,
        }
        return str(http.post("/token", data=form).raise_for_status().json()["access_token"])
